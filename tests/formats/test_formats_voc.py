import pytest
from checks import SIZE, FormatChecks, write_picture

from workbench.errors import InvalidLabel
from workbench.formats import voc
from workbench.tasks.detection import Box, BoxLabel


def write(path, objects, size="<width>17</width><height>12</height>"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>a.png</filename><size>{size}</size>{objects}</annotation>"
    )


def thing(name="nut", sides=(1, 1, 5, 6)):
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), sides))
    return f"<object><name>{name}</name><bndbox>{inner}</bndbox></object>"


class TestVoc(FormatChecks):
    format = "voc"

    def test_pixels_count_from_one_and_include_the_last(self, tmp_path):
        write(tmp_path / "a.xml", thing(sides=(1, 1, 17, 12)))
        found = voc.read(tmp_path, "detection", [])
        assert found.classes == ("nut",)
        assert found.items[0].read_label(SIZE) == BoxLabel([Box("nut", 0, 0, 17, 12)])

    def test_bad_boxes_are_told_and_the_others_stay(self, tmp_path):
        outside = thing(sides=(40, 40, 50, 50))
        flat, cut = thing(sides=(5, 5, 4, 9)), thing(sides=(-8, 3, 4, 6))
        write(tmp_path / "a.xml", outside + flat + cut)
        found = voc.read(tmp_path, "detection", [])
        assert found.items[0].read_label(SIZE) == BoxLabel([Box("nut", 0, 2, 4, 6)])
        assert [reason.split(":")[0] for _, reason in found.problems] == [
            "a box of 'nut' is outside of it",
            "a box of 'nut' has no area",
        ]
        assert len(found.notes) == 1

    def test_an_image_whose_boxes_are_all_bad_is_not_empty_but_unlabeled(self, tmp_path):
        write(tmp_path / "a.xml", thing(sides=(5, 5, 4, 9)))
        assert voc.read(tmp_path, "detection", []).items[0].read_label(SIZE) is None

    def test_another_size_is_refused(self, tmp_path):
        write(tmp_path / "a.xml", thing(), "<width>12</width><height>17</height>")
        with pytest.raises(InvalidLabel, match="12 x 17 pixels"):
            voc.read(tmp_path, "detection", []).items[0].read_label(SIZE)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("<annotation>", "not valid XML"),
            (f"<annotation>{thing(sides=(1, 'x', 3, 4))}</annotation>", "cannot be read"),
            ("<annotation><object><bndbox/></object></annotation>", "no name"),
            (
                '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation>&e;</annotation>',
                "entities",
            ),
        ],
    )
    def test_a_malformed_file_is_one_problem(self, tmp_path, text, reason):
        (tmp_path / "bad.xml").write_text(text)
        write(tmp_path / "good.xml", thing())
        found = voc.read(tmp_path, "detection", [])
        assert [name for name, _ in found.problems] == ["bad.xml"]
        assert reason in found.problems[0][1]
        assert len(found.items) == 1

    def test_a_name_in_a_file_does_not_lead_out_of_the_folder(self, tmp_path):
        write_picture(tmp_path / "secret.png")
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.xml").write_text(
            "<annotation><filename>../secret.png</filename></annotation>"
        )
        assert voc.read(tmp_path / "in", "detection", []).items[0].image is None
