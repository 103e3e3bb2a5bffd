import pytest
from checks import SIZE, FormatChecks

from workbench.errors import InvalidLabel
from workbench.formats import csv_table
from workbench.tasks.anomaly import AnomalyLabel
from workbench.tasks.classification import ClassLabel
from workbench.tasks.detection import Box, BoxLabel


def read(tmp_path, text, task):
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8-sig")
    found = csv_table.read(tmp_path, task, [])
    return found, {item.name: item for item in found.items}


class TestCsv(FormatChecks):
    format = "csv"

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    def test_separators_and_other_headers(self, tmp_path, separator):
        text = "filename,label,split\na b.png,nut,val\nc.png,,\n".replace(",", separator)
        _, items = read(tmp_path, text, "classification")
        assert items["a b.png"].read_label(SIZE) == ClassLabel("nut")
        assert items["a b.png"].split == "dev"
        assert items["c.png"].read_label(SIZE) is None

    def test_rows_of_boxes(self, tmp_path):
        text = "image,class,xmin,ymin,xmax,ymax\na,nut,1,2,3,4\na,nut,x,2,3,4\nb,,,,,\n"
        found, items = read(tmp_path, text, "detection")
        assert items["a"].read_label(SIZE) == BoxLabel([Box("nut", 1, 2, 3, 4)])
        assert items["b"].read_label(SIZE) == BoxLabel([])
        assert [name for name, _ in found.problems] == ["a"]

    def test_verdicts(self, tmp_path):
        _, items = read(tmp_path, "image,verdict\na,OK\nb,defect\nc,maybe\n", "anomaly")
        assert items["a"].read_label(SIZE) == AnomalyLabel("normal")
        assert items["b"].read_label(SIZE) == AnomalyLabel("abnormal")
        with pytest.raises(InvalidLabel, match="maybe"):
            items["c"].read_label(SIZE)

    def test_what_contradicts_itself_or_is_missing_is_told(self, tmp_path):
        _, items = read(tmp_path, "image,class\na,nut\na,bolt\n", "classification")
        with pytest.raises(InvalidLabel, match="several classes"):
            items["a"].read_label(SIZE)
        found, _ = read(tmp_path, "image,class\na,nut\n", "detection")
        assert "no column x0" in found.problems[0][1]
        _, items = read(tmp_path, "image,mask\na,../../etc/mask.png\n", "segmentation")
        with pytest.raises(InvalidLabel, match="not in the folder"):
            items["a"].read_label(SIZE)
