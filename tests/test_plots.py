from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from workbench.plots import CELL_PIXELS, describe, plot_history, plot_images, plot_predictions
from workbench.tasks.anomaly import AnomalyLabel, AnomalyPrediction
from workbench.tasks.classification import ClassLabel
from workbench.tasks.detection import Box, BoxLabel, BoxPrediction, ScoredBox
from workbench.tasks.segmentation import MaskLabel

LABEL = BoxLabel([Box("bolt", 1, 1, 30, 30), Box("nut", 5, 5, 9, 9), Box("bolt", 2, 2, 9, 9)])
PREDICTION = BoxPrediction(
    (ScoredBox("bolt", 1, 1, 30, 30, 0.9), ScoredBox("nut", 1, 1, 9, 9, 0.1))
)


@dataclass
class Photo:
    name: str = "folder/a.png"
    label: Any = None
    split: str | None = None
    size: tuple[int, int] = (60, 80)

    def read(self):
        return np.full((*self.size, 3), 90, np.uint8)


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.images]


def test_images_are_shown_with_name_class_and_split():
    photos = [Photo(label=LABEL, split="train"), Photo(label=BoxLabel()), Photo()]
    assert titles(plot_images(photos)) == [
        "folder/a.png\n2 bolt, 1 nut · train",
        "folder/a.png\nnothing there · no split",
        "folder/a.png\nunlabeled · no split",
    ]


def test_only_the_first_images_are_read():
    def endless():
        while True:
            yield Photo()

    figure = plot_images(endless(), columns=3, limit=7)
    assert len(titles(figure)) == 7
    assert len(figure.axes) == 9  # three rows of three, the last two empty


def test_labels_are_drawn_in_their_colours():
    figure = plot_images(
        [Photo(label=LABEL)], classes=["bolt", "nut"], colors={"bolt": "#ff0000", "nut": "#00ff00"}
    )
    pixels = figure.axes[0].images[0].get_array()
    assert pixels[29, 1].tolist() == [255, 0, 0]


def test_large_photos_are_held_small():
    figure = plot_images([Photo(size=(3000, 1000))])
    assert max(figure.axes[0].images[0].get_array().shape) <= CELL_PIXELS


def test_predictions_are_beside_their_labels():
    image = Photo().read()
    rows = [(image, "a.png", LABEL, PREDICTION), (image, "b.png", None, PREDICTION)]
    figure = plot_predictions(rows, ["bolt", "nut"], {})
    assert titles(figure) == [
        "a.png\nlabel: 2 bolt, 1 nut",
        "a.png\nprediction: 1 bolt",  # the nut is below the threshold
        "b.png\nlabel: unlabeled",
        "b.png\nprediction: 1 bolt",
    ]


def test_history_has_losses_at_the_left_and_figures_at_the_right():
    history = [
        {"epoch": 1, "step": 10, "loss": 1.0, "map_50": 0.1, "note": "warm"},
        {"epoch": 2, "step": 20, "loss": 0.5, "map_50": None},
        {"epoch": 3, "step": 30, "loss": 0.2, "map_50": 0.8},
    ]
    left, right = plot_history(history).axes
    assert [line.get_label() for line in left.lines] == ["loss"]
    assert [line.get_label() for line in right.lines] == ["map_50"]
    assert left.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert np.isnan(right.lines[0].get_ydata()[1])


@pytest.mark.parametrize(
    "figure",
    [
        pytest.param(lambda: plot_images([]), id="images"),
        pytest.param(lambda: plot_predictions([]), id="predictions"),
        pytest.param(lambda: plot_history([]), id="history"),
    ],
)
def test_nothing_to_show_is_a_figure_that_says_so(figure):
    texts = [text.get_text() for axes in figure().axes for text in axes.texts]
    assert "nothing to show" in texts


@pytest.mark.parametrize("name", ["$x$ and $", "😀 مرحبا.png", "a\nb", "x" * 400, "\ud800"])
def test_awkward_names_are_drawn(name):
    figure = plot_images([Photo(name=name, label=ClassLabel(name))], classes=[name])
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_every_kind_of_label_is_described():
    mask = np.array([[0, 2], [3, 0]], np.uint8)
    heat = np.zeros((2, 2), np.float32)
    assert describe(MaskLabel(mask), ["a", "b"]) == "b, class 3"
    assert describe(AnomalyLabel("abnormal"), ()) == "abnormal"
    assert describe(AnomalyPrediction(0.2, 0.5, heat, (4, 4)), ()) == "normal"
    assert describe(ClassLabel("washer"), ()) == "washer"
    with pytest.raises(TypeError, match="str"):
        describe("washer", ())
