#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs README.md's programs in Python and Node, and compares what they print with what is written there.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
out=$(cd "${OUT:-build/release}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
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

cat >"$work/in_python" <<END
#!/bin/sh
PYTHONPATH=$root/bindings/python/src STEPBUS_LIBRARY=$out/libstepbus.so.0 exec python3 "\$1"
END
# A module, in a folder where the package is installed.
cat >"$work/in_node" <<END
#!/bin/sh
mkdir -p node_modules && ln -s "$root/bindings/node" node_modules/stepbus && cp "\$1" program.mjs
exec node program.mjs
END
chmod +x "$work/in_python" "$work/in_node"

tools/deps.sh bindings
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "${MAKE:-make}" -s -C bindings/node OUT="$out" >&2
check python tests/scripts/readme.sh README.md python 12 "$work/in_python"
check node tests/scripts/readme.sh README.md js 12 "$work/in_node"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
