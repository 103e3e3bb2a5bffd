"""Measure what a notebook pays before any work is done: seconds to import, megabytes to hold.

    python benchmarks/import_time.py            import time, and a kernel that labels and browses
    python benchmarks/import_time.py FOLDER     also predicts, with the run or exported model there

Each figure comes from fresh processes. Memory is the resident set of the whole process (RSS).
"""

import argparse
import statistics
import subprocess
import sys
import tempfile

IMPORT = """
import time
start = time.perf_counter()
import workbench
print(time.perf_counter() - start)
"""

# What a notebook's kernel holds anyway, then what a person does: 50 photos, labeled and looked at.
BROWSE = """
import sys
import ipykernel.ipkernel, ipywidgets
import psutil
import workbench as wb

def tell(what):
    print(f"{psutil.Process().memory_info().rss / 1e6:6.0f} MB  {what}", flush=True)

tell("kernel with the workbench imported")
folder, model = sys.argv[1:]
project = wb.samples.create("tiles", folder, count=50)
for image in project.images:
    image.label = wb.MaskLabel(image.label.mask)
    image.read()
tell("after it drew, labeled and read 50 photos")
if model:
    model = wb.load_model(model)
    for image in project.images:
        model.predict(image)
    tell("after it predicted 50 photos")
assert "torch" not in sys.modules
"""


def measure_import(times: int) -> list[float]:
    """Return the seconds that `import workbench` took, in that many fresh processes."""
    command = [sys.executable, "-c", IMPORT]
    done = [subprocess.run(command, capture_output=True, check=True) for _ in range(times)]
    return [float(each.stdout) for each in done]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "model", nargs="?", default="", help="a folder with model.onnx and model.json"
    )
    parser.add_argument("--times", type=int, default=9, help="how many processes import it")
    arguments = parser.parse_args()
    seconds = measure_import(arguments.times)
    print(f"{statistics.median(seconds):6.3f} s   import workbench, median of {len(seconds)}")
    print(f"{max(seconds):6.3f} s   import workbench, slowest")
    if not arguments.model:
        print("no model named: prediction is left out")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", BROWSE, folder, arguments.model], check=True)


if __name__ == "__main__":
    main()
