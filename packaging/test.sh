#!/bin/sh
# Sets up all that the tests need on a fresh Debian machine, and runs every check:
#   sh packaging/test.sh            everything
#   sh packaging/test.sh tests/...  only these tests, after the build
set -eu
cd "$(dirname "$0")/.."
root=$PWD
build=$root/build
venv=$build/venv

say() { printf '\n==> %s\n' "$*"; }

install_packages() {
    missing=""
    want() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/games/$1" ] || missing="$missing $2"; }
    want chromium chromium
    want minetestserver minetest-server
    want teeworlds-server teeworlds-server
    want murmurd mumble-server
    want javac default-jdk-headless
    want git git
    want bwrap bubblewrap
    want node nodejs
    want npm npm
    want ip iproute2
    want setpriv util-linux
    want ps procps
    want wrk wrk
    want linux.uml user-mode-linux
    want dockerd docker.io
    want iptables iptables
    want busybox busybox-static
    want podman podman
    want runc runc
    want catatonit catatonit
    [ -x /usr/lib/podman/netavark ] || missing="$missing netavark"
    [ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || missing="$missing postgresql"
    python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "These Debian packages are missing, tests that need them are skipped:$missing" >&2
        return 0
    fi
    say "Installing$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$build/apt.log" 2>&1 ||
        { tail -20 "$build/apt.log" >&2; exit 1; }
}

mkdir -p "$build"
install_packages

say "Building the wheel"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
rm -rf "$build/dist" "$build/types"
"$venv/bin/python" -m pip install -q --upgrade pip
"$venv/bin/python" -m pip wheel -q --no-deps --wheel-dir "$build/dist" .
wheel=$(ls "$build"/dist/*.whl)
"$venv/bin/python" -m pip install -q --force-reinstall --no-deps "$wheel"
"$venv/bin/python" -m pip install -q "$wheel[test]"
export STELLAR_TEST_WHEEL="$wheel"

if [ $# -eq 0 ]; then
    say "Lint"
    "$venv/bin/ruff" check .
    "$venv/bin/ruff" format --check .

    say "Types"
    "$venv/bin/python" -m zipfile -e "$wheel" "$build/types"
    (cd "$build/types" && "$venv/bin/mypy" --strict --config-file "$root/pyproject.toml" --cache-dir "$build/mypy" -p stellar)
    "$venv/bin/python" packaging/assets.py --check

    say "Import contracts"
    (cd "$build/types" && "$venv/bin/lint-imports" --config "$root/pyproject.toml" --no-cache)
fi

say "Tests"
if [ $# -gt 0 ]; then
    exec "$venv/bin/pytest" "$@"
fi
# Of thousands of tests that start real servers side by side, one may lose a race against the others. Up to three are
# tried once more, and the report shows what they said first.
pytest() { "$venv/bin/pytest" -q -n 2 --dist loadfile --reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks "$@"; }
pytest -m "not e2e"
pytest -m e2e
