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
AGREEING = 0.3  # overlap (IoU) from which on two cells speak of the same thing
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

    peaks: int (P,). A cell that lies in a peak's box, and whose own box overlaps it by more than
    AGREEING, counts by that overlap times its score: many cells of a large thing each guess its
    sides. Source: bounding box voting (Gidaris and Komodakis, 2015).
    """
    inside = cells.labels[peaks, None] == cells.labels  # (P, N)
    for axis in (0, 1):
        inside &= cells.centres[:, axis] > cells.boxes[peaks, axis, None]
        inside &= cells.centres[:, axis] < cells.boxes[peaks, axis + 2, None]
    inside[np.arange(len(peaks)), peaks] = True  # a thin box may lie beside its cell's middle
    rows, others = np.nonzero(inside)
    overlap = pair_overlap(cells.boxes[peaks[rows]], cells.boxes[others])
    weights = np.where(overlap > AGREEING, overlap * cells.scores[others], 0)
    sums = [np.bincount(rows, weights * side[others], len(peaks)) for side in cells.boxes.T]
    totals = np.bincount(rows, weights, len(peaks))[:, None]  # 0 where a box has no area
    averaged = np.where(totals > 0, np.stack(sums, axis=1) / np.maximum(totals, 1e-9), 0)
    return averaged.astype(np.float32)


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
