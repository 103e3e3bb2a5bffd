"""The house itself: who may load whom, what the package shows, and what its documents say."""

import ast
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

import workbench
import workbench.errors

PACKAGE = Path(workbench.__file__).parent

# A part is a file or folder of workbench/. It may import the parts in the lines above its own.
FLOORS = [
    {"errors"},
    {"limits", "progress", "settings"},
    {"tasks", "photos"},
    {"store", "formats", "model_card", "charts"},
    {"plots"},
    {"model", "near_duplicates", "report", "engine", "transfer"},
    {"batch", "review", "training", "predicting"},
    {"reviewing"},
    {"augmented", "image_set", "plan", "runs"},
    {"comparison", "run_set", "type_comparison"},
    {"project"},
    {"project_list", "samples"},
    {"widgets"},
    {"__main__", "__init__"},
]

# Outside packages that only these parts may import, anywhere in their files.
ONLY_IN = {
    "torch": {"engine"},
    "torchvision": {"engine"},
    "onnx": {"engine"},
    "onnxscript": {"engine"},
    "safetensors": {"engine"},
    "onnxruntime": {"model"},
    "sqlalchemy": {"store"},
    "matplotlib": {"charts", "plots", "report"},
    "pandas": {"comparison", "report"},
    "ipywidgets": {"widgets"},
    "ipycanvas": {"widgets"},
    "anywidget": {"widgets"},
    "cv2": {"tasks"},
    "pickle": set(),
    "marshal": set(),
    "shelve": set(),
    "joblib": set(),
}

# Neither `import workbench` nor the use of a public name loads these, unless the name is a widget:
# a call that needs one does.
HEAVY = {
    "IPython",
    "cv2",
    "ipywidgets",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "pandas",
    "pycocotools",
    "scipy",
    "sklearn",
    "torch",
    "torchvision",
}

# Names of API.md that another issue brings. A name that has come leaves this list.
STILL_TO_COME: set[str] = set()


def part_of(path: Path) -> str:
    """Return the part of the package that a file belongs to: "errors", "store", "engine"."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, in functions too; not those for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    package = ["workbench", *path.relative_to(PACKAGE).parent.parts]
    guards = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    typing = [node for node in guards if "TYPE_CHECKING" in ast.unparse(node.test)]
    skipped = {inner for guard in typing for node in guard.body for inner in ast.walk(node)}
    for node in set(ast.walk(tree)) - skipped:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_the_floors(path: Path) -> None:
    part = part_of(path)
    level = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    assert part in level, f"{part} has no floor yet: give it one in FLOORS."
    inside = {name.split(".")[1] for name in imports_of(path) if name.startswith("workbench.")}
    upward = {name for name in inside - {part} if level.get(name, -1) >= level[part]}
    assert not upward, f"{path.name} imports {upward}, which stand on its own floor or above."


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_outside_packages_stay_in_their_parts(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports_of(path)}
    wrong = {name for name in outside & set(ONLY_IN) if part_of(path) not in ONLY_IN[name]}
    assert not wrong, f"{path.name} imports {wrong}."


def test_no_array_file_is_read_with_pickle() -> None:
    assert [path.name for path in FILES if "allow_pickle=True" in path.read_text("utf-8")] == []


def run_python(code: str, folder: Path, without: tuple[str, ...] = ()) -> str:
    """Run code in a fresh process (and those it starts) where some packages cannot be imported."""
    hidden = folder / "hidden"
    hidden.mkdir()
    for name in without:
        (hidden / f"{name}.py").write_text(f"raise ImportError('{name} is hidden by a test')")
    environment = {**os.environ, "PYTHONPATH": str(hidden)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


USE_EVERY_NAME = """
import sys
import workbench
WIDGETS = {"Gallery", "Labeler", "ProjectPicker", "ReportPanel", "TrainingPanel", "Workbench"}
for name in set(workbench.__all__) - WIDGETS:
    getattr(workbench, name)
print(*sys.modules, sep="\\n")
"""


def test_import_and_every_name_stay_light(tmp_path: Path) -> None:
    assert set(run_python(USE_EVERY_NAME, tmp_path).split()) & HEAVY == set()


LABEL_EACH_TASK = """
import numpy as np
import workbench as wb

mask = np.zeros((48, 64), np.uint8)
mask[10:20, 5:9] = 1
labels = {
    "classification": wb.ClassLabel("a"),
    "detection": wb.BoxLabel([wb.Box("b", x0=1, y0=2, x1=30, y1=40)]),
    "segmentation": wb.MaskLabel(mask),
    "anomaly": wb.AnomalyLabel("abnormal", mask=mask > 0),
}
for task, label in labels.items():
    classes = {} if task == "anomaly" else {"classes": ["a", "b"]}
    project = wb.Project.create(task, task=task, **classes)
    project.add_images({"one.png": np.full((48, 64, 3), 90, np.uint8)})
    project.images[0].label = label
    assert wb.Project.open(task).images["one.png"].label == label, task
