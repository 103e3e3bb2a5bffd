"""Finding a Chromium for the browser tests; installing Debian's where that is allowed."""

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
INSTALL_SECONDS = 600


def find_chromium() -> str | None:
    """Return the browser that WORKBENCH_CHROMIUM names, or the first one on the PATH."""
    named = os.environ.get("WORKBENCH_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def install_chromium() -> str:
    """Install Debian's package where this user may; return what was said where it failed."""
    if not (shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0):
        return "there is no Chromium on the PATH, and only root can install one with apt-get"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    said = ""
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        try:
            done = subprocess.run(
                ["apt-get", "--quiet", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "apt-get did not end in time"
        said = (done.stdout + done.stderr)[-600:]
    return said
