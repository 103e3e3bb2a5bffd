"""Which predicted box is which labeled box, and the average precision that follows from it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .figures import Series, count_figures, find_index, score_histogram

if TYPE_CHECKING:  # detection.py imports this file
    from .detection import Box

MATCH_OVERLAP = 0.5  # IoU from which two boxes are the same thing; PASCAL VOC (Everingham, 2010)
COCO_LIMIT = 100  # COCO counts the 100 best boxes of a class in an image, and no more


@dataclass(frozen=True, eq=False)
class BoxArrays:
    """The boxes of one image, best first.

    boxes: float64 (N, 4) xyxy; classes: int64 (N,) class indexes; scores: float64 (N,), 0..1.
    """

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray


def make_box_arrays(boxes: Iterable["Box"], indexes: Mapping[str, int]) -> BoxArrays:
    """Return boxes as arrays, best first; a box without a score has 1.

    indexes: {class name: index}. Raises UnknownClass for a class that is not among them.
    """
    listed = sorted(boxes, key=lambda box: -getattr(box, "score", 1.0))
    return BoxArrays(
        np.array([box.xyxy for box in listed], np.float64).reshape(-1, 4),
        np.array([find_index(box.class_name, indexes) for box in listed], np.int64),
        np.array([getattr(box, "score", 1.0) for box in listed], np.float64),
    )


def box_overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the IoU of every pair of boxes: float64 (N, M), 0..1.

    boxes, others: float (N, 4) and (M, 4), xyxy in pixels, half-open. An empty side gives an empty
    result; a box without area overlaps nothing. Source: PASCAL VOC (Everingham et al., 2010).
    """
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    sides = [  # (N, M), one axis at a time: much faster than both at once
        np.minimum.outer(boxes[:, axis + 2], others[:, axis + 2])
        - np.maximum.outer(boxes[:, axis], others[:, axis])
        for axis in (0, 1)
    ]
    shared = np.maximum(sides[0], 0) * np.maximum(sides[1], 0)  # (N, M)
    return _share_of_union(shared, np.add.outer(_areas(boxes), _areas(others)))


def pair_overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the IoU of each box and the other in its row: float (N,), 0..1.

    boxes, others: float (N, 4) each, as in `box_overlap`.
    """
    low = np.maximum(boxes[:, :2], others[:, :2])
    shared = _areas(np.hstack([low, np.minimum(boxes[:, 2:], others[:, 2:])]))
    return _share_of_union(shared, _areas(boxes) + _areas(others))


def _areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of boxes (N, 4) xyxy: (N,), 0 where a side is none."""
    areas: np.ndarray = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    return areas


