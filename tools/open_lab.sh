#!/bin/sh
# Start JupyterLab from .venv on the first notebook, for this machine alone (loopback), and print its URL.
#
# It asks nobody for news, updates or extensions: JupyterLab would, at every start.
set -eu
cd "$(dirname "$0")/.."
settings=.venv/share/jupyter/lab/settings
mkdir -p "$settings"
cat >"$settings/overrides.json" <<'END'
{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
END
set -- --ServerApp.ip=127.0.0.1 \
    --ServerApp.root_dir="$(pwd)" \
    --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
    --LabApp.news_url=None \
    --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
    --LabApp.extension_manager=readonly \
    --LanguageServerManager.autodetect=False
[ "$(id -u)" -ne 0 ] || set -- "$@" --allow-root
if [ "$(uname -s)" != Darwin ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    set -- "$@" --no-browser
fi
exec .venv/bin/python -m jupyterlab "$@"
