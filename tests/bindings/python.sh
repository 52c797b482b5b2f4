#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Tests the Python binding as a user gets it: builds the wheel, installs it into a fresh environment without a network,
# runs a program there, away from the source tree, then the tests of the binding and the type checker.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
binding=$root/bindings/python
OUT=${OUT:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
# Of those on the way, the one that packages of the system install for.
python=${PYTHON:-/usr/bin/python3}
[ -n "${PYTHON:-}" ] || [ -x "$python" ] || python=python3
unset STEPBUS_LIBRARY PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PYTHONDONTWRITEBYTECODE=1
passed=0
failed=0

# check NAME COMMAND...: one test, whose output is shown where it fails.
check() {
	name=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		printf '%-28s passed\n' "$name"
		passed=$((passed + 1))
	else
		printf '%-28s FAILED\n' "$name"
		sed 's/^/    /' "$work/log"
		failed=$((failed + 1))
	fi
}

count_of() {
	sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p" "$work/summary"
}

# The tests, with what the interpreter of the system offers (pytest) but with the package of the wheel.
run_pytest() {
	status=0
	(cd "$binding/tests" && timeout "${TEST_TIMEOUT_S:-600}" "$work/test/bin/python" -m pytest -q \
		-p no:cacheprovider -c "$binding/pyproject.toml" -o pythonpath= .) >"$work/log" 2>&1 || status=$?
	tail -1 "$work/log" | sed 's/^/ /' >"$work/summary"
	ok=$(count_of passed)
	bad=$(count_of failed)
	errors=$(count_of error)
	passed=$((passed + ${ok:-0}))
	bad=$((${bad:-0} + ${errors:-0}))
	[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	failed=$((failed + bad))
	if [ "$bad" -gt 0 ]; then
		tail -200 "$work/log" | sed 's/^/    /'
	fi
	printf '%-28s%s\n' pytest "$(cat "$work/summary")"
}

check_types() {
	(cd "$binding" && "$python" -m mypy --cache-dir="$work/mypy")
}

# What the package says of its types is there for who installs it.
check_user_types() {
	"$python" -m mypy --strict --cache-dir="$work/mypy" --python-executable "$work/clean/bin/python" \
		tests/bindings/python_types.py
}

build_wheel() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "${MAKE:-make}" --no-print-directory all OUT="$OUT" &&
		STEPBUS_LIBRARY="$OUT/libstepbus.so.0" "$python" "$binding/tools/wheel_backend.py" "$work/dist"
}

install_wheel() {
	"$python" -m venv "$work/clean" &&
		"$work/clean/bin/python" -m pip install -q --no-index "$work"/dist/stepbus-*.whl &&
		"$python" -m venv --system-site-packages "$work/test" &&
		"$work/test/bin/python" -m pip install -q --no-index "$work"/dist/stepbus-*.whl
}

# In an environment with nothing but the wheel, with the program in a folder of its own.
run_smoke() {
	cp "$root/tests/bindings/python_smoke.py" "$work/smoke.py"
	(cd "$work" && "$work/clean/bin/python" -I "$work/smoke.py")
}

tools/deps.sh python
check wheel build_wheel
check install install_wheel
check smoke run_smoke
check types check_types
check user-types check_user_types
run_pytest
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
