#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs cppcheck over src/. It does not read system headers, and says nothing about what is in them.
set -u
[ $# -eq 1 ] || { echo "usage: cppcheck.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2
command -v cppcheck >/dev/null || { echo "cppcheck: no cppcheck: install it" >&2; exit 2; }

findings=$(cppcheck -q -j 2 --enable=warning,performance,portability --inline-suppr --std=c11 \
	--suppress=missingIncludeSystem --suppress='*:/usr/*' --error-exitcode=1 \
	--template='{file}:{line}: {message} [{id}]' -D_GNU_SOURCE -I. -Isrc src 2>&1) && exit 0
printf '%s\n' "$findings" | sort -u
exit 1
