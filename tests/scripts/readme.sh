#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds and runs every program of README.md (each ```c block that has a main) and compares what it
# prints with the ```text block that follows it. A README without such a program fails too.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
OUT=${OUT:-build/release}
CC=${CC:-cc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
readme=${1:-README.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM

fail() {
	echo "readme: $*" >&2
	exit 1
}

[ -r "$readme" ] || fail "there is no $readme"
[ -r "$OUT/libstepbus.a" ] || fail "there is no $OUT/libstepbus.a: build it first"

# Writes program N to N.c, and the text block that is the next block behind it to N.expected.
awk -v work="$work" '
function end_block() {
	if (kind == "c" && has_main) {
		count++
		printf "%s", block >(work "/" count ".c")
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

[ -s "$work/programs" ] || fail "$readme has no program: no \`\`\`c block with a main"

libs=$("$PKG_CONFIG" --libs libevent_core libcjson sqlite3)
while read -r number line; do
	where="the program in line $line of $readme"
	[ -e "$work/$number.expected" ] || fail "$where has no \`\`\`text block right behind it"
	# The flags are words of their own.
	# shellcheck disable=SC2086
	"$CC" -std=c99 -Wall -Wextra -Werror -Iinclude "$work/$number.c" -o "$work/$number" \
		"$OUT/libstepbus.a" -pthread $libs || fail "$where does not build"
	(cd "$work" && "./$number" >"$number.output") || fail "$where ends with status $?"
	diff -u "$work/$number.expected" "$work/$number.output" || fail "$where prints something else"
done <"$work/programs"

echo "readme: $(wc -l <"$work/programs") programs build, run and print what is written"
