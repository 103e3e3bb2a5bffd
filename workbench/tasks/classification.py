"""Classification: one class for the whole image."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidLabel, NotEnoughLabels, UnknownClass
from .drawing import draw_banner, find_color
from .enough import check_every_class
from .figures import (
    Figures,
    Series,
    divide,
    find_index,
    labeled_pairs,
    mean_defined,
    score_histogram,
    thin_curve,
)
from .framing import Frame


@dataclass(frozen=True)
class ClassLabel:
    """The class of an image, as a person says it."""

    class_name: str


@dataclass(frozen=True)
class ClassPrediction:
    """The probability of every class, 0..1, as a model says it; they sum to 1."""

    scores: dict[str, float]

    @property
    def class_name(self) -> str:
        """The most probable class; the first in the project's order where two are level."""
        return max(self.scores, key=lambda name: self.scores[name])

    @property
    def score(self) -> float:
        """The probability of the most probable class."""
        return max(self.scores.values())


def check_label(label: Any, image_size: tuple[int, int], classes: Sequence[str]) -> None:
    """Raise InvalidLabel or UnknownClass unless the label fits an image of (height, width)."""
    if not isinstance(label, ClassLabel):
        raise InvalidLabel(f"A classification label is a ClassLabel, not {type(label).__name__}.")
    if label.class_name not in classes:
        raise UnknownClass(
            f"There is no class {label.class_name!r}; add it with project.add_class()."
        )


def count_items(label: ClassLabel, classes: Sequence[str]) -> dict[str, int]:
    """Return how many items of each class the label holds: one, of its class."""
    return {label.class_name: 1}


def pack_label(label: ClassLabel, class_ids: Mapping[str, int]) -> tuple[dict[str, Any], None]:
    """Return the label as a record of class ids for the store, and no mask."""
    return {"class": class_ids[label.class_name]}, None


def unpack_label(
    record: Mapping[str, Any], mask: np.ndarray | None, class_ids: Mapping[str, int]
) -> ClassLabel | None:
    """Return the label of a record, or None where its class is no longer there."""
    names = {class_id: name for name, class_id in class_ids.items()}
    name = names.get(record["class"])
    return None if name is None else ClassLabel(name)


def pack_prediction(prediction: ClassPrediction) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the prediction as a JSON record and no arrays."""
    return {"scores": prediction.scores}, {}


def unpack_prediction(
    record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> ClassPrediction:
    """Return the prediction that `pack_prediction` packed."""
    return ClassPrediction(dict(record["scores"]))


def make_label(
    prediction: ClassPrediction, names: Mapping[str, str], classes: Sequence[str]
) -> ClassLabel:
    """Return the label that says what the prediction says.

    names: {the model's class name: the project's of today}, without those that are gone.
    classes: the project's. Raises UnknownClass where the class is gone.
    """
    if prediction.class_name not in names:
        raise UnknownClass(f"The project has no class {prediction.class_name!r} any more.")
    return ClassLabel(names[prediction.class_name])


def decode(
    outputs: Sequence[Mapping[str, np.ndarray]],
    frames: Sequence[Frame],
    classes: Sequence[str],
    threshold: float,
) -> ClassPrediction:
    """Return the prediction for what a network said of one image.

    outputs: one for each frame (here always one), with logits: float32 (K,).
    """
    logits = np.mean([output["logits"] for output in outputs], axis=0, dtype=np.float64)
    scores = np.exp(logits - logits.max())
    scores /= scores.sum()
    return ClassPrediction({name: float(score) for name, score in zip(classes, scores)})


def evaluate(
    predictions: Iterable[ClassPrediction | None],
    labels: Iterable[ClassLabel | None],
    classes: Sequence[str],
    threshold: float | None = None,
) -> Figures:
    """Return the figures of parallel predictions and labels; images without a label are left out.

    threshold: an image whose best probability is below counts as undecided: never correct, and a
    last column of the confusion. None or 0: every image is decided.
    accuracy is correct / all; precision, recall, f1 and support of each class as scikit-learn's
    `precision_recall_fscore_support` says; macro_f1 is the mean f1 of the classes that occur in
    labels or predictions. What is not defined is nan.
    """
    indexes = {name: index for index, name in enumerate(classes)}
    scores, truth = [], []
    for prediction, label in labeled_pairs(predictions, labels):
        scores.append(score_row(prediction, indexes))
        truth.append(find_index(label.class_name, indexes))
    table = np.array(scores, np.float64).reshape(len(truth), len(classes))  # (N, K)
    return measure_table(table, np.array(truth, np.int64), classes, threshold)


def measure_table(
    table: np.ndarray, labeled: np.ndarray, classes: Sequence[str], threshold: float | None
) -> Figures:
    """Return the figures of probabilities, float64 (N, K), and labeled class indexes, int64 (N,).

    threshold: as for `evaluate`.
    """
    decided = decide(table, threshold)  # (N,)
    per_class = _measure_classes(labeled, decided, classes)
    overall = {
        "accuracy": divide((labeled == decided).sum(), len(labeled)),
        "macro_f1": mean_defined(figures["f1"] for figures in per_class.values()),
    }
    confusion = np.zeros((len(classes), len(classes) + 1), np.int64)
    np.add.at(confusion, (labeled, decided), 1)
    if not threshold:
        confusion = confusion[:, :-1]
    return Figures(
        overall=overall,
        per_class=per_class,
        confusion=confusion,
        row_names=tuple(classes),
        column_names=(*classes, "undecided")[: confusion.shape[1]],
        curves=_make_curves(table, labeled, classes),
        counts={"images": len(labeled), "items": len(labeled)},
        threshold=threshold or None,
    )


def score_row(prediction: ClassPrediction, indexes: Mapping[str, int]) -> np.ndarray:
    """Return the probability of each class, 0 where the model does not know it: float64 (K,)."""
    row = np.zeros(len(indexes), np.float64)
    for name, score in prediction.scores.items():
        row[find_index(name, indexes)] = score
    return row


def decide(table: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return the most probable class of each row: int64 (N,), K where it is below the threshold."""
    if not table.size:
        return np.zeros(len(table), np.int64)
    undecided = table.max(axis=1) < (0 if threshold is None else threshold)
    decided: np.ndarray = np.where(undecided, table.shape[1], table.argmax(axis=1))
    return decided


