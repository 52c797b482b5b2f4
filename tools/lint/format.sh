#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks that every C file is laid out as .clang-format says.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: format.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2
files=$(sh "$lint/list.sh" .) || exit 2
# Another version lays out differently, so this one is asked for.
tool=${CLANG_FORMAT:-clang-format-14}
command -v "$tool" >/dev/null || { echo "format: no $tool: install it" >&2; exit 2; }

output=$(printf '%s\n' "$files" | grep -E '^(src|include|tests|bench|examples)/.*\.[ch]$' |
	xargs -r "$tool" --style="file:$lint/../../.clang-format" --dry-run -Werror 2>&1) && exit 0
findings=$(printf '%s\n' "$output" | sed -n \
	's/: error: code should be clang-formatted.*/: laid out differently: run clang-format -i/p')
[ -n "$findings" ] || { printf '%s\n' "$output" >&2; exit 2; }
printf '%s\n' "$findings"
exit 1
