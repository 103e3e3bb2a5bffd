"""Runs: processes that are started, followed, killed, resumed, cancelled, queued."""

import csv
import json
import math
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image

import workbench as wb
from workbench import samples
from workbench.store.run_folder import EventReader, append_event, find_process
from workbench.training import engine_environment

SMALL = {"input_size": 64, "batch_size": 4}


@pytest.fixture
def project(tmp_path):
    with samples.create("bolts", tmp_path, count=24) as project:
        yield project


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of a small classification project."""
    project = samples.create("bolts", tmp_path_factory.mktemp("trained"), count=24)
    yield project, project.train(seed=3, epochs=6, progress=False, **SMALL)
    project.close()


def wait_for_step(run, step, seconds=90):
    """Wait until the run has done so many steps."""
    end = time.monotonic() + seconds
    while run._update().step.get("step", 0) < step:
        assert time.monotonic() < end and run.status in ("queued", "running"), run.log
        time.sleep(0.05)


def test_settings_are_checked_before_anything_starts(project):
    with pytest.raises(wb.InvalidSetting, match="preset 'quick'"):
        project.train("quick")
    with pytest.raises(wb.InvalidSetting, match="no training setting 'epoch'"):
        project.train(epoch=3)
    with pytest.raises(wb.InvalidSetting, match="multiple of 32"):
        project.train(input_size=100)
    with pytest.raises(wb.InvalidSetting, match="batch_size=0"):
        project.train(batch_size=0)
    with pytest.raises(wb.InvalidSetting, match="seed=True"):
        project.train(seed=True)
    assert len(project.runs) == 0 and project.snapshots == []


def test_too_few_labels_say_what_to_do(tmp_path):
    project = wb.Project.create(tmp_path / "p", task="classification", classes=["a", "b"])
    with pytest.raises(wb.NotEnoughLabels, match="No image of the train split is labeled"):
        project.train()
    rng = np.random.default_rng(0)
    pictures = {f"{i}.png": rng.integers(0, 255, (40, 40, 3), dtype=np.uint8) for i in range(4)}
    project.add_images(pictures)
    for image in project.images:
        image.label = wb.ClassLabel("a")
    with pytest.raises(wb.NotEnoughLabels, match="Class 'b' has no labeled image"):
        project.train()
    project.remove_class("b")
    with pytest.raises(wb.NotEnoughLabels, match="two classes"):
        project.train()
    project.close()


def test_anomaly_needs_normal_images(tmp_path):
    project = wb.Project.create(tmp_path / "p", task="anomaly")
    project.add_images({"a.png": np.zeros((40, 40, 3), np.uint8)}, split="train")
    project.images[0].label = wb.AnomalyLabel("normal")
    with pytest.raises(wb.NotEnoughLabels, match="1 normal image"):
        project.train()
    project.close()


def test_how_threads_wait_is_set_unless_the_user_has_said_so(monkeypatch):
    """Threads of the engine neither sleep at once nor spin for long, but by the user's own wish."""
    for name in ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    assert 1_000 < int(engine_environment()["GOMP_SPINCOUNT"]) < 100_000
    assert "OMP_WAIT_POLICY" not in engine_environment()
    monkeypatch.setenv("GOMP_SPINCOUNT", "0")
    assert engine_environment()["GOMP_SPINCOUNT"] == "0"


def test_events_survive_a_line_cut_short(tmp_path):
    append_event(tmp_path, "queued")
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "prog')
    reader = EventReader(tmp_path)
    assert [event["event"] for event in reader.read_new()] == ["queued"]
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b"\n")
    append_event(tmp_path, "started", pid=1)
    assert [event["event"] for event in reader.read_new()] == ["started"]
    assert reader.read_new() == []


@pytest.mark.slow
def test_a_finished_run_has_all_that_it_promises(trained):
    project, run = trained
    assert (run.status, run.progress, run.error) == ("finished", 1.0, None)
    assert [entry["epoch"] for entry in run.history] == list(range(1, len(run.history) + 1))
    chance = math.log(2)  # of a blind answer; the first fit leaves little to learn
    assert all(0 < entry["loss"] < chance / 2 for entry in run.history)
    assert 0 <= run.metrics["accuracy"] <= 1
    assert project.runs[run.id].name == "run 1" and project.best_run().id == run.id
    assert run.snapshot.classes == ("bolt", "washer") and run.changed_labels == 0
    card = json.loads((run.folder / "model.json").read_text())
    assert card["classes"] == ["bolt", "washer"] and card["facts"]["seed"] == 3


