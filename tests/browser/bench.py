"""A notebook that shows the labeler of a small project, for the tests of this folder."""

from lab import Kernel, Lab, open_notebook, restart_kernel
from playwright.sync_api import Page

SIZE = (64, 96)  # height, width
ODD_NAME = "<img src=x onerror=\"document.title='owned'\"> '\" 🙂 שלום.png"

SETUP = """
import pathlib
import numpy as np
import workbench as wb

folder = pathlib.Path({folder!r})
if not folder.exists():
    classes = {{}} if {task!r} == "anomaly" else dict(classes=["crack", "chip <b>"])
    made = wb.Project.create(folder, task={task!r}, **classes)
    made.add_images({{"first.png": np.full((64, 96, 3), 90, np.uint8)}})
    made.add_images({{{odd!r}: np.full((64, 96, 3), 120, np.uint8)}})
    made.add_images({{"third.png": np.full((64, 96, 3), 150, np.uint8)}})
project = wb.Project.open(folder)
"""
SHOWN = "labeler = wb.Labeler(project)\nlabeler"
MASK = "''.join(map(str, (project.images[0].label.mask > 0).astype(int).ravel()))"


class Bench:
    """A notebook that shows the labeler of a small project, and its kernel."""

    def __init__(
        self,
        page: Page,
        lab: Lab,
        task: str,
        cells: tuple[str, ...] = (SHOWN,),
        port: int | None = None,
    ) -> None:
        self.page, self.lab = page, lab
        number = len(list(lab.root.iterdir()))
        code = SETUP.format(folder=f"project{number}", task=task, odd=ODD_NAME)
        notebook = lab.write_notebook(f"test{number}.ipynb", [code, *cells])
        open_notebook(page, lab.port if port is None else port, notebook)
        self.kernel = Kernel(lab)

    def restart(self) -> None:
        """Restart the kernel; the second client follows."""
        self.kernel.close()
        restart_kernel(self.page)
        self.kernel = Kernel(self.lab)


def read_boxes(bench: Bench) -> list[tuple[object, ...]]:
    """Return class and sides of the boxes on disk."""
    boxes = "(project.images[0].label or wb.BoxLabel()).boxes"
    found = bench.kernel.read(f"[(b.class_name, *b.xyxy) for b in {boxes}]")
    return list(found)
