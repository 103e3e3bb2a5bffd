"""The comparison with peers: what it gives them, and how it measures their answers."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

import workbench as wb

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def compare(monkeypatch):
    """The comparison as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import compare

    yield compare
    for name in ("compare", "curves", "real_sets"):
        sys.modules.pop(name, None)


@pytest.fixture
def common(monkeypatch):
    """What the peers share, as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS / "peers"))
    import common

    yield common
    sys.modules.pop("common", None)


def make_image(value):
    return np.full((40, 60, 3), value, np.uint8)


def test_labels_are_kept_for_each_class_and_test_stays(compare, tmp_path):
    project = wb.Project.create(tmp_path / "p", "classification", ["a", "b"])
    for index in range(20):
        name = f"{index}.png"
        file = tmp_path / name
        Image.fromarray(make_image(index)).save(file)
        project.add_images([file], split="test" if index < 4 else "train", progress=False)
        project.images[name].label = wb.ClassLabel("ab"[index % 2])
    compare.keep_labels(project, 5, seed=0)
    kept = [image for image in project.images if image.split != "test"]
    assert sorted(image.label.class_name for image in kept) == ["a"] * 5 + ["b"] * 5
    assert {image.split for image in kept} == {"train", "dev"}
    assert len(project.images.where(split="test")) == 4


def test_all_labels_are_learned_from_where_dev_is_empty(common, tmp_path):
    ours = importlib.import_module("ours")
    try:
        project = wb.Project.create(tmp_path / "p", "classification", ["a"])
        for index, split in enumerate(("train", "dev", "test", "dev")):
            file = tmp_path / f"{index}.png"
            Image.fromarray(make_image(index)).save(file)
            project.add_images([file], split=split, progress=False)
        ours.learn_from_all(project)
        assert [image.split for image in project.images] == ["train", "train", "test", "train"]
    finally:
        sys.modules.pop("ours", None)


def test_a_method_that_failed_says_why(compare):
    assert compare.explain_end(-9, "50 %|####|") == "ended by signal SIGKILL"
    assert compare.explain_end(1, "Traceback\nValueError: too few\n") == "ValueError: too few"
    assert compare.explain_end(1, "") == "ended with status 1"


def test_masks_are_measured_over_all_pixels(compare, tmp_path):
    wanted, found = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    wanted[:2], found[1:3] = 1, 1  # 4 shared of 12
    wanted[3, 0] = found[3, 0] = 2
    Image.fromarray(wanted).save(tmp_path / "m.png")
    items = [{"mask": str(tmp_path / "m.png")}]
    measured = compare.measure_masks(items, {"0": found}, 2)
    assert measured["figure"] == pytest.approx((4 / 12 + 1) / 2)
    assert measured["f1"] == pytest.approx((8 / 16 + 1) / 2)


def test_classes_are_measured_by_class_and_by_image(compare):
    problem = {"task": "classification", "test": [{"label": k} for k in (0, 0, 0, 1)]}
    measured = compare.measure_answer(problem, {"scores": np.eye(2)[[0, 0, 1, 1]]})
    assert measured == {"figure": pytest.approx(5 / 6), "accuracy": 0.75}
    row = {"problem": "x", "labels": 10, "seconds": 30, "method": "ours", **measured}
    assert "| 0.833 | 0.000 | accuracy 0.750 |" in compare.describe_rows([row])


def test_boxes_are_measured_by_average_precision(compare):
    items = [{"boxes": [[0, 0, 10, 10, 0]]}, {"boxes": [[5, 5, 20, 20, 0]]}]
    right = np.array([[0, 0, 10, 10, 0.9, 0]])
    wrong = np.array([[30, 30, 40, 40, 0.8, 0]])
    assert compare.measure_boxes(items, {"0": right, "1": wrong}, ["a"]) == pytest.approx(
        0.5, abs=0.01
    )


PEER = """
import json, pathlib, sys
import numpy as np
problem, answer = map(pathlib.Path, sys.argv[1:3])
if "broken" in sys.argv:
    raise SystemExit("there is no such network")