@pytest.mark.slow
def test_a_run_shows_what_it_predicts_round_by_round(trained):
    _, run = trained
    assert list(run.previews) == [entry["epoch"] for entry in run.history]
    for path in run.previews.values():
        with Image.open(path) as picture:
            assert picture.format == "JPEG" and picture.width > 2 * picture.height


@pytest.mark.slow
def test_a_class_is_explained_by_a_map(trained):
    project, run = trained
    image = project.images[0]
    maps = [run.model().explain(image, name) for name in ("bolt", "washer")]
    assert maps[0].shape == maps[1].shape and maps[0].dtype == np.float32
    assert all(places.min() == 0 and places.max() == 1 for places in maps)
    best = run.model().predict(image).class_name
    np.testing.assert_array_equal(run.model().explain(image), maps[best == "washer"])
    with pytest.raises(wb.UnknownClass, match="It knows: bolt, washer"):
        run.model().explain(image, "nut")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_photos_of_no_project_become_a_table(trained, tmp_path, suffix):
    project, run = trained
    folder = tmp_path / "new"
    folder.mkdir()
    for image in project.images[:2]:
        (folder / f"={image.id}.png").write_bytes(image.read_bytes())
    (folder / "broken.png").write_bytes(b"no image")
    report = run.predict_files(folder, tmp_path / f"out/found{suffix}", progress=False)
    assert (report.images, [name for name, _ in report.rejected]) == (2, ["broken.png"])
    text = report.path.read_text()
    rows = json.loads(text) if suffix == ".json" else list(csv.DictReader(text.splitlines()))
    assert {row["class_name"] for row in rows} <= {"bolt", "washer"}
    first = rows[0]["image"]
    assert first.startswith("'=" if suffix == ".csv" else "=")  # no formula in a spreadsheet
    assert len(project.images) == 24
    with pytest.raises(wb.UnsupportedFormat, match=r"\.csv or \.json"):
        run.predict_files(folder, tmp_path / "found.xlsx")
    with pytest.raises(wb.SourceNotFound):
        run.predict_files(tmp_path / "nothing", tmp_path / "found.csv")


@pytest.mark.slow
def test_another_reader_sees_the_same_run(trained):
    project, run = trained
    with wb.Project.open(project.path) as other:
        seen = other.runs[run.id]
        assert (seen.status, seen.history, seen.metrics) == (run.status, run.history, run.metrics)
    with pytest.raises(wb.RunNotFound, match="no run 'nothing'"):
        project.runs["nothing"]


@pytest.mark.slow
def test_predict_report_and_export(trained, tmp_path):
    project, run = trained
    assert run.predict(split="test") == len(project.images.where(split="test"))
    report = run.report(split="test")
    assert report.images == len(project.images.where(split="test", labeled=True))
    assert report["accuracy"] == report.overall["accuracy"]
    model = wb.load_model(run.export(tmp_path / "deploy"))
    assert sorted(path.name for path in (tmp_path / "deploy").iterdir()) == [
        "model.json",
        "model.onnx",
    ]
    image = project.images.where(split="test")[0]
    one, two = model.predict([image, image.read()])
    assert one == two == run.prediction(image)
    assert model.predict(image.path) == one and model.predict(image.read_bytes()) == one
    with pytest.raises(wb.UnsupportedFormat):
        run.export(tmp_path / "other", format="tflite")
    with pytest.raises(wb.SourceNotFound):
        model.predict(tmp_path / "nothing.png")


@pytest.mark.slow
def test_a_review_holds_every_image_of_a_split(trained):
    project, run = trained
    review = run.review(split="test")
    assert list(review.names) == [image.name for image in project.images.where(split="test")]
    assert review.report()["accuracy"] == run.report(split="test")["accuracy"]
    image = project.images[review.names[0]]
    old = image.label
    image.label = None
    again = run.review(split="test")
    assert again.outcomes()[image.name] == "unlabeled"
    assert len(again.names) == len(review.names)
    image.label = old


