"""A real JupyterLab on loopback, and what a test needs to drive and to read it."""

import ast
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import Locator, Page

TOKEN = "test"
START_SECONDS = 90
SURFACE = ".workbench-surface"


def find_port() -> int:
    """Return a port that is free on loopback."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


class Lab:
    """A JupyterLab server with settings, runtime and workspaces of its own, below one folder."""

    def __init__(
        self,
        folder: Path,
        subshells: str = "perCommTarget",
        environment: dict[str, str] | None = None,
    ) -> None:
        self.root, self.state, self.port = folder / "notebooks", folder / "state", find_port()
        self.root.mkdir(parents=True)
        settings = self.state / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        write_settings(settings / "kernels-settings", {"commsOverSubshells": subshells})
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        write_settings(settings / "notification", quiet)
        self.log = (self.state / "log.txt").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *self._options()],
            env={**os.environ, **self._folders(), **(environment or {})},
            stdout=self.log,
            stderr=self.log,
        )
        self._wait()

    def _options(self) -> list[str]:
        """Return the server's command line."""
        return [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
        ]

    def _folders(self) -> dict[str, str]:
        """Return the environment that keeps the server's files below its own folder."""
        names = {
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        return {name: str(self.state / folder) for name, folder in names.items()}

    def _wait(self) -> None:
        """Wait until the server answers."""
        end = time.monotonic() + START_SECONDS
        url = f"http://127.0.0.1:{self.port}/api/status?token={TOKEN}"
        while True:
            try:
                urllib.request.urlopen(url, timeout=2).close()
                return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    said = (self.state / "log.txt").read_text()[-2000:]
                    raise RuntimeError(f"JupyterLab did not come up:\n{said}") from error
                time.sleep(0.1)

    def write_notebook(self, name: str, cells: list[str]) -> str:
        """Write a notebook of code cells and return its name."""
        written = [
            {"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [], "source": source}
            | {"execution_count": None}
            for i, source in enumerate(cells)
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}}
        (self.root / name).write_text(json.dumps({**notebook, "cells": written}))
        return name

    def stop(self) -> None:
        """Stop the server and its kernels."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def write_settings(path: Path, values: dict[str, Any]) -> None:
    """Write a settings file of JupyterLab."""
    path.with_name(f"{path.name}.jupyterlab-settings").write_text(json.dumps(values))


class DelayProxy:
    """A loopback proxy that holds everything back by `delay` seconds each way, in order.

    While `is_cut` is set no connection comes through, and those that were there are gone.
    """

    def __init__(self, target: int) -> None:
        self.target, self.port, self.delay, self.is_cut = target, find_port(), 0.0, False
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait(10)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self._ready.set()
        await server.serve_forever()

    async def _connect(self, reader: Any, writer: Any) -> None:
        if self.is_cut:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._pipe(reader, far_writer), self._pipe(far_reader, writer))

    async def _pipe(self, reader: Any, writer: Any) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        pump = asyncio.create_task(_pump(queue, writer))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await self._read(reader):
                queue.put_nowait((loop.time() + self.delay, data))
        queue.put_nowait((0, b""))
        await pump

    async def _read(self, reader: Any) -> bytes:
        """Return what comes next; b"" at its end, or when the network is cut."""
        coming = asyncio.ensure_future(reader.read(1 << 16))
        while not coming.done():
            if self.is_cut:
                coming.cancel()
                return b""
            await asyncio.wait([coming], timeout=0.05)
        return bytes(coming.result())


async def _pump(queue: "asyncio.Queue[tuple[float, bytes]]", writer: Any) -> None:
    """Write what has waited long enough."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while True:
            due, data = await queue.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
    writer.close()


class Kernel:
    """A second client of the notebook's kernel, which reads without going through the page."""

    def __init__(self, lab: Lab) -> None:
        files = (lab.state / "runtime").glob("kernel-*.json")
        newest = max(files, key=lambda path: path.stat().st_mtime)
        self.client = BlockingKernelClient(connection_file=str(newest))
        self.client.load_connection_file()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=30)

    def read(self, expression: str, timeout: float = 30) -> Any:
        """Return the value of an expression whose repr is a literal."""
        reply = self.client.execute_interactive(
            "",
            user_expressions={"value": expression},
            timeout=timeout,
            store_history=False,
            output_hook=lambda message: None,
        )
        value = reply["content"]["user_expressions"]["value"]
        assert value["status"] == "ok", value
        return ast.literal_eval(value["data"]["text/plain"])

    def close(self) -> None:
        """Close the client's channels."""
        self.client.stop_channels()


