#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks who includes whom: every arrow between the folders points down, third-party headers stay
# behind the one file that owns them, and no file has a name that says nothing (utils, common,
# helper, manager).
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: layers.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2
files=$(sh "$lint/list.sh" .) || exit 2

check_names() {
	printf '%s\n' "$files" | awk '
	tolower("/" $0) ~ /[\/_.-](utils?|common|helpers?|managers?)([\/_.-]|$)/ {
		print $0 ":1: the name says nothing: name it after what it owns"
	}'
}

strip_sources() {
	printf '%s\n' "$files" | grep -E '\.(c|h|cpp|hpp)$' |
		xargs -r awk -v keep=1 -f "$lint/strip.awk"
}

check_includes() {
	strip_sources | awk -F '\t' '
	function say(what) {
		printf "%s:%s: %s\n", $1, $2, what
	}

	function owned(pattern, owner, name) {
		if (header ~ pattern && $1 !~ owner)
			say("<" header "> belongs to " name ": use what that offers, or extend it")
	}

	BEGIN {
		sees["base"] = ""
		sees["config"] = " base"
		sees["store"] = " base"
		sees["bridge"] = " base"
		sees["registry"] = " base config"
		sees["workflow"] = " base config"
		sees["handlers"] = " base store registry bridge workflow"
		sees["ffi"] = " base config store bridge registry workflow handlers"
		# Built on the public header only, as every host is.
		sees["http"] = ""
		sees["cli"] = ""
	}

	{
		is_src = split($1, part, "/") > 1 && part[1] == "src"
		layer = is_src ? part[2] : ""
	}

	is_src && !(layer in sees) && $2 == 1 {
		say("src/" layer " is no layer: put the file into one, or declare it in layers.sh")
	}

	$3 !~ /^ *# *(include|include_next|import)[^a-z_]/ { next }

	!match($3, /[<"][^>"]*[>"]/) {
		say("the macro hides what is included: name the file")
		next
	}

	{
		header = substr($3, RSTART + 1, RLENGTH - 2)
		is_quoted = substr($3, RSTART, 1) == "\""
		folder = header
		if (!sub(/\/.*/, "", folder))
			folder = ""
	}

	is_src || part[1] == "include" {
		owned("(^|/)cJSON", "^src/base/json[.]c$", "src/base/json.c")
		owned("(^|/)uthash[.]h$", "^src/base/map[.]h$", "src/base/map.h")
		owned("^event2/", "^src/(bridge/loop[.]c|http/.*)$", "src/bridge/loop.c")
		owned("^sqlite3", "^src/store/", "src/store")
	}

	# <base/x.h> would be found as well as "base/x.h", and is the same arrow.
	!is_quoted && !(folder in sees) { next }
	header ~ /(^|\/)\.\.?\// {
		say("\"" header "\" climbs through folders: name its own folder")
		next
	}
	folder == "" {
		say("\"" header "\" names no folder: write \"folder/" header "\"")
		next
	}
	part[1] == "include" {
		say("the public header stands alone: it includes no file of ours")
		next
	}
	# Tests look into every layer; tools make pages of what they find there.
	header == "include/stepbus.h" || part[1] == "tests" || part[1] == "tools" { next }

	is_src && (layer in sees) && !index(" " layer sees[layer] " ", " " folder " ") {
		say(layer " may not include \"" header "\", only include/stepbus.h and " \
		    layer sees[layer] ": move it down, or pass a function pointer")
	}
	!is_src && folder != part[1] {
		say(part[1] " may not include \"" header "\": hosts see only include/stepbus.h")
	}'
}

findings=$(check_names && check_includes) || exit 2
[ -n "$findings" ] || exit 0
printf '%s\n' "$findings"
exit 1
