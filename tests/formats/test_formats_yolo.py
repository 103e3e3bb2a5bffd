import numpy as np
import pytest
from checks import SIZE, FormatChecks, write_picture
from hypothesis import given
from hypothesis import strategies as st

from workbench.formats import yolo
from workbench.formats.outlines import fill_polygon, trace_polygons
from workbench.tasks.detection import Box, BoxLabel


def write(root, lines, names="names: [nut, bolt]\n"):
    write_picture(root / "train" / "images" / "a.png")
    (root / "train" / "labels").mkdir(parents=True)
    (root / "train" / "labels" / "a.txt").write_text(lines)
    (root / "data.yaml").write_text(names)
    return root


class TestYolo(FormatChecks):
    format = "yolo"
    tolerance = 1e-6

    def test_a_line_is_a_centre_and_a_size(self, tmp_path):
        found = yolo.read(write(tmp_path, "1 0.5 0.5 1 1\n\n"), "detection", [])
        assert found.classes == ("nut", "bolt")
        assert found.items[0].split == "train"
        assert found.items[0].read_label(SIZE) == BoxLabel([Box("bolt", 0, 0, 17, 12)])

    def test_an_empty_file_says_nothing_there_and_a_missing_one_nothing(self, tmp_path):
        write(tmp_path, "")
        write_picture(tmp_path / "train" / "images" / "b.png", 1)
        labels = [i.read_label(SIZE) for i in yolo.read(tmp_path, "detection", []).items]
        assert labels == [BoxLabel([]), None]

    def test_bad_lines_are_told_and_the_others_stay(self, tmp_path):
        lines = "0 .5 .5 .5 .5\n9 .5 .5 .5 .5\nnut .5 .5 .5 .5\n0 .5\n0 .5 .5 0 .5\n0 nan 1 1 1\n"
        found = yolo.read(write(tmp_path, lines), "detection", [])
        assert found.items[0].read_label(SIZE) == BoxLabel([Box("nut", 4.25, 3, 12.75, 9)])
        assert len(found.problems) == 5

    def test_a_box_is_no_outline(self, tmp_path):
        found = yolo.read(write(tmp_path, "0 .5 .5 .5 .5\n"), "segmentation", [])
        assert found.items[0].read_label(SIZE) is None
        assert "no outline" in found.problems[0][1]

    @pytest.mark.parametrize(
        "names",
        ["names:\n  0: nut\n  1: bolt\n", "names:\n- nut\n- bolt\n", "names: {0: nut, 1: bolt}"],
    )
    def test_the_names_of_data_yaml(self, tmp_path, names):
        assert yolo.read(write(tmp_path, "", names), "detection", []).classes == ("nut", "bolt")

    def test_yaml_cannot_make_objects(self, tmp_path):
        names = "names: !!python/object/apply:os.system ['touch hacked']\n"
        found = yolo.read(write(tmp_path, "", names), "detection", ["nut"])
        assert found.problems[0][0] == "data.yaml"

    def test_without_names_the_numbers_are_the_projects(self, tmp_path):
        write(tmp_path, "1 .5 .5 1 1")
        (tmp_path / "data.yaml").unlink()
        found = yolo.read(tmp_path, "detection", ["washer", "screw"])
        assert found.items[0].read_label(SIZE).boxes[0].class_name == "screw"


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 9), st.floats(0.2, 0.9))
def test_traced_outlines_give_back_their_mask(seed, height, width, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    again = np.zeros((height, width), np.uint8)
    for polygon in trace_polygons(mask):
        fractions = np.round(polygon / (width, height), 9)
        fill_polygon(again, fractions * (width, height), 1)
    np.testing.assert_array_equal(again, mask)


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=3, max_size=6))
def test_any_outline_can_be_filled(points):
    mask = np.zeros((5, 7), np.uint8)
    fill_polygon(mask, np.array(points), 3)
    assert set(np.unique(mask)) <= {0, 3}
