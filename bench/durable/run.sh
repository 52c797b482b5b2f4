#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds and runs the benchmark of durable steps: run.sh [quick]. JSON lines on stdout, all else on stderr.
# Settings from the environment: OUT (build/release), CC, LDFLAGS, BENCH_DATA (a folder on the disk that is to
# be measured, /var/tmp; accounts that the servers run as must be able to reach it).
set -eu

form=${1:-full}
cd "$(dirname "$0")/../.."
out=${OUT:-build/release}

if [ "$form" != quick ]; then
	tools/deps.sh bench-durable >&2 || echo "bench: going on without what could not be installed" >&2
fi

has_library() { if pkg-config --exists "$1"; then echo 1; fi; }
has_engine=
if nm -g "$out/libstepbus.a" 2>/dev/null | grep -q ' T stepbus_worker_start$'; then has_engine=1; fi
"${MAKE:-make}" -f bench/durable/durable.mk OUT="$out" CC="${CC:-cc}" LDFLAGS="${LDFLAGS:-}" \
	HAS_GEARMAN="$(has_library gearmand)" HAS_POSTGRES="$(has_library libpq)" \
	HAS_REDIS="$(has_library hiredis)" HAS_STEPBUS="$has_engine" >&2

# Node looks for packages beside the script, so the scripts go where the packages are.
BENCH_SCRIPTS=$PWD/build/bench
export BENCH_SCRIPTS
mkdir -p "$BENCH_SCRIPTS"
cp bench/durable/*.mjs "$BENCH_SCRIPTS"

data=$(mktemp -d "${BENCH_DATA:-/var/tmp}/stepbus-bench-XXXXXX")
chmod 755 "$data"
bench=
# Servers end with the benchmark; those that still write while it ends are waited for.
# shellcheck disable=SC2317 # the trap calls it
finish() {
	[ -z "$bench" ] || kill "$bench" 2>/dev/null || true
	[ -z "$bench" ] || wait "$bench" 2>/dev/null || true
	rm -rf "$data" 2>/dev/null || { sleep 2 && rm -rf "$data"; }
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

"$out/bench/durable/bench-durable" "$data" "$out/bench/durable.svg" "$form" &
bench=$!
status=0
wait "$bench" || status=$?
bench=
[ "$status" -eq 0 ] || cat "$data"/*.log >&2 2>/dev/null || true
exit "$status"
