#!/bin/sh
# SPDX-License-Identifier: MIT
# Feeds every parser what nobody expects: run.sh SECONDS_EACH [NAME...].
#
# Above 0, builds the targets (tests/fuzz/fuzz_NAME.c) with clang, libFuzzer and the address and undefined
# sanitizers into build/fuzz, and runs each for so long, two at a time (JOBS). What breaks one is kept as
# build/fuzz/crashes/NAME-...; what widens its coverage is kept in build/fuzz/corpus/NAME for the next run.
# `run.sh merge [NAME...]` brings the least of that which covers the same into tests/fuzz/corpus.
#
# With 0, only replays the corpora that are in the tree, with any compiler and no sanitizer but what VARIANT
# says, on the objects of OUT (build/release): seconds, for each change.
#
# The target "planted" is the control, with a fault put in on purpose: it must be found.
set -eu

cd "$(dirname "$0")/../.."
self=tests/fuzz/run.sh
dir=build/fuzz
rss_mib=256
# By the clock on the wall, and a machine may stand still for a while; of its processor's time each input has less.
input_seconds=120
export ASAN_OPTIONS="quarantine_size_mb=8:malloc_context_size=10:allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

# But for the control.
all_names() {
	for file in tests/fuzz/fuzz_*.c; do
		name=${file#tests/fuzz/fuzz_}
		[ "$name" = planted.c ] || echo "${name%.c}"
	done
}

# Those that start engines: their threads allocate while an input is being looked at, which libFuzzer takes
# for leaks of that input; they count blocks themselves.
flags_of() {
	case $1 in
	bus | catalog | rows | query) echo "-detect_leaks=0 -max_len=1024" ;;
	database) echo "-detect_leaks=0 -max_len=2048" ;;
	store) echo "-detect_leaks=0 -max_len=1024" ;;
	zone) echo "-max_len=8192" ;;
	*) echo "-max_len=4096" ;;
	esac
}

objects_of() {
	for file in src/*/*.c tests/fuzz/*.c; do
		echo "$1/${file%.c}.o"
	done
}

# What each program is linked of: its own object, and all others but those of targets.
shared_objects_of() {
	objects_of "$1" | grep -v -e /tests/fuzz/fuzz_ -e /tests/fuzz/replay.o
}

libraries() {
	pkg-config --libs libevent_core libcjson sqlite3
}

# Several may come at once: one builds, and the others find it built.
build_fuzz() {
	command -v clang >/dev/null || {
		echo "fuzz: there is no clang: install clang and its libFuzzer" >&2
		exit 2
	}
	mkdir -p $dir
	exec 9>$dir/lock
	flock 9
	# shellcheck disable=SC2046
	make -s -j2 VARIANT=fuzz OUT=$dir CC=clang \
		CFLAGS='-O1 -gline-tables-only -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
		$(objects_of $dir) 9>&-
	for name in "$@"; do
		[ ! -e "$dir/fuzz_$name" ] || [ -n "$(find $dir/src $dir/tests -name '*.o' -newer "$dir/fuzz_$name")" ] ||
			continue
		# shellcheck disable=SC2046
		clang -pthread -fsanitize=fuzzer,address,undefined -o "$dir/fuzz_$name" \
			"$dir/tests/fuzz/fuzz_$name.o" $(shared_objects_of $dir) $(libraries)
	done
	exec 9>&-
}

# Of what `times` says: what the processes that a shell has waited for took of processors.
cpu_seconds() {
	awk 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, part, "[ms]"); sum += part[1] * 60 + part[2] } }
		END { printf "%d", sum }'
}

# One target, for so long; its proof line goes to results, what it said to logs.
run_one() {
	seconds=$1
	name=$2
	log=$dir/logs/$name.txt
	dictionary=
	[ ! -e "tests/fuzz/$name.dict" ] || dictionary=-dict=tests/fuzz/$name.dict
	mkdir -p "$dir/corpus/$name" "tests/fuzz/corpus/$name"
	status=0
	# shellcheck disable=SC2046,SC2086
	"$dir/fuzz_$name" -max_total_time="$seconds" -timeout=$input_seconds -rss_limit_mb=$rss_mib \
		-print_final_stats=1 $dictionary $(flags_of "$name") \
		-artifact_prefix="$dir/crashes/$name-" "$dir/corpus/$name" "tests/fuzz/corpus/$name" \
		>"$log" 2>&1 || status=$?
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
	[ -n "$executions" ] || executions=$(sed -n 's/^#\([0-9]*\).*/\1/p' "$log" | tail -1)
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
	[ $status -eq 0 ] && open=0 || open=1
	times >"$dir/results/$name.times"
	cpu=$(cpu_seconds <"$dir/results/$name.times")
	echo "proof: fuzz $name: $seconds s ($cpu s of a processor), ${executions:-0} executions, ${edges:-0} edges: $open open crashes" \
		>"$dir/results/$name.txt"
	cat "$dir/results/$name.txt"
	if [ $status -ne 0 ]; then
		grep -e broken: -e ERROR: -e 'runtime error' -e 'Test unit' "$log" | head -5
	fi
}

