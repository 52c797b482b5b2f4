#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs shellcheck over the scripts, where it is installed: no build needs it.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: shell.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2
files=$(sh "$lint/list.sh" .) || exit 2
command -v shellcheck >/dev/null || { echo "skipped: no shellcheck"; exit 0; }

findings=$(printf '%s\n' "$files" | grep -E '\.sh$|^\.ci/run$' |
	xargs -r shellcheck --format=gcc) && exit 0
printf '%s\n' "$findings"
exit 1
