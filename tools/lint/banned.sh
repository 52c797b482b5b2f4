#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks that no source calls what is banned, or hands it on as a function pointer. Comments,
# literals, members (x.free, x->free) and longer names (sb_release, cJSON_free) are no calls.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: banned.sh ROOT" >&2; exit 2; }
cd "$1" || exit 2
files=$(sh "$lint/list.sh" .) || exit 2

findings=$(printf '%s\n' "$files" | grep -E '^(src|include|tests)/.*\.(c|h|cpp|hpp)$' |
	xargs -r awk -f "$lint/strip.awk" | awk -F '\t' '
	function ban(group, advice, names,    i, count, name) {
		count = split(names, name, " ")
		for (i = 1; i <= count; i++)
			group_of[name[i]] = group
		advice_of[group] = advice
	}

	BEGIN {
		ban("unsafe", "no length, no error or a global effect: use a bounded form", \
		    "strcpy strcat sprintf vsprintf gets strtok atoi atol atoll rand srand " \
		    "signal system alloca")
		ban("process", "the library leaves the process alone: answer a status", \
		    "getenv secure_getenv exit _exit _Exit quick_exit abort setlocale")
		ban("output", "the library writes to no stream: use the log", \
		    "printf fprintf vprintf vfprintf dprintf puts fputs putchar perror " \
		    "stderr stdout")
		ban("memory", "memory comes from the host: use sb_alloc and sb_release", \
		    "malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf " \
		    "aligned_alloc posix_memalign")
		ban("discovery", "there is no discovery: handlers are registered", \
		    "dlopen dlsym dlvsym dlmopen opendir fdopendir readdir scandir glob ftw nftw")
		ban("sleep", "tests do not sleep: advance the clock or wait on a condition", \
		    "sleep usleep nanosleep clock_nanosleep thrd_sleep")
	}

	# cli and http see no layer of ours, so they have no allocator but that of the system; cli
	# is a program that reads its environment, prints and exits.
	function is_banned_here(group, path) {
		if (path ~ /^tests\//)
			return group == "sleep"
		if (group == "memory")
			return path !~ /^src\/(base|cli|http)\//
		if (group == "process" || group == "output")
			return path !~ /^src\/cli\//
		return group != "sleep"
	}

	# A call, or a value behind "=", "(", "," and the like: "int signal;" is neither.
	function is_use(name, before, after) {
		if (before ~ /(\.|->) *$/)
			return 0
		if (name == "stderr" || name == "stdout" || after ~ /^ *\(/)
			return 1
		return before ~ /[=(,?:&{] *$/ && after ~ /^ *([,;)}:]|$)/
	}

	function check(name, before, after,    group) {
		if (!(name in group_of) || !is_use(name, before, after))
			return
		group = group_of[name]
		if (is_banned_here(group, $1))
			printf "%s:%s: %s is banned here: %s\n", $1, $2, name, advice_of[group]
	}

	{
		# In an attribute the name says which format language an argument speaks.
		gsub(/format(__)? *\( *_*printf/, "", $3)
		before = ""
		rest = $3
		while (match(rest, /[A-Za-z_0-9]+/)) {
			name = substr(rest, RSTART, RLENGTH)
			before = before substr(rest, 1, RSTART - 1)
			rest = substr(rest, RSTART + RLENGTH)
			check(name, before, rest)
			before = before name
		}
	}') || exit 2
[ -n "$findings" ] || exit 0
printf '%s\n' "$findings"
exit 1
