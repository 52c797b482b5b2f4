#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds and runs every program of a language in README.md (each block of it with a ```text block right
# behind it; in C each that has a main) and compares what it prints with that. A README without such a
# program fails too, and so does a program that is longer than LINES.
#
# readme.sh [README [LANGUAGE LINES COMMAND...]]: as README.md c 25, or each program run by COMMAND FILE
# in a folder of its own: readme.sh README.md python 12 python3
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
OUT=${OUT:-build/release}
CC=${CC:-cc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
readme=${1:-README.md}
language=${2:-c}
lines_max=${3:-25}
[ $# -gt 3 ] || set -- 1 2 3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM

fail() {
	echo "readme: $*" >&2
	exit 1
}

[ -r "$readme" ] || fail "there is no $readme"
[ -r "$OUT/libstepbus.a" ] || fail "there is no $OUT/libstepbus.a: build it first"

# Writes program N to N.LANGUAGE, and the text block that is the next block behind it to N.expected.
awk -v work="$work" -v language="$language" '
function end_block() {
	if (kind == language && (has_main || language != "c")) {
		count++
		printf "%s", block >(work "/" count "." language)
		line_of[count] = start
		awaits = 1
	} else if (awaits) {
		if (kind == "text")
			printf "%s", block >(work "/" count ".expected")
		awaits = 0
	}
}

/^```/ && !inside {
	inside = 1
	kind = substr($0, 4)
	block = ""
	has_main = 0
	start = NR
	next
}

/^```/ {
	inside = 0
	end_block()
	next
}

inside {
	block = block $0 "\n"
	if ($0 ~ /int main *\(/)
		has_main = 1
}

END {
	for (i = 1; i <= count; i++)
		print i, line_of[i] >(work "/programs")
	if (inside) {
		print "readme: the block of line " start " has no end" >"/dev/stderr"
		exit 1
	}
}' "$readme"

[ -s "$work/programs" ] || fail "$readme has no program in $language"

# program NUMBER COMMAND...: runs it, in a folder where it may leave its files.
program() {
	file=$work/$1.$language
	shift
	if [ $# -gt 0 ]; then
		"$@" "$file"
		return
	fi
	# The flags are words of their own.
	# shellcheck disable=SC2046
	(cd "$root" && "$CC" -std=c99 -Wall -Wextra -Werror -Iinclude "$file" -o "$file.out" \
		"$OUT/libstepbus.a" -pthread $("$PKG_CONFIG" --libs libevent_core libcjson sqlite3)) &&
		"$file.out"
}

while read -r number line; do
	where="the program in line $line of $readme"
	[ -e "$work/$number.expected" ] || fail "$where has no \`\`\`text block right behind it"
	lines=$(wc -l <"$work/$number.$language")
	[ "$lines" -le "$lines_max" ] || fail "$where has $lines lines, $lines_max are allowed"
	mkdir "$work/$number"
	(cd "$work/$number" && program "$number" "$@") >"$work/$number.output" ||
		fail "$where does not build, or ends with an error"
	diff -u "$work/$number.expected" "$work/$number.output" || fail "$where prints something else"
done <"$work/programs"

echo "readme: $(wc -l <"$work/programs") programs in $language run and print what is written"
