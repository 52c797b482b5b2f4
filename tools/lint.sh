#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs every check of tools/lint over a tree (this one by default) and says of each "ok" or "FAIL".
# A check that could not run has failed too. OUT names the build whose libraries are checked.
set -u
lint=$(cd "$(dirname "$0")" && pwd)/lint
cd "${1:-$lint/../..}" || exit 2
out=${OUT:-build/release}
failed=0

check() {
	name=$1
	shift
	if output=$(sh "$lint/$name.sh" "$@" 2>&1); then
		echo "ok   $name"
	else
		echo "FAIL $name"
		failed=1
	fi
	[ -z "$output" ] || printf '%s\n' "$output" | sed 's/^/     /'
}

check layers .
check sizes .
check banned .
check header include/stepbus.h
check cdef include/stepbus.h include/stepbus.cdef.h
check symbols include/stepbus.h "$out/libstepbus.so.0" "$out/libstepbus.a"
check abi include abi/stepbus.abi "$out/libstepbus.so.0"
check spdx .
check format .
check tidy .
check cppcheck .
check shell .
exit "$failed"