print("labeled", len(labels))
"""


def test_labeling_needs_neither_torch_nor_widgets(tmp_path: Path) -> None:
    without = ("torch", "torchvision", "ipywidgets", "ipycanvas", "anywidget")
    assert run_python(LABEL_EACH_TASK, tmp_path, without).strip() == "labeled 4"


TRAIN_EACH_TASK = """
import workbench as wb

for sample in ("bolts", "parts", "tiles", "fabric"):
    project = wb.samples.create(sample, "projects")
    run = project.train(preset="fast", seed=0, time_limit=8)
    assert run.status == "finished", (sample, run.status, run.error)
    run.model().predict(project.images[0])
print("trained 4")
"""


@pytest.mark.slow
def test_training_needs_no_widgets(tmp_path: Path) -> None:
    printed = run_python(TRAIN_EACH_TASK, tmp_path, ("ipywidgets", "ipycanvas", "anywidget"))
    assert printed.strip().endswith("trained 4")


def test_what_the_contract_names_is_public(shared: Path) -> None:
    contract = (shared / "API.md").read_text(encoding="utf-8")
    errors = contract.partition("## Errors")[2].partition("##")[0]
    named = set(re.findall(r"\bwb\.([A-Z]\w+|list_projects|load_model)", contract))
    named |= set(re.findall(r"`([A-Z][A-Za-z]+)`", errors)) - {"ValueError", "FileNotFoundError"}
    assert len(named) > 20
    assert named - STILL_TO_COME - set(workbench.__all__) == set()


def test_what_is_still_to_come_has_not_come() -> None:
    assert set(workbench.__all__) & STILL_TO_COME == set()


@pytest.mark.parametrize("name", workbench.__all__)
def test_public_names_are_there_and_documented(name: str) -> None:
    value = getattr(workbench, name)
    assert inspect.getdoc(value) or isinstance(value, str)
    if inspect.isclass(value):
        members = {key: item for key, item in vars(value).items() if not key.startswith("_")}
        shown = (property, staticmethod, classmethod)
        undocumented = [
            key
            for key, item in members.items()
            if (inspect.isfunction(item) or isinstance(item, shown)) and not inspect.getdoc(item)
        ]
        assert undocumented == []


@pytest.mark.parametrize("name", workbench.__all__)
def test_public_names_stand_in_the_readme(name: str, repository: Path) -> None:
    assert re.search(rf"\b{name}\b", (repository / "README.md").read_text(encoding="utf-8"))


def test_every_error_is_public() -> None:
    errors = {name for name, value in vars(workbench.errors).items() if inspect.isclass(value)}
    assert errors - set(workbench.__all__) == set()


def test_all_is_sorted_and_without_doubles() -> None:
    assert list(workbench.__all__) == sorted(set(workbench.__all__))


def load_module(path: Path) -> ModuleType:
    """Import one file that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up here
    spec.loader.exec_module(module)
    return module


def test_sizes_stay_within_the_budgets(shared: Path) -> None:
    measure = load_module(shared / "tools" / "measure_style.py")
    modules = measure.read_folder(PACKAGE)
    figures = measure.figures_of(modules)
    functions = [function for module in modules for function in module.functions]
    assert figures["import cycles"] == 0
    assert figures["public names documented"] == "100%"
    assert figures["lines/file median"] <= 150
    assert figures["code/function median"] <= 9
    assert figures["code/function p90"] <= 25
    assert [f"{f.name} in {f.where}" for f in functions if f.code > 60] == []
    assert [f"{m.path}: {m.lines} lines" for m in modules if m.lines > 400] == []


def write_photos(folder: Path) -> None:
    """Write what the README calls your own photos: bolts and washers, in a folder each."""
    for number, sample in enumerate(workbench.samples.SAMPLES["bolts"].draw_samples(0, 12)):
        path = folder / sample.label.class_name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sample.image).save(path)


@pytest.mark.slow
def test_readme_runs(repository: Path, tmp_path: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```", readme, flags=re.DOTALL | re.MULTILINE)
    assert len(snippets) >= 4
    write_photos(tmp_path / "photos")
    hasty, count = re.subn(r"time_limit=\d+", "time_limit=8", "\n".join(snippets))
    assert count == 4  # what runs reach is tested elsewhere
    run_python(hasty, tmp_path)