items = json.loads((problem / "problem.json").read_text())["test"]
answer.mkdir(exist_ok=True)
np.savez(answer / "answer.npz", scores=np.array([float(item["abnormal"]) for item in items]))
measured = {"trained_seconds": 1.0, "milliseconds": 2.0}
(answer / "measured.json").write_text(json.dumps(measured))
"""


def test_a_peer_is_called_and_its_answer_measured(compare, tmp_path, monkeypatch):
    (tmp_path / "peer.py").write_text(PEER)
    monkeypatch.setattr(compare, "HERE", tmp_path)
    items = [{"image": "", "abnormal": index % 2 == 0} for index in range(6)]
    described = {"task": "anomaly", "classes": [], "train": [], "test": items}
    (tmp_path / "problem.json").write_text(json.dumps(described))
    rows = []
    for name in ("knows", "broken"):
        method = compare.Method("anomaly", "peer", name, "random")
        row = compare.run_method(method, 5, 0, tmp_path, tmp_path)
        rows.append({"problem": "x", "labels": None, "seconds": 5, "method": str(method), **row})
    assert rows[0]["figure"] == 1.0 and rows[0]["trained_seconds"] == 1.0
    assert rows[1]["error"] == "there is no such network"
    table = compare.describe_rows(rows)
    assert "| x | all | 5 | peer:knows:random | 1.000 | 0.000 |  | 1 | 2.0 |" in table
    assert "there is no such network" in table


def test_the_table_leaves_blank_what_a_row_does_not_say(compare):
    row = {"problem": "x", "labels": 10, "seconds": 30, "method": "ours", "figure": 0.5}
    line = "| x | 10 | 30 | ours | 0.500 | 0.000 |  |  |  |  |"
    assert compare.describe_rows([row]).endswith(line)


def test_the_rows_of_the_readme_can_be_read(compare):
    rows = compare.read_rows(Path(compare.__file__).parent / "measured.jsonl")
    methods = {str(method) for method in compare.METHODS}
    assert rows and {row["method"] for row in rows} <= methods
    assert len(
        {(r["problem"], r["labels"], r["seed"], r["seconds"], r["method"]) for r in rows}
    ) == len(rows)


def test_curves_join_the_means_of_the_seeds(compare):
    import curves

    row = {"problem": "boards:detection", "method": "ours:fast:shipped", "seconds": 30.0}
    rows = [
        {**row, "labels": 10, "seed": 0, "figure": 0.2},
        {**row, "labels": 10, "seed": 1, "figure": 0.4},
        {**row, "labels": None, "seed": 0, "figure": 0.6},
        {**row, "labels": 5, "seed": 0, "error": "ended by signal SIGKILL"},
        {**row, "labels": None, "seed": 0, "figure": 0.7, "seconds": 120.0},
        {**row, "labels": None, "seed": 0, "figure": 0.5, "problem": "paper:segmentation"},
    ]
    over_labels, over_seconds = curves.draw(rows, 30.0).axes  # paper has no curve
    (line,) = over_labels.get_lines()
    assert line.get_ydata() == pytest.approx([0.3, 0.6])
    assert [text.get_text() for text in over_labels.get_xticklabels()] == ["10", "all"]
    (line,) = over_seconds.get_lines()
    assert line.get_ydata() == pytest.approx([0.6, 0.7])
    assert len(over_labels.collections[0].get_offsets()) == 3  # a dot for each seed


def test_a_set_without_rows_for_the_labels_says_so(compare):
    import curves

    row = {"problem": "tiles:segmentation", "method": "ours:fast:shipped", "labels": None}
    rows = [{**row, "seconds": seconds, "figure": 0.4} for seconds in (60.0, 120.0)]
    over_labels, over_seconds = curves.draw(rows, 30.0).axes
    assert not over_labels.get_lines() and over_seconds.get_lines()
    assert [text.get_text() for text in over_labels.texts] == ["not measured"]


def test_imagenet_weights_come_with_their_padding(common, shared):
    network = torchvision.models.mobilenet_v2()
    common.load_mobilenet(network)
    padded = [module for module in network.modules() if isinstance(module, common.PaddedConv)]
    assert len(padded) == 5
    image = torch.zeros(1, 3, 64, 64)
    image[..., 0, 0] = 1  # padding at both sides would show it in the middle of a filter
    first = padded[0].convolution.weight
    assert torch.equal(padded[0](image)[0, :, 0, 0], first[:, :, 0, 0].sum(1))
    wanted = torch.load(common.MOBILENET, weights_only=True)
    assert torch.equal(first, wanted["features.0.0.weight"])


def test_batch_norm_is_held_while_all_else_learns(common):
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Dropout()).train()
    common.hold_batch_norm(network)
    assert not network[0].training and network[1].training


@pytest.mark.parametrize("script", ["classify", "detect"])
def test_peers_take_the_reference_recipe_from_random_weights(common, script):
    peer = importlib.import_module(script)
    try:
        network = torch.nn.Linear(2, 2)
        assert isinstance(peer.build_optimizer(network, "random"), torch.optim.SGD)
        assert isinstance(peer.build_optimizer(network, "imagenet"), torch.optim.AdamW)
    finally:
        sys.modules.pop(script, None)
