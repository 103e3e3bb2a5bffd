"""How an image becomes network inputs, and how what the network says goes back to the image.

Training and prediction share this file, so that a network sees in use what it saw when it learned.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

PADDING = 114  # the grey of what is not image, near the middle of the range
INPUT_STEP = 32  # every network here halves its input four times at most; one more for good measure
MOST_LARGER = 4  # times the usual area, and the usual side, that an input of its own may have


@dataclass(frozen=True)
class Framing:
    """How a model wants its images; saved in model.json.

    input_size: (height, width) of one network input.
    scale: None fits the whole image into one input and keeps its aspect (letterbox). A number
        resizes every image by it, and cuts what is larger than one input into tiles.
    overlap: how many pixels of the scaled image neighbouring tiles share.
    is_mirrored: whether an input holds the image's mirror image beyond it; else grey.
    is_whole: whether each image is one input of its own size, to the nearest INPUT_STEP, so that
        nothing is padded or tiled. Its area is that of input_size, or follows from the scale.
    """

    input_size: tuple[int, int]
    scale: float | None = None
    overlap: int = 64
    is_mirrored: bool = False
    is_whole: bool = False


@dataclass(frozen=True)
class Frame:
    """Where one network input lies in its image, once that is scaled to scaled_size.

    All sizes are (height, width); top and left are pixels of the scaled image. What an input holds
    beyond the scaled image is padding, at the right and at the bottom; is_mirrored says which.
    margins: how many pixels at the left, top, right and bottom a neighbouring tile sees better,
    having more of what is around.
    """

    image_size: tuple[int, int]
    scaled_size: tuple[int, int]
    top: int
    left: int
    input_size: tuple[int, int]
    margins: tuple[float, float, float, float] = (0, 0, 0, 0)
    is_mirrored: bool = False

    @property
    def content_size(self) -> tuple[int, int]:
        """The (height, width) of the part of the input that is image, from its top-left corner."""
        return (
            min(self.input_size[0], self.scaled_size[0] - self.top),
            min(self.input_size[1], self.scaled_size[1] - self.left),
        )

    def boxes_to_image(self, boxes: np.ndarray) -> np.ndarray:
        """Return float32 (N, 4) xyxy in pixels of the image, from those of this input."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        moved: np.ndarray = (boxes + offset) / self._factors()
        return moved

    def boxes_to_input(self, boxes: np.ndarray) -> np.ndarray:
        """Return float32 (N, 4) xyxy in pixels of this input, from those of the image."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        moved: np.ndarray = boxes * self._factors() - offset
        return moved

    def owns(self, points: np.ndarray) -> np.ndarray:
        """Tell which points, float32 (N, 2) x, y, no other tile sees better: bool (N,)."""
        left, top, right, bottom = self.margins
        height, width = self.input_size
        x, y = points[:, 0], points[:, 1]
        return (x >= left) & (y >= top) & (x < width - right) & (y < height - bottom)

    def shrunk(self, stride: float) -> "Frame":
        """Return the same frame in steps of `stride` pixels, for maps at a network's resolution."""
        return replace(
            self,
            scaled_size=shrink(self.scaled_size, stride),
            top=round(self.top / stride),
            left=round(self.left / stride),
            input_size=shrink(self.input_size, stride),
        )

    def _factors(self) -> np.ndarray:
        """Return input pixels per image pixel along x, y, x, y: float32 (4,)."""
        (height, width), (scaled_height, scaled_width) = self.image_size, self.scaled_size
        return np.array([scaled_width / width, scaled_height / height] * 2, np.float32)


def make_frames(image_size: tuple[int, int], framing: Framing) -> list[Frame]:
    """Return the frames that cover an image of (height, width): one, or one for each tile."""
    if framing.is_whole:
        size = whole_size(image_size, framing)
        return [Frame(image_size, size, 0, 0, size)]
    if framing.scale is None:
        scaled = letterbox_size(image_size, framing.input_size)
        is_mirrored = framing.is_mirrored
        return [Frame(image_size, scaled, 0, 0, framing.input_size, is_mirrored=is_mirrored)]
    scaled = height, width = shrink(image_size, 1 / framing.scale)
    tile = (
        min(framing.input_size[0], round_up(height, INPUT_STEP)),
        min(framing.input_size[1], round_up(width, INPUT_STEP)),
    )
    rows = tile_starts(height, tile[0], framing.overlap)
    columns = tile_starts(width, tile[1], framing.overlap)
    return [
        Frame(
            image_size,
            scaled,
            top,
            left,
            tile,
            (
                shared(columns, j, tile[1]),
                shared(rows, i, tile[0]),
                shared(columns, j + 1, tile[1]),
                shared(rows, i + 1, tile[0]),
            ),
            framing.is_mirrored,
        )
        for i, top in enumerate(rows)
        for j, left in enumerate(columns)
    ]


