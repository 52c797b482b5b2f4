#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds what starve.sh runs with: preload.so for any interpreter, and for Node the addon whose calls can be
# refused, with control.node to say which. `build.sh preload` or `build.sh node`; OUT as in the Makefile.
set -eu
cd "$(dirname "$0")/../../.."
out=$(realpath -m "${OUT:-build/release}")
here=tests/bindings/starve
made=$out/starve
flags='-std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -fPIC -pthread -Itests -Isrc -Ibindings -I. -Iinclude'
mkdir -p "$made"

build_preload() {
	# It is there from the start, so that its thread's variables need no memory.
	# shellcheck disable=SC2086
	${CC:-cc} $flags -shared -ftls-model=initial-exec -o "$made/preload.so" \
		$here/preload.c tests/torture/famine/allocator.c
}

node_headers() {
	prefix=$(node -p 'require("path").resolve(process.execPath, "../..")')
	for folder in "$prefix/include/node" /usr/include/node /usr/include/nodejs/src; do
		[ ! -e "$folder/node_api.h" ] || { echo "$folder"; return; }
	done
}

build_node() {
	headers=$(node_headers)
	# shellcheck disable=SC2086
	${CC:-cc} $flags -isystem "$headers" -c -o "$made/wrap.o" $here/wrap.c
	# shellcheck disable=SC2086
	${CC:-cc} $flags -isystem "$headers" -shared -o "$made/control.node" $here/control.c
	wraps=$(sed -n 's/^\(WRAP\|NAPI\|THROWING\)(\([a-z0-9_]*\),.*/-Wl,--wrap=\2/p' $here/wrap.c | tr '\n' ' ')
	"${MAKE:-make}" -s -C bindings/node OUT="$out" BUILD=build/starve LDFLAGS="$made/wrap.o $wraps" >&2
}

case ${1:-} in
preload) build_preload ;;
node) build_node ;;
*)
	echo 'usage: build.sh preload | node' >&2
	exit 2
	;;
esac
