#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs clang-tidy over src/, with the checks of .clang-tidy, two files at a time.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: tidy.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2
files=$(sh "$lint/list.sh" .) || exit 2
tool=${CLANG_TIDY:-clang-tidy-14}
command -v "$tool" >/dev/null || { echo "tidy: no $tool: install it" >&2; exit 2; }

output=$(printf '%s\n' "$files" | grep -E '^src/.*\.c$' |
	xargs -r -P 2 -I '{}' "$tool" --quiet --config-file="$lint/../../.clang-tidy" '{}' -- \
		-std=c11 -D_GNU_SOURCE -I. -Isrc 2>&1) && exit 0
# A header is looked at once for each file that includes it: one line a finding is enough.
findings=$(printf '%s\n' "$output" | grep -E ': (warning|error): ' | sed "s|^$PWD/||" | sort -u)
[ -n "$findings" ] || { printf '%s\n' "$output" >&2; exit 2; }
printf '%s\n' "$findings"
exit 1