def open_notebook(page: Page, port: int, name: str, run: bool = True) -> None:
    """Open a notebook in JupyterLab, wait for its kernel, and run all cells."""
    page.goto(f"http://127.0.0.1:{port}/lab/tree/{name}?reset&token={TOKEN}")
    wait_for_kernel(page)
    if run:
        run_all(page)


def wait_for_kernel(page: Page) -> None:
    """Wait until the notebook is there and its kernel idle."""
    ready = "window.jupyterapp?.shell?.currentWidget?.context?.isReady"
    page.wait_for_function(f"() => {ready}", timeout=120_000)
    session = "jupyterapp.shell.currentWidget.sessionContext?.session"
    page.wait_for_function(f"() => {session}?.kernel?.status === 'idle'", timeout=120_000)


def run_all(page: Page) -> None:
    """Run all cells, and wait for their end."""
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")


def run_in_kernel(page: Page, code: str) -> None:
    """Have the page's kernel run code, without waiting for its end."""
    page.evaluate(
        """(code) => {
          const { session } = jupyterapp.shell.currentWidget.sessionContext;
          session.kernel.requestExecute({ code });
        }""",
        code,
    )


def restart_kernel(page: Page) -> None:
    """Restart the kernel without a question, and wait until it is idle."""
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    wait_for_kernel(page)


def find_surface(page: Page, number: int = 0) -> Locator:
    """Return a drawing surface in sight, with its image on it."""
    surface = page.locator(SURFACE).nth(number)
    surface.wait_for(state="visible")
    surface.scroll_into_view_if_needed()
    page.wait_for_function(
        "([css, i]) => document.querySelectorAll(css)[i].dataset.state !== 'loading'",
        arg=[SURFACE, number],
    )
    return surface


def drag(page: Page, surface: Locator, points: list[tuple[float, float]]) -> None:
    """Drag the mouse along points in pixels of the image."""
    places = [locate(surface, x, y) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def locate(surface: Locator, x: float, y: float) -> tuple[float, float]:
    """Return where an image point lies in the page, as API.md says."""
    box = surface.bounding_box()
    assert box is not None
    scale, left, top = (
        float(surface.get_attribute(f"data-{name}") or 0) for name in ("scale", "left", "top")
    )
    return box["x"] + left + x * scale, box["y"] + top + y * scale


def wait_until_saved(page: Page, number: int = 0) -> None:
    """Wait until nothing waits for the disk."""
    page.wait_for_function(
        "([css, i]) => document.querySelectorAll(css)[i].dataset.waiting === '0'",
        arg=[SURFACE, number],
        timeout=60_000,
    )


READ_MASK = """([css, i, width, height]) => {
  const surface = document.querySelectorAll(css)[i];
  const canvas = surface.querySelector(".workbench-surface-mask");
  const { scale, left, top } = surface.dataset;
  const ratio = canvas.width / parseFloat(canvas.style.width);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let text = "";
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const cx = Math.floor((Number(left) + (x + 0.5) * Number(scale)) * ratio);
      const cy = Math.floor((Number(top) + (y + 0.5) * Number(scale)) * ratio);
      text += data[4 * (cy * canvas.width + cx) + 3] > 127 ? "1" : "0";
    }
  }
  return text;
}"""


def read_shown_mask(page: Page, width: int, height: int, number: int = 0) -> str:
    """Return which pixels of the image are painted on the screen: "0" and "1", row by row."""
    return str(page.evaluate(READ_MASK, [SURFACE, number, width, height]))
