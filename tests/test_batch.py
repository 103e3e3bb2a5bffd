"""One row of a table for each kind of prediction."""

import numpy as np
import pytest
from finished import make_prediction

from workbench.batch import describe_prediction, make_cell

ROWS = {
    "classification": {"class_name": "nut", "score": 0.9},
    "detection": {"count nut": 1, "count bolt": 0, "boxes": [["nut", 0, 0, 32, 48, 0.9]]},
    "segmentation": {"area nut": 0.5, "area bolt": 0.0},
    "anomaly": {"verdict": "abnormal", "score": 0.9, "threshold": 0.5, "area": 1.0},
}


@pytest.mark.parametrize("task", ROWS)
def test_a_row_has_counts_and_areas(task: str) -> None:
    row = describe_prediction(make_prediction(task, 0.9), ["nut", "bolt"])
    assert row == ROWS[task]


def test_what_is_below_the_threshold_does_not_count() -> None:
    assert describe_prediction(make_prediction("detection", 0.4), ["nut"])["count nut"] == 0
    assert describe_prediction(make_prediction("segmentation", 0.4), ["nut"])["area nut"] == 0
    assert describe_prediction(make_prediction("anomaly", 0.4), [])["verdict"] == "normal"


@pytest.mark.parametrize("name", ["=1+1.png", "+a.png", "-b.png", "@c.png"])
def test_a_name_is_no_formula(name: str) -> None:
    assert make_cell(name) == f"'{name}"
    assert make_cell("photo.png") == "photo.png" and make_cell(np.float64(0.5)) == 0.5
