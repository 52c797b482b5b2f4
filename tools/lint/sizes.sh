#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks the size budget: functions to 70 lines and, in src/, 6 parameters; files to 600 lines; the
# Makefile to 200. include/stepbus.h is exempt: it is the whole ABI on one page, and the parameters
# of its functions are what it says. Ends with a summary of src/.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: sizes.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2
files=$(sh "$lint/list.sh" .) || exit 2
ctags --version 2>/dev/null | grep -q '^Universal Ctags' || {
	echo "sizes: no Universal Ctags: install universal-ctags" >&2
	exit 2
}

check_files() {
	printf '%s\n' "$files" |
	grep -E '^(src|tests|tools|bench)/.*\.(c|h|cpp|hpp|sh|awk|py|js)$|^Makefile$' |
	while IFS= read -r path; do
		max=600
		[ "$path" != Makefile ] || max=200
		count=$(($(wc -l <"$path")))
		[ "$count" -le "$max" ] ||
			echo "$path:$max: the file has $count lines, $max are allowed: split it"
	done
}

# Every function as "file TAB line TAB name TAB lines TAB parameters".
list_functions() {
	printf '%s\n' "$files" | grep -E '^(src|tests|tools|bench|examples)/.*\.[ch]$' |
	ctags -L - -f - --sort=no --excmd=number \
		--languages=C --langmap=C:.c.h --c-kinds=f --fields=+neS |
	awk -F '\t' '
	# Counts the commas outside the parentheses of function pointers.
	function count_parameters(signature,    i, c, depth, count) {
		if (signature ~ /^\( *(void)? *\)$/)
			return 0
		count = 1
		for (i = 1; i <= length(signature); i++) {
			c = substr(signature, i, 1)
			depth += (c == "(") - (c == ")")
			count += c == "," && depth == 1
		}
		return count
	}

	function field(name,    i) {
		for (i = 4; i <= NF; i++)
			if (index($i, name ":") == 1)
				return substr($i, length(name) + 2)
		return ""
	}

	!/^!/ {
		print $2 "\t" field("line") "\t" $1 "\t" field("end") - field("line") + 1 "\t" \
		      count_parameters(field("signature"))
	}'
}

check_functions() {
	printf '%s\n' "$functions" | awk -F '\t' '
	$4 > 70 {
		print $1 ":" $2 ": " $3 " has " $4 " lines, 70 are allowed: name a part of it"
	}
	# What is exported has the parameters that the header promises.
	$1 ~ /^src\// && $3 !~ /^stepbus_/ && $5 > 6 {
		print $1 ":" $2 ": " $3 " takes " $5 " parameters, 6 are allowed: pass a struct"
	}'
}

summarize() {
	printf '%s\n' "$functions" | grep '^src/' | cut -f 4 | sort -n | awk '
	{ lines[NR] = $1 }
	END {
		if (NR > 0)
			printf "src: %d functions, lines median %d, p90 %d, max %d\n", NR, \
			       lines[int((NR + 1) / 2)], lines[int((NR * 9 + 9) / 10)], lines[NR]
	}'
}

functions=$(list_functions)
findings=$(check_files && check_functions) || exit 2
[ -z "$findings" ] || printf '%s\n' "$findings"
summarize
[ -z "$findings" ]
