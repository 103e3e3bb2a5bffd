#!/bin/sh
# Make .venv and install the project into it, editable, unless that is done already.
#
#   sh tools/set_up.sh lab      what the notebooks need
#   sh tools/set_up.sh test     and the extra "test" of pyproject.toml
#
# Reads PYTHON (python3), TORCH_INDEX (one more package index, for the CPU build of torch) and
# NEED_MB (the free disk space to insist on). POSIX sh, so that it can say what is wrong with Python.
set -eu
cd "$(dirname "$0")/.."
what=${1:?lab or test}
python=${PYTHON:-python3}
minimum=$(sed -n 's/^requires-python = ">=\([0-9.]*\)"$/\1/p' pyproject.toml)
log=.venv/set-up.log
mark=.venv/installing # holds the process id while pip works; left over, it tells of a killed install

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

# What an install depends on. The place counts because .venv holds absolute paths.
fingerprint() {
    pwd
    cksum pyproject.toml constraints.txt
}

is_ready() {
    [ ! -e "$mark" ] && [ "$(cat ".venv/ready-$what" 2>/dev/null)" = "$(fingerprint)" ] &&
        .venv/bin/python -c '' 2>/dev/null
}

# Print major.minor of a Python, or nothing. Works from Python 2 on.
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null |
        sed -n 's/^[^0-9]*\([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | tail -n 1
}

is_recent() { # version
    [ -n "$1" ] && [ "${1%%.*}" -ge "${minimum%%.*}" ] || return 1
    [ "${1%%.*}" -gt "${minimum%%.*}" ] || [ "${1#*.}" -ge "${minimum#*.}" ]
}

# Print the name of a Python on the PATH that is recent enough, or nothing.
other_python() {
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        if command -v "$name" >/dev/null 2>&1 && "$name" -c '' >/dev/null 2>&1 &&
            is_recent "$(version_of "$name")"; then
            echo "$name"
            return
        fi
    done
}

check_python() {
    version=
    if command -v "$python" >/dev/null 2>&1; then
        where=$(command -v "$python")
        [ "$where" = "$python" ] || where="$python ($where)"
        found="$where does not run"
        version=$(version_of "$python")
        [ -z "$version" ] || found="$where is Python $version"
    else
        found="there is no $python here"
    fi
    if ! is_recent "$version"; then
        other=$(other_python)
        fail "Python $minimum or newer is needed, but $found.
${other:+This machine has $other. }Name the Python to use, such as:  PYTHON=${other:-python3.12} make $what"
    fi
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || fail \
        "$python (Python $version) has no venv module, so .venv cannot be made.
On Debian or Ubuntu install it with:  apt-get install python$version-venv
Elsewhere install a complete Python and name it:  PYTHON=/path/to/python3 make $what"
}

# Megabytes that the install takes at its highest, downloads included.
needed_space() {
    if ls .venv/ready-* >/dev/null 2>&1; then
        echo 500 # a finished install is only being changed
    elif [ "$(uname -s)" = Linux ] && [ -z "${TORCH_INDEX:-}" ]; then
        echo 10000
    else
        echo 4000
    fi
}

check_space() {
    need=${NEED_MB:-$(needed_space)}
    free=$(df -Pk . 2>/dev/null | awk 'END { printf "%d", $4 / 1024 }')
    [ "$free" -ge "$need" ] || fail \
        "Not enough disk space: the install needs about $need MB, and $free MB are free in $(pwd).
Free some, or clone the project to a larger disk.${cpu_hint} (NEED_MB=$free make $what tries anyway.)"
}

check_alone() {
    if [ -e "$mark" ] && other=$(cat "$mark") && kill -0 "$other" 2>/dev/null; then
        fail "Another make installs into $(pwd)/.venv right now (process $other).
Wait until it has ended, then repeat:  make $what    (If there is none:  make clean)"
    fi
}

make_venv() {
    if [ ! -e "$mark" ] && .venv/bin/python -m pip --version >/dev/null 2>&1 &&
        is_recent "$(version_of .venv/bin/python)"; then
        return
    fi
    echo "Making .venv with $python (Python $version)"
    "$python" -m venv --clear .venv || fail \
        "$python could not make the folder $(pwd)/.venv: the reason stands above.
Check that this folder can be written to and that its disk has space, then repeat:  make $what"
}

# Say how far the install is, every 15 seconds, until the process is gone.
watch_install() { # process id
    seconds=0
    while kill -0 "$1" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        [ $((seconds % 15)) -ne 0 ] || echo "  $seconds s: $(du -sm .venv 2>/dev/null | cut -f 1) MB"
    done
}

explain_pip_failure() {
    tail -n 8 "$log" >&2
    if grep -q -i 'no space left' "$log"; then
        fail "The disk is full: free some space, then repeat:  make $what"
    elif grep -q -i -E 'connection|timed out|name resolution|unreachable|no matching distribution' "$log"; then
        fail "pip could not fetch the packages. Is there a network, and a package index that pip may use?
All of its output: $(pwd)/$log. Then repeat:  make $what"
    fi
    fail "pip failed; all of its output: $(pwd)/$log. Then repeat:  make $what"
}

# pip's output goes to a file: it is long, and it may hold addresses that are not JupyterLab's.
install() {
    extra=
    [ "$what" = lab ] || extra="[$what]"
    echo $$ >"$mark"
    mkdir -p .venv/tmp # pip's downloads stay on the disk whose space was checked
    set -- install --constraint constraints.txt --editable ".$extra"
    [ -z "${TORCH_INDEX:-}" ] || set -- "$@" --extra-index-url "$TORCH_INDEX"
    TMPDIR=$(pwd)/.venv/tmp PIP_USER=0 .venv/bin/python -m pip "$@" >"$log" 2>&1 &
    pip=$!
    trap 'kill $pip 2>/dev/null; fail "Stopped. To go on:  make $what"' INT TERM HUP
    watch_install $pip
    status=0
    wait $pip || status=$?
    trap - INT TERM HUP
    rm -rf .venv/tmp "$mark"
    [ $status -eq 0 ] || explain_pip_failure
}

if is_ready; then exit 0; fi
cpu_hint=
if [ "$(uname -s)" = Linux ] && [ -z "${TORCH_INDEX:-}" ]; then
    cpu_hint=" The CPU build of torch takes far less: see README.md, \"Without CUDA\"."
fi
check_alone
check_python
check_space
make_venv
if ls .venv/ready-* >/dev/null 2>&1; then
    echo "Bringing .venv up to date."
else
    echo "Installing what pyproject.toml names into .venv, once; this takes some minutes.${cpu_hint}"
fi
install
fingerprint >.venv/ready-lab
[ "$what" = lab ] || fingerprint >".venv/ready-$what"
echo "Installed."
