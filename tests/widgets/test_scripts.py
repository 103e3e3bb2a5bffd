"""Joining ES modules into the one text that a widget needs."""

import re
from pathlib import Path

import pytest

from workbench.widgets.labelers.labeler import Labeler
from workbench.widgets.scripts import join_scripts


def test_imports_and_exports_between_the_parts_go(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(
        "export const one = 1;\nexport function two() {\n  return 2;\n}\n"
    )
    (tmp_path / "b.js").write_text(
        'import { one } from "./a.js";\nimport {\n  two,\n} from "./a.js";\n'
        "const text = `export const`;\nexport default { sum: () => one + two() };\n"
    )
    joined = join_scripts(tmp_path / "a.js", tmp_path / "b.js")
    assert "import" not in joined and "export default" in joined
    assert joined.count("export") == 2  # the default, and the words in a string


def test_two_parts_with_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.js").write_text("const taken = 1;\n")
    with pytest.raises(ValueError, match="taken"):
        join_scripts(tmp_path / "a.js", tmp_path / "b.js")


def test_the_labeler_is_one_script_that_writes_no_markup() -> None:
    script = str(Labeler._esm)
    assert not re.search(r"^import ", script, re.MULTILINE)
    assert script.count("export default") == 1
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)
