#!/bin/sh
# `mailpod test`: the linters, then every test. --fast: only what needs no engine. The rest goes to pytest.
set -eu

cd "$(dirname -- "$(readlink -f -- "$0")")/.."
bin=$(dirname -- "$1")
shift
fast=
if [ "${1-}" = --fast ]; then
    fast=1
    shift
fi

step() {
    printf '== %s\n' "$1" >&2
    shift
    "$@"
}

# Files whose first line names a shell.
shell_scripts() {
    find . \( -name .git -o -name '.venv*' \) -prune -o -type f \
        -exec awk 'FNR == 1 && /^#! *\/(usr\/)?bin\/(env )?(ba|da)?sh/ { print FILENAME } { nextfile }' {} +
}

dockerfiles() {
    find . \( -name .git -o -name '.venv*' \) -prune -o -type f -name 'Dockerfile*' -print
}

# Its console script would name the environment's place at the time it was made. It tells a lot when all is well.
lint_imports() {
    said=$("$bin/python" -c 'from importlinter.cli import lint_imports_command as run; run()') ||
        { printf '%s\n' "$said" >&2; return 1; }
}
# SC1091: what a script in an image reads is in the image.
lint_shell() { shell_scripts | xargs -r -d '\n' shellcheck --exclude SC1091; }
# DL3008: a Debian version that is pinned today is gone from the archive after its next security update.
lint_images() { dockerfiles | xargs -r -d '\n' "$bin/hadolint" --ignore DL3008; }

# Here and below: python -m mailpod.host installs what is missing.
PYTHONPATH=$PWD/src
export PYTHONPATH
# Else every process compiles anew what it imports, also where whoever calls it wants no files left.
unset PYTHONDONTWRITEBYTECODE

checks() {
    step "ruff check" "$bin/python" -m ruff check --quiet .
    step "ruff format" "$bin/python" -m ruff format --quiet --check .
    step "import linter" lint_imports
    step "shellcheck" lint_shell
    step "hadolint" lint_images
    step "mypy" "$bin/python" -m mypy --no-error-summary
}

# A new folder in memory, where there is such a place and programs in it may be run.
in_memory() {
    folder=$(mktemp -d -p /dev/shm 2>/dev/null) || return 1
    printf '#!/bin/sh\n' >"$folder/program"
    chmod +x "$folder/program"
    "$folder/program" 2>/dev/null || { rm -rf "$folder"; return 1; }
    printf '%s\n' "$folder"
}

step "programs" "$bin/python" -m mailpod.host --no-engine shellcheck
if [ -n "$fast" ]; then
    # Side by side; what the linters say comes last. The tests' many small files need no disk.
    room=$(in_memory || mktemp -d)
    trap 'rm -rf "$room"' EXIT
    checks >"$room/report" 2>&1 &
    failed=0
    step "pytest" "$bin/python" -m pytest --numprocesses 2 --dist worksteal --basetemp "$room/tests" \
        -m "not engine" --ignore=tests/e2e "$@" || failed=$?
    wait $! || failed=$?
    cat "$room/report" >&2
    exit "$failed"
fi
checks
step "engine and programs" "$bin/python" -m mailpod.host chromium swaks mbsync curl sshd
# Two systems side by side, one of each stack, and what needs neither beside the shorter one (tests/conftest.py).
step "pytest" exec "$bin/python" -m pytest --numprocesses 2 --dist loadscope "$@"
