#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks the public header: it compiles alone as C99, C11 and C++11; every function says its
# threads, errors and since; every visible struct starts with its size; nothing in it has a size
# that depends on the compiler.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: header.sh HEADER" >&2; exit 2; }
[ -r "$1" ] || { echo "header: no $1" >&2; exit 2; }
header=$1
CC=${CC:-gcc}
CXX=${CXX:-g++}
for tool in "$CC" "$CXX"; do
	command -v "$tool" >/dev/null || { echo "header: no $tool: install it" >&2; exit 2; }
done

# Included twice, as hosts do.
compile() {
	path=$(cd "$(dirname "$header")" && pwd)/$(basename "$header")
	printf '#include "%s"\n#include "%s"\n' "$path" "$path" |
		"$@" -Wall -Wextra -Wpedantic -Werror -fsyntax-only - 2>&1 |
		sed "s|^$path:|$header:|"
}

check_comments() {
	awk '
	function say(what) {
		print FILENAME ":" FNR ": " what
	}

	/^\/\*\*/ { split("", has); in_comment = 1 }
	in_comment && /^ \* (threads|errors|since) +[^ ]/ { has[$2] = 1 }
	in_comment { last_line = FNR }
	/\*\// { in_comment = 0 }

	/^STEPBUS_API/ {
		name = $0
		sub(/ *\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		if (last_line != FNR - 1) {
			say(name " has no /** comment right above it")
			next
		}
		for (i = split("threads errors since", word, " "); i > 0; i--)
			if (!(word[i] in has))
				say("the comment of " name " has no \" * " word[i] "  \" line")
	}' "$header"
}

check_types() {
	awk -f "$lint/strip.awk" "$header" | awk -F '\t' '
	function say(i, what) {
		print $1 ":" line[i] ": " what
	}

	function check_struct(i,    first) {
		first = token[i + 1] == "{" ? i + 2 : i + 3
		if (token[first - 1] != "{")
			return
		if (token[first] token[first + 1] token[first + 2] != "uint32_tsize;")
			say(i, "a visible struct starts with \"uint32_t size;\"")
	}

	function check_enum(i) {
		if (token[i + 1] != "{" || token[i - 1] == "typedef")
			say(i, "an enum type has no fixed size: use a nameless enum and int32_t")
	}

	{
		is_directive = is_continued || $3 ~ /^ *#/
		is_continued = is_directive && $3 ~ /\\$/
	}
	is_directive { next }
	{
		while (match($3, /[A-Za-z_0-9]+|\.\.\.|[^ ]/)) {
			token[++count] = substr($3, RSTART, RLENGTH)
			line[count] = $2
			$3 = substr($3, RSTART + RLENGTH)
		}
	}

	END {
		fault["long"] = "long has another size elsewhere: use int64_t"
		fault["time_t"] = "time_t has another size elsewhere: use int64_t microseconds"
		fault["union"] = "few foreign-function tools read a union: use fields"
		fault["..."] = "few languages can call varargs: pass an array"
		fault[":"] = "a bit-field has no fixed place: use flags"
		for (i = 1; i <= count; i++) {
			if (token[i] in fault)
				say(i, fault[token[i]])
			if (token[i] == "struct")
				check_struct(i)
			if (token[i] == "enum")
				check_enum(i)
			if (token[i] == "STEPBUS_API" && i > 1 && token[i - 1] !~ /^[;{}]$/)
				say(i, "STEPBUS_API opens a declaration")
		}
	}'
}

findings=$(
	compile "$CC" -x c -std=c99
	compile "$CC" -x c -std=c11
	compile "$CXX" -x c++ -std=c++11
	check_comments && check_types
) || exit 2
[ -n "$findings" ] || exit 0
printf '%s\n' "$findings"
exit 1