def whole_frame(image_size: tuple[int, int], framing: Framing) -> Frame:
    """Return the frame that holds all of the scaled image, whatever its size, without padding."""
    scaled = make_frames(image_size, framing)[0].scaled_size
    return Frame(image_size, scaled, 0, 0, scaled)


def whole_size(image_size: tuple[int, int], framing: Framing) -> tuple[int, int]:
    """Return the (height, width) of the one input of an image, where framing.is_whole.

    An image that is far too large is scaled by less, and one that is far too long is squeezed.
    """
    alike = math.sqrt(math.prod(framing.input_size) / math.prod(image_size))
    scale = alike if framing.scale is None else min(framing.scale, alike * MOST_LARGER**0.5)
    longest = MOST_LARGER * max(framing.input_size)
    height, width = (
        min(longest, max(2 * INPUT_STEP, round(length * scale / INPUT_STEP) * INPUT_STEP))
        for length in image_size
    )
    return height, width


def shared(starts: list[int], index: int, tile: int) -> float:
    """Return half of what tile `index` and the one before share; 0 at the image's border."""
    if not 0 < index < len(starts):
        return 0
    return (starts[index - 1] + tile - starts[index]) / 2


def shrink(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return (height, width) divided by a factor, rounded, at least one pixel."""
    return max(1, round(size[0] / factor)), max(1, round(size[1] / factor))


def letterbox_size(image_size: tuple[int, int], input_size: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (height, width) with the image's aspect that fits into input_size."""
    scale = min(input_size[0] / image_size[0], input_size[1] / image_size[1])
    height, width = shrink(image_size, 1 / scale)
    return min(height, input_size[0]), min(width, input_size[1])


def round_up(length: int, step: int) -> int:
    """Return the next multiple of step that is not below length."""
    return math.ceil(length / step) * step


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return where tiles start along one side, evenly spread, overlapping by at least `overlap`."""
    if length <= tile:
        return [0]
    count = math.ceil((length - overlap) / max(1, tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def cut_inputs(image: np.ndarray, frames: list[Frame]) -> list[np.ndarray]:
    """Return what each frame holds of a uint8 (H, W, 3) image: uint8 (h, w, 3), padded."""
    scaled = resize_image(image, frames[0].scaled_size)
    return [cut_input(scaled, frame) for frame in frames]


def cut_input(scaled: np.ndarray, frame: Frame) -> np.ndarray:
    """Return what one frame holds of an image that is already scaled: uint8 (h, w, 3), padded."""
    height, width = frame.content_size
    part = scaled[frame.top : frame.top + height, frame.left : frame.left + width]
    return pad_to(part, frame.input_size, frame.is_mirrored)


def pad_to(
    image: np.ndarray, size: tuple[int, int], is_mirrored: bool = False, value: int = PADDING
) -> np.ndarray:
    """Return a uint8 (h, w, 3) image, or a mask (h, w), padded at its right and bottom.

    size: (height, width), up to which. The padding is of one value, or the image's mirror image,
    again and again where that is the smaller: no edge appears then that is not in the image.
    """
    height, width = image.shape[:2]
    beyond = ((0, size[0] - height), (0, size[1] - width), (0, 0))[: image.ndim]
    if is_mirrored:
        return np.pad(image, beyond, mode="symmetric")
    return np.pad(image, beyond, constant_values=value)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a uint8 (H, W, 3) image resized to (height, width), antialiased."""
    if image.shape[:2] == tuple(size):
        return image
    height, width = size
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def resize_map(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a float32 (h, w) map resized to (height, width), bilinear."""
    if values.shape == tuple(size):
        return values.astype(np.float32)
    height, width = size
    picture = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def merge_maps(maps: list[np.ndarray], frames: list[Frame]) -> np.ndarray:
    """Return one map of the whole scaled image: float32 (K, h, w).

    maps: one float32 (K, input height, input width) for each frame. Where tiles overlap, the one
    whose border is farther away weighs more, so that no seam shows.
    """
    height, width = frames[0].scaled_size
    total = np.zeros((maps[0].shape[0], height, width), np.float32)
    weights = np.zeros((height, width), np.float32)
    for values, frame in zip(maps, frames):
        h, w = frame.content_size
        weight = tile_weight(frame.input_size)[:h, :w]
        place = (slice(frame.top, frame.top + h), slice(frame.left, frame.left + w))
        total[:, *place] += values[:, :h, :w] * weight
        weights[place] += weight
    return total / weights


def tile_weight(size: tuple[int, int]) -> np.ndarray:
    """Return how much each pixel of a tile counts: float32 (h, w), highest in the middle."""
    sides = [np.minimum(np.arange(n) + 1, np.arange(n, 0, -1)).astype(np.float32) for n in size]
    return np.minimum.outer(*sides)
