import numpy as np
import pytest
from checks import SIZE, FormatChecks, write_gray, write_picture
from PIL import Image

from workbench.errors import InvalidLabel, UnreadableImage
from workbench.formats import masks

HALF = np.zeros(SIZE, np.uint8)
HALF[:, 8:] = 1


def read_one(root, classes, task="segmentation"):
    found = masks.read(root, task, classes)
    labels = {item.name: item.read_label(SIZE) for item in found.items}
    return found, labels


class TestMasks(FormatChecks):
    format = "masks"

    @pytest.mark.parametrize(
        "place", ["masks/a.png", "images/a_mask.bmp", "SegmentationClass/a.png"]
    )
    def test_where_masks_may_lie(self, tmp_path, place):
        write_picture(tmp_path / "images" / "a.png")
        if "_mask" in place:
            place = "masks/a_mask.png"
        write_gray(tmp_path / place, HALF)
        _, labels = read_one(tmp_path, ["crack"])
        np.testing.assert_array_equal(labels["images/a.png"].mask, HALF)

    def test_a_mask_beside_its_photo(self, tmp_path):
        write_picture(tmp_path / "a.png")
        (tmp_path / "a.png").rename(tmp_path / "a.jpg")
        write_gray(tmp_path / "a.png", HALF * 255)
        _, labels = read_one(tmp_path, ["crack"])
        assert list(labels) == ["a.jpg"]
        np.testing.assert_array_equal(labels["a.jpg"].mask, HALF)

    def test_grey_counts_above_127_where_there_is_one_class(self, tmp_path):
        values = np.arange(204, dtype=np.uint8).reshape(SIZE)
        write_gray(tmp_path / "masks" / "a.png", values)
        _, labels = read_one(tmp_path, [])
        np.testing.assert_array_equal(labels["a"].mask, values > 127)

    def test_a_palette_is_an_index(self, tmp_path):
        picture = Image.fromarray(HALF * 2)
        picture.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0])
        (tmp_path / "masks").mkdir()
        picture.save(tmp_path / "masks" / "a.png")
        _, labels = read_one(tmp_path, ["crack", "chip"])
        np.testing.assert_array_equal(labels["a"].mask, HALF * 2)

    def test_files_name_the_classes_and_their_order_is_kept_apart(self, tmp_path):
        write_gray(tmp_path / "masks" / "a.png", HALF)
        (tmp_path / "classes.txt").write_text("background\nchip\ncrack\n")
        found, labels = read_one(tmp_path, ["crack"])
        assert found.classes == ("crack", "chip")
        np.testing.assert_array_equal(labels["a"].mask, HALF * 2)

    def test_a_folder_that_is_called_like_a_class(self, tmp_path):
        write_gray(tmp_path / "masks" / "chip" / "a.png", HALF * 255)
        _, labels = read_one(tmp_path, ["crack", "chip"])
        np.testing.assert_array_equal(labels["chip/a"].mask, HALF * 2)

    def test_void_pixels_are_background_with_a_note(self, tmp_path):
        values = HALF.copy()
        values[0, 0] = 255
        write_gray(tmp_path / "masks" / "a.png", values)
        found, labels = read_one(tmp_path, ["crack", "chip"])
        np.testing.assert_array_equal(labels["a"].mask, HALF)
        assert len(found.notes) == 1

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            (HALF * 9, InvalidLabel),
            (HALF[:5], InvalidLabel),
            (np.dstack([HALF] * 3), UnreadableImage),
        ],
    )
    def test_masks_that_cannot_be_used(self, tmp_path, values, error):
        write_gray(tmp_path / "masks" / "a.png", values)
        with pytest.raises(error):
            read_one(tmp_path, ["crack", "chip"])

    def test_empty_masks_are_normal_and_others_abnormal(self, tmp_path):
        write_gray(tmp_path / "masks" / "a.png", HALF * 255)
        write_gray(tmp_path / "masks" / "b.png", HALF * 0)
        _, labels = read_one(tmp_path, ["normal", "abnormal"], "anomaly")
        assert [label.verdict for label in labels.values()] == ["abnormal", "normal"]