DEPLOYED = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is not there in deployment")
BLOCKED = set(sys.argv[3].split(","))
sys.meta_path.insert(0, Refuse())
import workbench as wb
print(wb.load_model(sys.argv[1]).predict(sys.argv[2]).class_name)
"""


@pytest.mark.slow
def test_a_model_runs_with_onnxruntime_numpy_and_pillow_alone(trained, tmp_path):
    project, run = trained
    image = project.images[0]
    others = "torch,torchvision,onnx,sqlalchemy,pandas,matplotlib,sklearn,scipy,psutil,tqdm"
    others += ",pycocotools,safetensors,filelock,defusedxml,yaml,ipywidgets,IPython"
    arguments = [run.export(tmp_path / "deploy"), image.path, others]
    done = subprocess.run(
        [sys.executable, "-c", DEPLOYED, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == run.prediction(image).class_name


@pytest.mark.slow
def test_a_report_follows_the_labels_of_today(trained):
    project, run = trained
    before = run.report(split="test")
    image = project.images.where(split="test")[0]
    old = image.label
    image.label = wb.ClassLabel("washer" if old.class_name == "bolt" else "bolt")
    after = run.report(split="test")
    assert after["accuracy"] != before["accuracy"] and after.changed_labels == 1
    image.label = old
    project.rename_class("washer", "ring")
    assert run.report(split="test")["accuracy"] == before["accuracy"]
    project.rename_class("ring", "washer")


@pytest.mark.slow
def test_same_seed_same_figures(trained):
    project, run = trained
    again = project.train(seed=3, epochs=6, progress=False, **SMALL)
    assert again.history == run.history and again.metrics == run.metrics
    image = project.images[0]
    assert again.prediction(image) == run.prediction(image)


@pytest.mark.slow
def test_a_killed_run_is_interrupted_and_goes_on_from_its_checkpoint(trained):
    project, finished = trained
    run = project.start_training(seed=3, epochs=6, **SMALL)
    wait_for_step(run, 10)
    process = find_process(run.folder)
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=10)
    assert run.status == "interrupted" and "resume()" in run.error
    with pytest.raises(wb.RunNotFinished):
        run.model()
    done = [entry["epoch"] for entry in run.history]
    run.resume()
    assert run.wait(180, progress=False) == "finished", run.log
    lines = (run.folder / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    second = [event["event"] for event in events].index("started", 2)
    first_step = next(e["step"] for e in events[second:] if "step" in e)
    assert done and first_step > finished.history[0]["step"]
    # Interrupted or not: the same seed gives the same model.
    assert run.history == finished.history and run.metrics == finished.metrics


@pytest.mark.slow
def test_cancel_keeps_the_best_and_resume_goes_on(project):
    run = project.start_training(epochs=40, **SMALL)
    wait_for_step(run, 60)
    run.cancel()
    assert run.status == "cancelled"
    assert run.model().predict(project.images[0]).class_name in project.classes
    run.resume()
    assert run.status in ("queued", "running")
    run.cancel()
    run.delete()
    assert len(project.runs) == 0 and not run.folder.exists()


@pytest.mark.slow
def test_runs_wait_for_each_other(project):
    first = project.start_training(epochs=40, **SMALL)
    wait_for_step(first, 1)
    second = project.start_training(epochs=1, **SMALL)
    time.sleep(1)
    assert (first.status, second.status) == ("running", "queued")
    first.cancel(wait=False)
    assert second.wait(120, progress=False) == "finished"


@pytest.mark.slow
def test_a_time_limit_ends_training_early(project):
    run = project.train(epochs=10_000, time_limit=25, progress=False, **SMALL)
    assert run.status == "finished" and run.history[-1]["step"] < 10_000 * 3


@pytest.mark.slow
def test_a_missing_photo_fails_with_its_name(project):
    image = project.images.where(split="train")[0]
    image.path.unlink()
    with pytest.raises(wb.RunFailed) as failure:
        project.train(epochs=1, progress=False, **SMALL)
    assert image.path.name in str(failure.value)
    assert project.runs[0].status == "failed"
