import pytest
from checks import FormatChecks, make_store

from workbench.formats.folders import tell_class, tell_verdict
from workbench.formats.items import strip_holders, tell_split


class TestFolders(FormatChecks):
    format = "folders"

    def test_class_names_never_lead_out_of_the_export(self, tmp_path):
        from checks import SIZE, encode

        from workbench.store.images import NewImage, add_images
        from workbench.store.labels import read_label, write_label
        from workbench.store.search import read_after
        from workbench.tasks.classification import ClassLabel
        from workbench.transfer.importing import export_labels, import_labels

        names = ["../../out", "/etc", "a/b", "test", "CON.", "..", "a_b"]
        store = make_store(tmp_path / "project", "classification", names)
        images = [NewImage(f"{i}.png", encode(i), ".png", SIZE) for i in range(7)]
        for added, name in zip(add_images(store, images), names):
            write_label(store, added.image_id, ClassLabel(name))
        export_labels(store, tmp_path / "export" / "here", "folders")
        assert {path.name for path in tmp_path.iterdir()} == {"project", "export"}
        assert {path.name for path in (tmp_path / "export").iterdir()} == {"here"}
        again = make_store(tmp_path / "again", "classification")
        import_labels(again, tmp_path / "export" / "here")
        told = {read_label(again, row.id).class_name for row in read_after(again, [], 0, 99)}
        assert told == set(names)


@pytest.mark.parametrize(
    ("name", "class_name", "verdict", "split"),
    [
        ("a.png", None, None, None),
        ("good/a.png", "good", "normal", None),
        ("train/a.png", None, None, "train"),
        ("Test/Crack/a.png", "Crack", "abnormal", "test"),
        ("nut/test/good/a.png", "good", "normal", "test"),
        ("train/crack/a.png", "crack", None, "train"),
        ("MT_Fray/Imgs/a.png", "MT_Fray", None, None),
        ("test/images/a.png", None, None, "test"),
        ("not ok/a.png", "not ok", "abnormal", None),
    ],
)
def test_what_folders_say(name, class_name, verdict, split):
    assert (tell_class(name), tell_verdict(name), tell_split(name)) == (class_name, verdict, split)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("images/train/a/b.png", "a/b.png"),
        ("valid/images/a.png", "a.png"),
        ("train/crack/a.png", "train/crack/a.png"),
        ("a.png", "a.png"),
        ("images/unassigned/test/a.png", "a.png"),
    ],
)
def test_names_lose_the_folders_that_only_hold(name, plain):
    assert strip_holders(name) == plain