def _measure_classes(
    labeled: np.ndarray, decided: np.ndarray, classes: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return precision, recall, f1 and support of each class, from int64 (N,) class indexes."""
    if not len(labeled):
        undefined = dict.fromkeys(("precision", "recall", "f1"), math.nan)
        return {name: {**undefined, "support": 0.0} for name in classes}
    # scikit-learn takes a second to import, and only reports need it.
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        labeled, decided, labels=range(len(classes)), zero_division=math.nan
    )
    names = ("precision", "recall", "f1", "support")
    return {
        class_name: dict(zip(names, map(float, row)))
        for class_name, row in zip(classes, zip(*columns))
    }


def _make_curves(
    table: np.ndarray, labeled: np.ndarray, classes: Sequence[str]
) -> dict[str, dict[str, Series]]:
    """Return precision against recall of each class against the rest, and histograms of scores."""
    from sklearn.metrics import precision_recall_curve  # a second to import, as above

    curves = {}
    for index, name in enumerate(classes):
        if (labeled == index).any():
            precision, recall, _ = precision_recall_curve(labeled == index, table[:, index])
            curves[name] = thin_curve(recall, precision)
    best = table.max(axis=1, initial=0)
    correct = decide(table, None) == labeled
    scores = {
        "correct": score_histogram(best[correct]),
        "wrong": score_histogram(best[~correct]),
    }
    return {"precision_recall": curves, "scores": scores}


def draw(
    image: np.ndarray,
    label_or_prediction: ClassLabel | ClassPrediction | None,
    classes: Sequence[str],
    colors: Mapping[str, str],
) -> np.ndarray:
    """Return a copy of a uint8 (H, W, 3) image with its class and probability along the top.

    colors: {class name: "#rrggbb"}. None gives a plain copy.
    """
    if label_or_prediction is None:
        return image.copy()
    name = label_or_prediction.class_name
    ending = ""
    if isinstance(label_or_prediction, ClassPrediction):
        ending = f" {label_or_prediction.score:.0%}"
    return draw_banner(image, name, find_color(name, classes, colors), ending)


def check_enough(labeled: int, images_per_class: Mapping[str, int]) -> None:
    """Raise NotEnoughLabels unless a model can learn from the train split.

    labeled: its labeled images. images_per_class: how many of them hold each class.
    """
    if len(images_per_class) < 2:
        raise NotEnoughLabels("Classification needs at least two classes, with images of each.")
    check_every_class(images_per_class)
