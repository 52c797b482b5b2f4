#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds and runs the benchmarks: run.sh [bridge|registry|bench|durable|durable-quick|bindings], where
# bench is the first two. JSON lines on stdout, all else on stderr.
# Settings from the environment: OUT (build/release), CC, CXX, LDFLAGS, PYTHON (which python3 has pyee).
set -eu

cd "$(dirname "$0")/.."
wish=${1:-bench}
case $wish in
bridge | registry) benches=$wish ;;
bench) benches="bridge registry" ;;
durable) exec bench/durable/run.sh ;;
durable-quick) exec bench/durable/run.sh quick ;;
bindings) exec bench/bindings/run.sh ;;
*)
	echo "usage: bench/run.sh [bridge|registry|bench|durable|durable-quick|bindings]" >&2
	exit 2
	;;
esac

out=${OUT:-build/release}
for library in libstepbus.a libstepbus.so; do
	if [ ! -e "$out/$library" ]; then
		echo "bench: $out/$library is missing; run make first" >&2
		exit 1
	fi
done

missing=
missing_packages=
note_missing() {
	missing="$missing${missing:+, }$1"
	missing_packages="$missing_packages $2"
}

has_glib=
has_boost=
has_sigc=
if pkg-config --exists gobject-2.0; then has_glib=1; else note_missing GLib libglib2.0-dev; fi
if pkg-config --exists sigc++-2.0; then has_sigc=1; else note_missing libsigc++ libsigc++-2.0-dev; fi
if echo '#include <boost/signals2.hpp>' | ${CXX:-c++} -E -x c++ - >/dev/null 2>&1; then
	has_boost=1
else
	note_missing boost::signals2 libboost-dev
fi

BENCH_SCRIPTS=bench
BENCH_NODE=$(command -v node || command -v nodejs || true)
if [ -z "$BENCH_NODE" ]; then note_missing "Node's EventEmitter" nodejs; fi
# Another python3 may come first in PATH than the one that Debian's package belongs to.
BENCH_PYTHON=
for python in ${PYTHON:-python3 /usr/bin/python3}; do
	if "$python" -c 'import pyee' >/dev/null 2>&1; then
		BENCH_PYTHON=$python
		break
	fi
done
if [ -z "$BENCH_PYTHON" ]; then note_missing pyee python3-pyee; fi
export BENCH_SCRIPTS BENCH_NODE BENCH_PYTHON

if [ -n "$missing" ]; then
	echo "bench: left out: $missing; to compare with them: apt-get install$missing_packages" >&2
fi

# shellcheck disable=SC2086 # the benches are words of this script
"${MAKE:-make}" -f bench/bench.mk $benches OUT="$out" CC="${CC:-cc}" CXX="${CXX:-c++}" \
	LDFLAGS="${LDFLAGS:-}" HAS_GLIB="$has_glib" HAS_BOOST="$has_boost" HAS_SIGC="$has_sigc" >&2

for bench in $benches; do
	"$out/bench/bench-$bench"
	if [ "$bench" = bridge ]; then
		"$out/bench/bench-bridge-shared"
	fi
done
