#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs programs of the proof in a build that watches what they do: sanitized.sh asan|tsan. Each runs in a form
# that is small, since it is many times as slow; of all processes, also of those that are killed, each report counts.
# Not under tsan: what kills processes, since its points stand where tsan itself must, in front of the system's calls;
# and signals that come inside of calls, since tsan lets them in only where it chooses.
set -eu

cd "$(dirname "$0")/.."
variant=$1
out=build/$variant
case $variant in
asan)
	names="AddressSanitizer and UndefinedBehaviorSanitizer"
	runs="kill 60
kill stall 40
kill life 300
crowd 2000
sim 100 1 memory 300
sim 40 1 sqlite 200
reenter 5"
	;;
tsan)
	names="ThreadSanitizer"
	runs="crowd 5000
sim 200 1 memory 300
sim 60 1 sqlite 200"
	;;
*)
	echo "sanitized.sh: asan or tsan" >&2
	exit 2
	;;
esac

programs=$(printf '%s\n' "$runs" | sed "s|^\([a-z]*\).*|$out/proof/\1|" | sort -u)
# shellcheck disable=SC2086 # a list of files
"${MAKE:-make}" --no-print-directory VARIANT="$variant" OUT="$out" CC="${CC:-cc}" $programs

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
# Crashes that are put in on purpose are no reports; that a program crashed, it says itself.
options=handle_segv=0:handle_abort=0:log_path=$directory/report
export ASAN_OPTIONS="$options" UBSAN_OPTIONS="print_stacktrace=1:$options" TSAN_OPTIONS="$options"

passed=0
failed=0
# A control first: what is wrong must be reported, and counted here.
cat >"$directory/wrong.c" <<'C'
#include <pthread.h>
#include <stdlib.h>
static int shared;
static void *add(void *at) { for (int i = 0; i < 100000; i++) ++*(int *)at; return at; }
int main(void)
{
	pthread_t thread;
	volatile char *block = malloc(8);
	pthread_create(&thread, NULL, add, &shared);
	add(&shared);
	pthread_join(thread, NULL);
	free((void *)block);
	return block[3];
}
C
case $variant in
asan) "${CC:-cc}" -fsanitize=address,undefined -o "$directory/wrong" "$directory/wrong.c" -pthread ;;
tsan) "${CC:-cc}" -fsanitize=thread -o "$directory/wrong" "$directory/wrong.c" -pthread ;;
esac
"$directory/wrong" >/dev/null 2>&1 || true
if [ -n "$(find "$directory" -name 'report*')" ]; then
	passed=$((passed + 1))
else
	echo "the control was not reported"
	failed=$((failed + 1))
fi
rm -f "$directory"/report*

report_count=0
printf '%s\n' "$runs" >"$directory/runs"
while read -r program arguments; do
	status=0
	# shellcheck disable=SC2086 # the words of a command
	timeout -k 30 1500 "$out/proof/$program" $arguments >"$directory/log" 2>&1 </dev/null || status=$?
	found=$(find "$directory" -name 'report*' | wc -l)
	report_count=$((report_count + found))
	printf '%s %s: status %s, %s reports; %s\n' "$program" "$arguments" "$status" "$found" "$(tail -n 1 "$directory/log")"
	if [ "$status" -eq 0 ] && [ "$found" -eq 0 ] && grep -q '^[1-9][0-9]* passed, 0 failed$' "$directory/log"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		tail -n 40 "$directory/log"
		cat "$directory"/report* 2>/dev/null || true
	fi
	rm -f "$directory"/report*
done <"$directory/runs"

echo "proof: sanitized: $(printf '%s' "$runs" | tr '\n' ',' | sed 's/,/, /g') under $names: $report_count reports"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
