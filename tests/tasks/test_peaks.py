"""How what hot cells say becomes boxes."""

import numpy as np
import pytest

from workbench.tasks.peaks import AVERAGED, MAX_CELLS, Cells, average_alike, choose_cells


def test_cells_that_agree_on_a_thing_share_its_box():
    boxes = [[0, 0, 40, 40], [4, 0, 44, 40], [10, 30, 60, 80], [0, 0, 40, 40], [20, 0, 20, 40]]
    cells = Cells(
        np.array([[20, 20], [24, 20], [24, 36], [20, 20], [20, 20]], np.float32),
        np.array(boxes, np.float32),
        np.array([0.8, 0.4, 0.9, 0.9, 0.9], np.float32),
        np.array([0, 0, 0, 1, 0]),
    )
    first, second, other, empty = average_alike(cells, np.array([0, 1, 3, 4]))
    share = 0  # of the second cell in the first box; the third overlaps too little
    for _ in range(AVERAGED):
        moved = 4 * share
        with_first, with_second = (40 - moved) / (40 + moved), (36 + moved) / (44 - moved)
        share = 0.4 * with_second / (0.8 * with_first + 0.4 * with_second)
    assert first.tolist() == pytest.approx([4 * share, 0, 40 + 4 * share, 40])
    assert 0 < second[0] < 4
    assert other.tolist() == boxes[3]  # another class
    assert empty.tolist() == boxes[4]  # it has no area, and none is invented for it


def test_a_cell_says_best_where_the_near_sides_are():
    cells = Cells(  # two cells of a thing from 0 to 100, each wrong by 10 at its far end
        np.array([[20, 5], [80, 5]], np.float32),
        np.array([[0, 0, 110, 10], [-10, 0, 100, 10]], np.float32),
        np.array([0.5, 0.5], np.float32),
        np.array([0, 0]),
    )
    for box in average_alike(cells, np.array([0, 1])):
        assert -3 < box[0] < 0 and 100 < box[2] < 103  # -5 and 105 if both counted alike
        assert box[[1, 3]].tolist() == [0, 10]


def test_no_peak_is_lost_beside_many_hotter_cells():
    rows, columns = np.mgrid[:64, :64]
    logits = 5 - 0.05 * np.hypot(rows - 20, columns - 20).astype(np.float32)[None]  # all count
    assert (logits > 1).all()
    logits[0, 58:, 58:] = -9
    logits[0, 61, 61] = 0
    labels, rows, columns, is_peak = choose_cells(logits)
    assert len(labels) == MAX_CELLS
    assert list(zip(rows[is_peak], columns[is_peak])) == [(20, 20), (61, 61)]
    assert is_peak[:2].all()