run_control() {
	rm -f "$dir"/crashes/planted-*
	"$dir/fuzz_planted" -max_total_time=60 -artifact_prefix="$dir/crashes/planted-" \
		>"$dir/logs/planted.txt" 2>&1 || :
	if grep -q 'broken:' "$dir/logs/planted.txt"; then
		echo "proof: fuzz control: 1 planted fault, behind 4 bytes: found" >"$dir/results/planted.txt"
	else
		echo "the control was not found: nothing else means anything" >"$dir/results/planted.txt"
	fi
	rm -f "$dir"/crashes/planted-*
	cat "$dir/results/planted.txt"
}

fuzz() {
	seconds=$1
	shift
	build_fuzz "$@"
	mkdir -p $dir/results $dir/logs $dir/crashes
	passed=0
	failed=0
	for name in "$@"; do
		rm -f "$dir/results/$name.txt"
	done
	printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -I '{}' $self --one "$seconds" '{}'
	for name in "$@"; do
		if grep -q -e ' edges: 0 open crashes$' -e ': found$' "$dir/results/$name.txt"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
	done
}

# The least that reaches the same edges: without regard to how often, which would be a hundred files each.
merge() {
	build_fuzz "$@"
	mkdir -p $dir/merged $dir/logs
	for name in "$@"; do
		merged=$dir/merged/$name
		rm -rf "$merged"
		mkdir -p "$merged" "$dir/corpus/$name" "tests/fuzz/corpus/$name"
		# shellcheck disable=SC2046
		"$dir/fuzz_$name" -merge=1 -use_counters=0 $(flags_of "$name") "$merged" \
			"tests/fuzz/corpus/$name" "$dir/corpus/$name" >"$dir/logs/merge-$name.txt" 2>&1
		# Of more than 50, the longest, which reach most.
		find "$merged" -type f -printf '%s %p\n' | sort -rn | tail -n +51 | cut -d' ' -f2- |
			xargs -r rm
		find "tests/fuzz/corpus/$name" -type f -exec rm '{}' +
		find "$merged" -type f -exec cp '{}' "tests/fuzz/corpus/$name" ';'
		echo "$name: $(find "$merged" -type f | wc -l) files, $(du -bs "$merged" | cut -f1) bytes"
	done
}

replay() {
	out=${OUT:-build/release}
	# shellcheck disable=SC2046
	make -s -j2 OUT="$out" $(objects_of "$out")
	mkdir -p "$out/fuzz"
	rm -f "$out/fuzz/shared.a"
	# shellcheck disable=SC2046
	ar rcs "$out/fuzz/shared.a" $(shared_objects_of "$out")
	sanitizers=
	[ "${VARIANT:-release}" != asan ] || sanitizers=-fsanitize=address,undefined
	[ "${VARIANT:-release}" != tsan ] || sanitizers=-fsanitize=thread
	[ "${VARIANT:-release}" != coverage ] || sanitizers=--coverage
	passed=0
	failed=0
	for name in planted "$@"; do
		# shellcheck disable=SC2046
		${CC:-cc} -pthread $sanitizers -o "$out/fuzz/replay_$name" "$out/tests/fuzz/fuzz_$name.o" \
			"$out/tests/fuzz/replay.o" "$out/fuzz/shared.a" $(libraries)
	done
	printf 'MARK' >"$out/fuzz/planted"
	"$out/fuzz/replay_planted" "$out/fuzz/planted" >"$out/fuzz/log" 2>&1 || :
	if grep -q 'broken:' "$out/fuzz/log"; then
		echo "proof: fuzz control: 1 planted fault: found"
		passed=1
	else
		echo "fuzz: the control did not break"
		failed=1
	fi
	for name in "$@"; do
		if timeout 60 "$out/fuzz/replay_$name" "tests/fuzz/corpus/$name" >"$out/fuzz/log" 2>&1; then
			count=$(sed -n 's/^replayed \([0-9]*\) files$/\1/p' "$out/fuzz/log")
			echo "proof: fuzz $name: $count inputs of its corpus: 0 open crashes"
			passed=$((passed + 1))
		else
			echo "fuzz $name: its corpus breaks it:"
			tail -5 "$out/fuzz/log"
			failed=$((failed + 1))
		fi
	done
}

[ $# -ge 1 ] || {
	echo "usage: $self SECONDS_EACH|merge [NAME...]" >&2
	exit 2
}
if [ "$1" = --one ]; then
	if [ "$3" = planted ]; then run_control; else run_one "$2" "$3"; fi
	exit 0
fi
if [ "$1" = names ]; then
	echo planted
	all_names
	exit 0
fi
how=$1
shift
# shellcheck disable=SC2046
case $how in
0)
	[ $# -gt 0 ] || set -- $(all_names)
	replay "$@"
	;;
merge)
	[ $# -gt 0 ] || set -- $(all_names)
	merge "$@"
	exit 0
	;;
*)
	[ $# -gt 0 ] || set -- planted $(all_names)
	fuzz "$how" "$@"
	;;
esac
# What targets put there lives as long as they do: fuzz_NAME_PROCESS, and what SQLite adds to that.
for file in /dev/shm/fuzz_*; do
	process=$(expr "$file" : '.*/fuzz_[a-z]*_\([0-9]*\)') || continue
	kill -0 "$process" 2>/dev/null || rm -f "$file"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
