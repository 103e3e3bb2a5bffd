import json

import numpy as np
import pytest
from checks import SIZE, FormatChecks
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as codec

from workbench.errors import InvalidLabel
from workbench.formats import coco
from workbench.formats.run_lengths import decode_run_lengths
from workbench.tasks.detection import Box, BoxLabel


def read(tmp_path, annotations, task="detection", image=None, name="instances_val2017.json"):
    images = [{"id": 1, "file_name": "a.png", **(image or {})}]
    categories = [{"id": 7, "name": "nut"}, {"id": 3, "name": "bolt"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / name).write_text(json.dumps(document))
    return coco.read(tmp_path, task, ["bolt"])


def thing(**values):
    return {"id": 5, "image_id": 1, "category_id": 7, **values}


class TestCoco(FormatChecks):
    format = "coco"

    def test_boxes_categories_and_split(self, tmp_path):
        found = read(tmp_path, [thing(bbox=[2, 3, 4, 5])])
        assert found.classes == ("bolt", "nut")
        assert found.items[0].split == "dev"
        assert found.items[0].read_label(SIZE) == BoxLabel([Box("nut", 2, 3, 6, 8)])

    def test_no_annotations_say_nothing_there(self, tmp_path):
        assert read(tmp_path, []).items[0].read_label(SIZE) == BoxLabel([])

    @pytest.mark.parametrize(
        "bad",
        [
            {"category_id": 99},
            {"category_id": [7]},
            {"bbox": None},
            {"bbox": [1, 2, 3]},
            {"bbox": ["a", 2, 3, 4]},
            {"bbox": [1, 2, 0, 4]},
            {"bbox": [float("nan"), 2, 3, 4]},
        ],
    )
    def test_a_bad_annotation_is_one_problem(self, tmp_path, bad):
        good = thing(bbox=[2, 3, 4, 5])
        found = read(tmp_path, [thing(**{"bbox": [1, 1, 2, 2], **bad}), good])
        assert found.items[0].read_label(SIZE) == BoxLabel([Box("nut", 2, 3, 6, 8)])
        assert len(found.problems) == 1

    def test_annotations_of_no_image_are_told(self, tmp_path):
        found = read(tmp_path, [thing(image_id=9, bbox=[1, 1, 2, 2])])
        assert "image 9" in found.problems[0][1]

    def test_another_size_is_refused(self, tmp_path):
        found = read(tmp_path, [], image={"width": 12, "height": 17})
        with pytest.raises(InvalidLabel, match="12 x 17"):
            found.items[0].read_label(SIZE)

    def test_json_errors_have_their_place(self, tmp_path):
        (tmp_path / "a.json").write_text('{"images": [],\n "annotations": [}')
        found = coco.read(tmp_path, "detection", [])
        assert found.problems[0][0] == "a.json"
        assert "line 2, column 18" in found.problems[0][1]

    def test_polygons_agree_with_pycocotools(self, tmp_path):
        outline = [2.0, 1.0, 14.0, 3.0, 9.0, 11.0]
        found = read(tmp_path, [thing(segmentation=[outline])], "segmentation")
        mask = found.items[0].read_label(SIZE).mask == found.classes.index("nut") + 1
        packed = codec.frPyObjects([outline], *SIZE)[0]
        region = {"size": packed["size"], "counts": packed["counts"].decode()}
        theirs = decode_run_lengths(region, SIZE)
        assert (mask & theirs).sum() / (mask | theirs).sum() > 0.85

    def test_run_lengths_plain_and_compressed(self, tmp_path):
        mask = np.zeros(SIZE, np.uint8)
        mask[2:5, 3:9] = 1
        packed = codec.encode(np.asfortranarray(mask))
        texts = {"size": list(SIZE), "counts": packed["counts"].decode()}
        flat = mask.T.ravel()
        edges = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff([0, *edges, flat.size]).tolist()
        for region in (texts, {"size": list(SIZE), "counts": counts}):
            found = read(tmp_path, [thing(segmentation=region, iscrowd=1)], "segmentation")
            np.testing.assert_array_equal(found.items[0].read_label(SIZE).mask, mask * 2)

    def test_a_group_is_no_single_thing(self, tmp_path):
        found = read(tmp_path, [thing(bbox=[1, 1, 2, 2], iscrowd=1)])
        assert found.items[0].read_label(SIZE) is None
        assert len(found.notes) == 1


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 9))
def test_run_lengths_of_pycocotools_come_back(seed, height, width):
    mask = np.random.default_rng(seed).integers(0, 2, (height, width), dtype=np.uint8)
    packed = codec.encode(np.asfortranarray(mask))
    region = {"size": packed["size"], "counts": packed["counts"].decode()}
    np.testing.assert_array_equal(decode_run_lengths(region, (height, width)), mask)


@given(st.one_of(st.text(max_size=20), st.lists(st.integers(-5, 200), max_size=9), st.none()))
def test_run_lengths_that_lie_are_refused(counts):
    try:
        pixels = decode_run_lengths({"size": [5, 6], "counts": counts}, (5, 6))
    except InvalidLabel:
        return
    assert pixels.shape == (5, 6)
