#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks that every source file names its licence in its first three lines, and that no file names
# a folder of the machine it was written on.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: spdx.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2
files=$(sh "$lint/list.sh" .) || exit 2

sources='\.(c|cc|h|sh|awk|mk|cpp|hpp|js|cjs|mjs|ts|py|map|lua|php|rb|go|rs)$'
sources="$sources|(^|/)(Makefile|\.clang-format|\.clang-tidy)\$|^\.ci/run\$"

check_licences() {
	printf '%s\n' "$files" | grep -E "$sources" | while IFS= read -r path; do
		head -n 3 "$path" | grep -q 'SPDX-License-Identifier: MIT' ||
			echo "$path:1: names no licence: begin with SPDX-License-Identifier: MIT"
	done
}

check_paths() {
	printf '%s\n' "$files" | tr '\n' '\0' |
		xargs -0 -r grep -HInoE '(^|[^A-Za-z0-9_.-])/(work|farm)/[^[:space:]]*' |
		sed 's/$/ is a folder of one machine: name it relative to the tree/'
}

findings=$(check_licences; check_paths)
[ -n "$findings" ] || exit 0
printf '%s\n' "$findings"
exit 1
