#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs into a folder of its own, builds a program against what lies there, as C99, C11 and
# C++11, with the shared and with the static library, runs each, and takes everything away again.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
OUT=${OUT:-build/release}
CC=${CC:-cc}
CXX=${CXX:-c++}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
stage=$work/stage

fail() {
	echo "install: $*" >&2
	exit 1
}

# The jobs of an outer make are not ours to use.
run_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL OUT="$OUT" CC="$CC" CXX="$CXX" \
		"${MAKE:-make}" --no-print-directory "$@" DESTDIR="$stage" PREFIX=/usr \
		>"$work/make" 2>&1 || { cat "$work/make" >&2; fail "make $1 failed"; }
}

# What pkg-config says of the staged library, and of nothing else with that name.
ask() {
	PKG_CONFIG_PATH="$stage/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$stage" \
		"$PKG_CONFIG" "$@" stepbus
}

write_program() {
	cat >"$1" <<'END'
#include <stepbus.h>

#include <stdio.h>
#include <string.h>

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	*(int *)user_data += len == 5 && memcmp(payload, "hello", 5) == 0;
	return STEPBUS_OK;
}

int main(void)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_subscription subscription;
	stepbus_bridge *bridge = NULL;
	int heard = 0;

	memset(&subscription, 0, sizeof subscription);
	subscription.size = sizeof subscription;
	subscription.deliver = hear;
	subscription.user_data = &heard;
	if (strcmp(stepbus_version(), STEPBUS_VERSION) != 0 ||
	    stepbus_bridge_new(NULL, &bridge, &err) != STEPBUS_OK ||
	    stepbus_bridge_start(bridge, &err) != STEPBUS_OK ||
	    stepbus_bridge_subscribe(bridge, STEPBUS_TEXT("handler.error"), &subscription, NULL,
				     &err) != STEPBUS_OK ||
	    stepbus_bridge_publish_name(bridge, STEPBUS_TEXT(STEPBUS_EVENT_HANDLER_ERROR), "hello",
					5, &err) != STEPBUS_OK)
		printf("%s\n", err.message);
	stepbus_bridge_free(bridge);
	printf("heard %d\n", heard);
	return heard == 1 ? 0 : 1;
}
END
}

# build PROGRAM LIBS COMPILER...: compiles and links the program, and runs it.
build() {
	program=$1 libs=$2
	shift 2
	# The flags are words of their own.
	# shellcheck disable=SC2046,SC2086
	"$@" -pedantic -Wall -Wextra -Werror $(ask --cflags) "$work/program.$ext" \
		-o "$work/$program" $libs || fail "$program could not be built"
	LD_LIBRARY_PATH="$stage/usr/lib" "$work/$program" >"$work/output" ||
		{ cat "$work/output" >&2; fail "$program does not run"; }
	[ "$(cat "$work/output")" = 'heard 1' ] || fail "$program says $(cat "$work/output")"
}

needs_shared() {
	readelf -d "$work/$1" | grep -q 'NEEDED.*\[libstepbus\.so\.0\]'
}

# build_both LANGUAGE COMPILER...: with the shared library, and with the static one.
build_both() {
	language=$1
	shift
	build "$language-shared" "$(ask --libs)" "$@"
	needs_shared "$language-shared" || fail "$language-shared does not use libstepbus.so.0"
	build "$language-static" "$(ask --static --libs |
		sed 's/-lstepbus/-Wl,-Bstatic -lstepbus -Wl,-Bdynamic/')" "$@"
	! needs_shared "$language-static" || fail "$language-static uses libstepbus.so.0"
}

run_make install
for file in include/stepbus.h include/stepbus.cdef.h lib/libstepbus.a lib/libstepbus.so \
	lib/libstepbus.so.0 lib/pkgconfig/stepbus.pc; do
	[ -e "$stage/usr/$file" ] || fail "there is no /usr/$file"
done
cmp -s include/stepbus.h "$stage/usr/include/stepbus.h" || fail 'the header is another one'
grep -q '^prefix=/usr$' "$stage/usr/lib/pkgconfig/stepbus.pc" ||
	fail 'stepbus.pc was made for another PREFIX'
grep -rqF "$stage" "$stage/usr/lib/pkgconfig" && fail 'stepbus.pc names DESTDIR'
version=$(sed -n 's/^#define STEPBUS_VERSION "\(.*\)"$/\1/p' include/stepbus.h)
[ "$(ask --modversion)" = "$version" ] || fail "stepbus.pc is of another version than $version"

write_program "$work/program.c"
cp "$work/program.c" "$work/program.cc"
ext=c
build_both c99 "$CC" -std=c99
build_both c11 "$CC" -std=c11
ext=cc
build_both cxx11 "$CXX" -std=c++11

run_make uninstall
left=$(find "$stage" ! -type d)
[ -z "$left" ] || fail "uninstall leaves $left"
echo 'install: C99, C11 and C++11 build and run with both libraries'