def _share_of_union(shared: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Return the IoU of pairs that share some area, of the sum of both areas; 0 without any."""
    union = both - shared
    overlap: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def match_boxes(overlap: np.ndarray, minimum: float = MATCH_OVERLAP) -> np.ndarray:
    """Return the labeled box that each predicted box found: int64 (N,), -1 where it found none.

    overlap: float (N, M), IoU of predicted boxes, best first, with labeled ones. Each in turn takes
    the free labeled box that it overlaps most, from `minimum` on; so a threshold that drops the
    last boxes changes nothing for the others. Source: COCO detection evaluation (Lin et al., 2014).
    """
    free = np.array(overlap, np.float64)
    matches = np.full(len(free), -1, np.int64)
    for row in range(len(free) if free.size else 0):
        column = int(free[row].argmax())
        if free[row, column] >= minimum:
            matches[row] = column
            free[:, column] = -1
    return matches


class AveragePrecision:
    """Collects boxes image by image, and measures average precision with pycocotools.

    Only what pycocotools matched is kept, about 20 bytes a box. COCO's evaluator would keep every
    box as a dict, and prints; so its steps for one image are called here one by one.
    """

    def __init__(self, class_count: int) -> None:
        # pycocotools takes a while to import, and only reports need it.
        from pycocotools import cocoeval

        cocoeval.print = _say_nothing  # stdout is shared by all threads, so it is not redirected
        self._evaluator = cocoeval.COCOeval(iouType="bbox")
        self._evaluator.params.catIds = list(range(class_count))
        self._evaluator.params.areaRng = [[0, float("inf")]]
        self._evaluator.params.areaRngLbl = ["all"]
        self._evaluator.params.maxDets = [COCO_LIMIT]
        self._matched: list[list[dict[str, Any] | None]] = [[] for _ in range(class_count)]
        self._image_count = 0

    def add_image(self, truth: BoxArrays, found: BoxArrays, place: int | None = None) -> None:
        """Match the labeled and the predicted boxes of one image; place: before which one."""
        at = self._image_count if place is None else place
        for matched, image in zip(self._matched, self._match(truth, found)):
            matched.insert(at, image)
        self._image_count += 1

    def replace_image(self, place: int, truth: BoxArrays, found: BoxArrays) -> None:
        """Match one image again."""
        for matched, image in zip(self._matched, self._match(truth, found)):
            matched[place] = image

    def remove_image(self, place: int) -> None:
        """Forget one image; those after it move up."""
        for matched in self._matched:
            del matched[place]
        self._image_count -= 1

    def _match(self, truth: BoxArrays, found: BoxArrays) -> Iterator[dict[str, Any] | None]:
        """Yield pycocotools' match of one image for each class."""
        evaluator = self._evaluator
        for class_index in range(len(self._matched)):
            mine, theirs = found.classes == class_index, truth.classes == class_index
            evaluator._gts[0, class_index] = _make_annotations(truth.boxes[theirs])
            evaluator._dts[0, class_index] = _make_annotations(
                found.boxes[mine], found.scores[mine]
            )
            evaluator.ious = {(0, class_index): evaluator.computeIoU(0, class_index)}
            yield _slim(evaluator.evaluateImg(0, class_index, [0, float("inf")], COCO_LIMIT))

    def measure(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the precision of every class at every IoU, the recall steps, and recall at IoU .5.

        precision: float64 (10, 101, K) for IoU .50, .55 … .95 and recall 0, .01 … 1; nan for a
        class without labels. The mean over recall is the average precision, 101-point interpolated.
        steps: float64 (101,). recall: float64 (K,), what was found of each class; nan likewise.
        """
        evaluator = self._evaluator
        evaluator.params.imgIds = list(range(self._image_count))
        evaluator.evalImgs = [image for matched in self._matched for image in matched]
        evaluator._paramsEval = evaluator.params
        evaluator.accumulate()
        precision = evaluator.eval["precision"][:, :, :, 0, 0]  # (10, 101, K)
        recall = evaluator.eval["recall"][0, :, 0, 0]  # (K,)
        precision, recall = (np.where(array < 0, np.nan, array) for array in (precision, recall))
        return precision, evaluator.params.recThrs, recall


def _make_annotations(
    boxes: np.ndarray, scores: Iterable[float] | None = None
) -> list[dict[str, Any]]:
    """Return boxes as COCO writes them; ids start at 1, as pycocotools takes 0 for no match."""
    sides = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes.tolist()]
    shared = {"iscrowd": 0, "ignore": 0}
    annotations = [
        {"id": index, "bbox": side, "area": side[2] * side[3], **shared}
        for index, side in enumerate(sides, 1)
    ]
    for annotation, score in zip(annotations, () if scores is None else scores):
        annotation["score"] = float(score)
    return annotations


def _slim(matched: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return of pycocotools' match what its `accumulate` reads, as small arrays."""
    if matched is None:
        return None
    return {
        "dtMatches": matched["dtMatches"] > 0,
        "dtIgnore": matched["dtIgnore"] > 0,
        "dtScores": np.asarray(matched["dtScores"], np.float64),
        "gtIgnore": matched["gtIgnore"] > 0,
    }


def _say_nothing(*words: object) -> None:
    """Stand in for print inside of pycocotools."""


@dataclass(frozen=True, eq=False)
class BoxCounts:
    """What was found, missed and made up where some threshold decided.

    labeled, predicted, hits: int64 (K,) boxes of each class. confusion: int64 (K + 1, K + 1),
    labels by predictions, the last is background.
    """

    labeled: np.ndarray
    predicted: np.ndarray
    hits: np.ndarray
    confusion: np.ndarray

    def measure(self, class_index: int | None = None) -> dict[str, float]:
        """Return precision, recall and f1 of one class, or of all boxes together (micro)."""
        chosen = slice(None) if class_index is None else class_index
        sides = (self.hits, self.predicted, self.labeled)
        hits, predicted, labeled = (float(side[chosen].sum()) for side in sides)
        return count_figures(hits, predicted, labeled)


class BoxMatches:
    """Collects image by image which predicted box found which labeled one, whatever the threshold.

    A threshold drops the last boxes of an image, which changes nothing for those before; so counts
    at any threshold follow from one matching.
    """

    def __init__(self, class_count: int) -> None:
        self.class_count = class_count
        self._images: list[dict[str, np.ndarray]] = []
        self._joined: dict[str, np.ndarray] | None = None

    @property
    def image_count(self) -> int:
        """How many images were added."""
        return len(self._images)

    def add_image(self, truth: BoxArrays, found: BoxArrays, place: int | None = None) -> None:
        """Match the labeled and the predicted boxes of one image; place: before which one."""
        self._images.insert(
            len(self._images) if place is None else place, self._match(truth, found)
        )
        self._joined = None

    def replace_image(self, place: int, truth: BoxArrays, found: BoxArrays) -> None:
        """Match one image again."""
        self._images[place] = self._match(truth, found)
        self._joined = None

    def remove_image(self, place: int) -> None:
        """Forget one image; those after it move up."""
        del self._images[place]
        self._joined = None

    def _match(self, truth: BoxArrays, found: BoxArrays) -> dict[str, np.ndarray]:
        """Return the columns of one image; partner counts the labeled boxes of that image alone."""
        overlap = box_overlap(found.boxes, truth.boxes)  # (N, M)
        same = found.classes[:, None] == truth.classes[None, :]  # (N, M)
        return {
            "class": found.classes,
            "score": found.scores,
            "is_hit": match_boxes(np.where(same, overlap, 0)) >= 0,
            "partner": match_boxes(overlap),  # (N,), whatever the class
            "labeled_class": truth.classes,
        }

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """One row for each predicted box: image, class, score, is_hit, partner.

        partner: the labeled box that it found whatever the class, -1 for none; labeled_image and
        labeled_class have a row for each of those.
        """
        if self._joined is None:
            self._joined = self._join()
        return self._joined

    def _join(self) -> dict[str, np.ndarray]:
        """Return the columns of all images."""
        kinds = {"score": np.float64, "is_hit": np.bool_}
        columns = {
            name: np.concatenate([np.zeros(0), *(image[name] for image in self._images)])
            for name in ("class", "score", "is_hit", "partner", "labeled_class")
        }
        joined: dict[str, np.ndarray] = {
            name: part.astype(kinds.get(name, np.int64)) for name, part in columns.items()
        }
        found, labeled = (
            np.array([len(image[name]) for image in self._images], np.int64)
            for name in ("class", "labeled_class")
        )
        first = np.cumsum(labeled) - labeled  # the first labeled box of each image
        partner = joined["partner"] + np.repeat(first, found)
        joined["partner"] = np.where(joined["partner"] >= 0, partner, -1)
        joined["image"] = np.repeat(np.arange(len(found)), found)
        joined["labeled_image"] = np.repeat(np.arange(len(labeled)), labeled)
        return joined

    def count(self, threshold: float | np.ndarray) -> BoxCounts:
        """Return the counts where a score >= threshold counts: one, or float (images,)."""
        columns, size = self.columns, self.class_count
        limits = np.broadcast_to(threshold, self.image_count)
        counts = columns["score"] >= limits[columns["image"]]
        found, partner = columns["class"][counts], columns["partner"][counts]
        labeled = columns["labeled_class"]
        confusion = np.zeros((size + 1, size + 1), np.int64)
        np.add.at(confusion, (np.append(labeled, size)[partner], found), 1)  # -1: background
        is_missed = np.ones(len(labeled), np.bool_)
        is_missed[partner[partner >= 0]] = False
        np.add.at(confusion[:, size], labeled[is_missed], 1)
        return BoxCounts(
            np.bincount(labeled, minlength=size),
            np.bincount(found, minlength=size),
            np.bincount(columns["class"][counts & columns["is_hit"]], minlength=size),
            confusion,
        )

    def make_histograms(self) -> dict[str, Series]:
        """Return histograms of scores: of boxes that found a labeled one, and of false alarms."""
        scores, is_hit = self.columns["score"], self.columns["is_hit"]
        return {
            "found": score_histogram(scores[is_hit]),
            "false alarm": score_histogram(scores[~is_hit]),
        }

    def best_threshold(self) -> float:
        """Return the score from which f1 over all boxes is highest; of several the highest score.

        0.5 where no predicted box found a labeled one.
        """
        scores, is_hit = self.columns["score"], self.columns["is_hit"]
        if not is_hit.any():
            return 0.5
        order = np.argsort(-scores, kind="stable")
        ranked, hits = scores[order], is_hit[order].cumsum()
        f1 = 2 * hits / (np.arange(1, len(hits) + 1) + len(self.columns["labeled_class"]))
        f1[:-1][ranked[:-1] == ranked[1:]] = -1  # boxes of one score count together or not at all
        return float(ranked[int(f1.argmax())])
