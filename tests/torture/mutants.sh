#!/bin/sh
# SPDX-License-Identifier: MIT
# Puts faults into the library, one at a time, and looks whether the checker finds each of them:
# mutants.sh [PART...], where PART is a part of a mutant's name, or a bar and the beginning of its first
# run ("|sim"); all of them where none is given. Several at once need trees of their own: MUTANT_TREE.
#
# tests/torture/mutants.list has, for each mutant, the file, a line as it is there ("- ", exactly once,
# without its indentation), what it is replaced by ("+ "), and the runs ("run PROGRAM ARGUMENTS") of
# which one has to report a violated rule; they go on until the checker itself has. All is done in a
# copy of the tree below OUT/mutants, in which only what changed is built; the sources are not touched.
# The same runs must first pass without a fault: else that one reports something says nothing.
set -eu

cd "$(dirname "$0")/../.."
out=${OUT:-build/release}
list=$PWD/tests/torture/mutants.list
tree=${MUTANT_TREE:-$PWD/build/mutants}
log=$tree/run.log
kept=$tree/kept
patience=${MUTANT_TIMEOUT_S:-150}
found=0
by_checker=0
wanted_of_checker=20
by_simulator=0
by_power=0
missed=0
passed=0
failed=0

# The copy: sources and objects as they are, so that little is to be built.
make_tree() {
	rm -rf "$tree"
	mkdir -p "$tree/build" "$kept"
	cp -a src include tests tools Makefile "$tree/"
	cp -a "$out" "$tree/build/release"
	for stamp in build/.deps-*; do
		[ ! -e "$stamp" ] || cp -a "$stamp" "$tree/build/"
	done
	# Its mutant is elsewhere; and what it starts, and leaves behind where it fails, is in there.
	export TMPDIR="$tree/tmp"
	mkdir -p "$TMPDIR"
}

build() {
	(cd "$tree" && make -s OUT=build/release "build/release/proof/$1") >"$log" 2>&1
}

# Runs "PROGRAM ARGUMENTS"; the output is in $log. True where it ended with "N passed, 0 failed".
run() {
	status=0
	# shellcheck disable=SC2086
	(cd "$tree" && timeout -k 5 "$patience" build/release/proof/$1) >"$log" 2>&1 || status=$?
	rm -rf "$TMPDIR"
	mkdir -p "$TMPDIR"
	[ "$status" -eq 0 ] && grep -q '^[1-9][0-9]* passed, 0 failed$' "$log"
}

# The first rule that the run says is violated, behind the judge who says so: the checker, the
# simulator's model of the protocol, or the verdict of power cuts. The checker's is taken where there is
# one. That a process ended by itself is seen without a checker, and does not count.
violations() {
	ignored='no rule'
	grep '^process [0-9]*: ' "$log" | grep -qv ': a process ended by itself' || ignored='no call fails'
	sed -n \
		-e 's/^\(.*[^ ]\)  *VIOLATED, .*$/checker \1/p' \
		-e 's/^seed [0-9]* violates the checker in action [^:]*: \(.*\)$/checker \1/p' \
		-e 's/^seed [0-9]* violates \([^ ]*\) in action [^:]*: \(.*\)$/simulator \1 \2/p' \
		-e 's/^proof: power: [0-9]* disk states at level disk.*: \([1-9][0-9]* acknowledgements at level disk lost\).*/power Q5 \1/p' \
		"$log" | grep -v "^checker $ignored" | LC_ALL=C sort -s -k 1,1 | head -1 | cut -c 1-110
}

# Replaces the line in the copy; what is replaced must be there, once.
replace() {
	ORIGINAL=$2 REPLACEMENT=$3 awk '
	{
		line = $0
		sub(/^[ \t]+/, "", line)
		if (line == ENVIRON["ORIGINAL"]) {
			count++
			match($0, /^[ \t]*/)
			print substr($0, 1, RLENGTH) ENVIRON["REPLACEMENT"]
		} else {
			print
		}
	}
	END { exit count == 1 ? 0 : 1 }' "$1" >"$tree/$file"
}

# The file as it was, and its object too: nothing is to be built of it again.
restore() {
	cp -a "$kept/source" "$tree/$file"
	cp -a "$kept/object" "$tree/build/release/${file%.c}.o"
	touch "$tree/build/release/${file%.c}.o"
}

try_mutant() {
	cp -a "$tree/$file" "$kept/source"
	cp -a "$tree/build/release/${file%.c}.o" "$kept/object"
	if ! replace "$kept/source" "$original" "$replacement"; then
		restore
		echo "$name: $file has no such line, or more than one: $original"
		return 1
	fi
	printf '%s\n' "$runs" >"$tree/runs"
	said='' by=''
	# On to the next run until the checker says so, too.
	while [ "${said%% *}" != checker ] && IFS= read -r command; do
		if ! build "${command%% *}"; then
			tail -5 "$log"
			break
		fi
		! run "$command" || continue
		finding=$(violations)
		case $finding in
		'') ;;
		checker\ *) said=$finding by=$command ;;
		*) [ -n "$said" ] || said=$finding by=$command ;;
		esac
	done <"$tree/runs"
	restore
	[ -n "$said" ] || return 1
	echo "$name: found by the ${said%% *}: ${said#* } ($by)"
}

is_wanted() {
	[ -n "$wanted" ] || return 0
	printf '%s\n' "$wanted" | while IFS= read -r part; do
		case "$name|$runs" in
		*"$part"*) exit 1 ;;
		esac
	done && return 1
	return 0
}

conclude() {
	[ -n "$name" ] || return 0
	is_wanted || return 0
	case $mode in
	runs)
		printf '%s\n' "$runs"
		;;
	mutants)
		if try_mutant; then
			found=$((found + 1))
			case $said in
			checker\ *) by_checker=$((by_checker + 1)) ;;
			simulator\ *) by_simulator=$((by_simulator + 1)) ;;
			power\ *) by_power=$((by_power + 1)) ;;
			esac
		else
			echo "$name: MISSED"
			missed=$((missed + 1))
		fi
		;;
	esac
}

# Reads the list, and does what the mode says with each mutant of it.
each() {
	mode=$1
	name='' file='' original='' replacement='' runs=''
	while IFS= read -r line; do
		case $line in
		'mutant '*)
			conclude
			name=${line#mutant } runs=''
			;;
		'file '*) file=${line#file } ;;
		'- '*) original=${line#- } ;;
		'+ '*) replacement=${line#+ } ;;
		'run '*) runs="$runs${runs:+
}${line#run }" ;;
		esac
	done <"$list"
	conclude
}

wanted=$([ $# -eq 0 ] || printf '%s\n' "$@")
make_tree
each runs | sort -u >"$tree/all"
while IFS= read -r command; do
	if build "${command%% *}" && run "$command"; then
		echo "without a fault: $command: passes"
		passed=$((passed + 1))
	else
		echo "without a fault: $command: FAILS"
		tail -30 "$log"
		failed=$((failed + 1))
	fi
done <"$tree/all"
each mutants
echo "proof: mutants: $((found + missed)) faults put into the library: $found found, $by_checker of them by the checker, $by_simulator by the simulator's model alone, $by_power by what is read after power cuts alone"
if [ -z "$wanted" ] && [ "$by_checker" -lt "$wanted_of_checker" ]; then
	echo "the checker must find $wanted_of_checker of them itself"
	failed=$((failed + 1))
fi
echo "$found/$((found + missed))"
echo "$((passed + found)) passed, $((failed + missed)) failed"
[ $((failed + missed)) -eq 0 ] && [ "$found" -gt 0 ] && rm -rf "$tree"
