#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Lists the files of a tree, one path a line, relative to ROOT: what git tracks or would track, or,
# where there is no repository (an unpacked release), everything outside build/. The checks beside
# it filter the list.
set -u
[ $# -eq 1 ] || { echo "usage: list.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2

if [ -e .git ]; then
	paths=$(git ls-files --cached --others --exclude-standard) || exit 2
else
	paths=$(find . -name build -prune -o -type f -print | sed 's|^\./||')
fi

# git still lists a tracked file that was deleted, and lists a file in conflict more than once.
printf '%s\n' "$paths" | LC_ALL=C sort -u | while IFS= read -r path; do
	[ ! -f "$path" ] || printf '%s\n' "$path"
done
