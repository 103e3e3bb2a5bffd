"""What hot cells of a detection network say: boxes, one for each thing."""

import math
from dataclasses import dataclass, replace

import numpy as np

from .framing import Frame
from .matching import box_overlap, pair_overlap

SCORE_FLOOR = 0.02  # boxes below it are not kept: too many, and no threshold would count them
LOGIT_FLOOR = math.log(SCORE_FLOOR / (1 - SCORE_FLOOR))
MAX_BOXES = 300
MAX_CELLS = 1000  # of an input, whose boxes are looked at
AGREEING = 0.3  # overlap (IoU) from which on a cell speaks of the same thing as a box
AVERAGED = 2  # times
NEAR = 0.1  # of a box: sides nearer than that count about alike
LEAST_SIDE = 0.5  # pixels of the image: what is thinner once it is clamped lies outside


@dataclass(frozen=True, eq=False)
class Cells:
    """What cells of an input say.

    centres: float32 (N, 2) x, y; boxes: float32 (N, 4) xyxy; in pixels of the input.
    scores: float32 (N,). labels: int (N,), class indices.
    """

    centres: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def find_boxes(
    heatmap: np.ndarray, sides: np.ndarray, frame: Frame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what one frame shows: boxes float32 (N, 4) xyxy in pixels of the image, scores float32
    (N,), class indices int (N,). A thing whose centre another tile sees better is left to that one.
    """
    logits = heatmap.astype(np.float32)
    labels, rows, columns, is_peak = choose_cells(logits)
    peaks = np.flatnonzero(is_peak)[:MAX_BOXES]
    scores = 1 / (1 + np.exp(-logits[labels, rows, columns]))
    stride = frame.input_size[0] / heatmap.shape[1]
    centres = (np.stack([columns, rows], axis=1).astype(np.float32) + 0.5) * stride  # (N, 2)
    near = sides[:, rows, columns].T  # (N, 4)
    boxes = np.concatenate([centres - near[:, :2], centres + near[:, 2:]], axis=1)
    agreed = average_alike(Cells(centres, boxes, scores, labels), peaks)
    agreed = clamp_boxes(frame.boxes_to_image(agreed), frame.image_size)
    has_area = ((agreed[:, 2:] - agreed[:, :2]) >= LEAST_SIDE).all(axis=1)
    kept = has_area & widen(frame, stride).owns(centres[peaks])
    return agreed[kept], scores[peaks][kept], labels[peaks][kept]


def choose_cells(logits: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return class, row and column, int (N,) each, of the cells that count, and which are peaks.

    logits: float32 (K, h, w). Peaks come first, so that none is lost for being one of many; each
    kind has its hottest first.
    """
    labels, rows, columns = np.nonzero(logits >= LOGIT_FLOOR)
    values = logits[labels, rows, columns]
    is_peak = values >= local_maximum(logits)[labels, rows, columns]
    order = np.lexsort((-values, ~is_peak))[:MAX_CELLS]
    return labels[order], rows[order], columns[order], is_peak[order]


def average_alike(cells: Cells, peaks: np.ndarray) -> np.ndarray:
    """Return the boxes of the peaks, float32 (P, 4), each averaged over the cells that agree.

    peaks: int (P,). Many cells of a large thing each guess its sides: what they say together is
    then averaged once more over the cells that agree with that. Source: bounding box voting
    (Gidaris and Komodakis, 2015).
    """
    alike = cells.labels[peaks, None] == cells.labels  # (P, N)
    boxes: np.ndarray = cells.boxes[peaks]
    for _ in range(AVERAGED):
        inside = alike & lie_inside(cells.centres, boxes)
        inside[np.arange(len(peaks)), peaks] = True  # a thin box may lie beside its cell's middle
        boxes = average_agreeing(cells, boxes, inside)
    return boxes


def lie_inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Tell which points, (N, 2) x and y, lie in which boxes, (P, 4) xyxy: bool (P, N)."""
    inside = np.ones((len(boxes), len(points)), np.bool_)
    for axis in (0, 1):
        inside &= points[:, axis] > boxes[:, axis, None]
        inside &= points[:, axis] < boxes[:, axis + 2, None]
    return inside


def average_agreeing(cells: Cells, boxes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return boxes, float32 (P, 4), averaged over the cells whose own overlap them enough.

    counts: bool (P, N), which cells may count for which box. Each side is weighed by overlap, score
    and nearness: a cell says best how far the near sides are.
    """
    rows, others = np.nonzero(counts)
    overlap = pair_overlap(boxes[rows], cells.boxes[others])
    weights = np.where(overlap > AGREEING, overlap * cells.scores[others], 0)
    sides = np.maximum(cells.boxes[:, 2:] - cells.boxes[:, :2], LEAST_SIDE)  # (N, 2)
    away = np.abs(cells.boxes.reshape(-1, 2, 2) - cells.centres[:, None]) / sides[:, None]
    nearness = 1 / (NEAR + away.reshape(-1, 4))  # (N, 4)
    averaged = boxes.copy()  # so it stays where no cell agrees, as with a box without area
    for axis in range(4):
        shares = weights * nearness[others, axis]
        total = np.bincount(rows, shares, len(boxes))
        value = np.bincount(rows, shares * cells.boxes[others, axis], len(boxes))
        np.divide(value, total, out=averaged[:, axis], where=total > 0, casting="same_kind")
    return averaged


def widen(frame: Frame, pixels: float) -> Frame:
    """Return a frame that owns a few pixels more on each side.

    A thing on the line between two tiles lies in cells that differ by less than one stride; without
    it neither might own the thing. That both do is settled by `suppress_overlaps`.
    """
    left, top, right, bottom = (max(0.0, margin - pixels) for margin in frame.margins)
    return replace(frame, margins=(left, top, right, bottom))


def local_maximum(values: np.ndarray) -> np.ndarray:
    """Return the highest value among each position and its eight neighbours: float32 (K, h, w)."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    rows = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    highest: np.ndarray = np.maximum(np.maximum(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])
    return highest


def clamp_boxes(boxes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Return boxes, float32 (N, 4) xyxy, cut off at the borders of an image of (height, width)."""
    height, width = image_size
    clamped: np.ndarray = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    return clamped


def suppress_overlaps(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, most: float = 0.5
) -> np.ndarray:
    """Return the indices of the boxes to keep, best first (greedy, class by class).

    boxes float32 (N, 4) xyxy, scores float32 (N,), labels int (N,). A box that overlaps a better
    one of its class by an IoU above `most` is left out.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, labels = boxes[order], labels[order]
    same = labels[:, None] == labels[None, :]
    clashes = (box_overlap(boxes, boxes) > most) & same  # (N, N)
    is_kept = np.ones(len(order), np.bool_)
    for row in np.flatnonzero(np.triu(clashes, 1).any(axis=1)):
        if is_kept[row]:
            is_kept[row + 1 :] &= ~clashes[row, row + 1 :]
    return order[is_kept]
