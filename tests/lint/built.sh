#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tests of the checks that look at built libraries. A part of test_lint.sh, which says what is what.
# shellcheck disable=SC2154 # what is not set here is its
set -u

# ---- symbols -------------------------------------------------------------------------------------

# build SOURCE FLAG...: makes both libraries out of SOURCE, the shared one with FLAGs.
build() {
	source=$1
	shift
	gcc -w -g -O1 -fPIC -fno-builtin "-ffile-prefix-map=$work=." -c "$source" -o "$work/lib.o"
	gcc -shared "$work/lib.o" -o "$work/libstepbus.so.0" "$@"
	rm -f "$work/libstepbus.a"
	ar rcs "$work/libstepbus.a" "$work/lib.o"
}

# As build, with all symbols in a version.
build_versioned() {
	echo 'STEPBUS_0.1 { global: stepbus_*; local: *; };' >"$work/export.map"
	build "$@" "-Wl,--version-script=$work/export.map"
}

check_symbols() {
	sh "$lint/symbols.sh" "$header" "$work/libstepbus.so.0" "$work/libstepbus.a"
}

# linked TEXT FLAG...: the clean library, linked with FLAGs, fails and says TEXT.
linked() {
	text=$1
	shift
	build_versioned "$work/lib.c" "$@" 2>/dev/null
	expect "symbols finds: $text" 1 "$text" check_symbols
}

# with_source TEXT: the clean library with standard input in it fails and says TEXT.
with_source() {
	cat "$work/lib.c" - >"$work/bad.c"
	build_versioned "$work/bad.c" "$soname" "$relro" "$now"
	expect "symbols finds: $1" 1 "$1" check_symbols
}

test_exports() {
	put "$work/lib.c" <<'END'
static const int low, high;
static const int *const table[] = { &low, &high };
int stepbus_one(void) { static int turn; return *table[turn++ & 1]; }
END
	build_versioned "$work/lib.c" "$soname" "$relro" "$now"
	expect 'symbols passes a clean library' 0 '' check_symbols
	echo 'int stepbus_two(void) { return 2; }' | with_source 'so.0: exports stepbus_two'
	echo 'int stepbus_two(void) { return 2; }' | with_source 'stepbus.a: exports stepbus_two'
	echo 'int sb_two(void) { return 2; }' | with_source 'stepbus.a: exports sb_two'

	echo 'int sb_one(void) { return 1; }' >"$work/bad.c"
	build_versioned "$work/bad.c" "$soname" "$relro" "$now"
	for file in so.0 a; do
		text="libstepbus.$file: does not export stepbus_one"
		expect "symbols finds: $text" 1 "$text" check_symbols
	done
	build "$work/lib.c" "$soname" "$relro" "$now"
	expect 'symbols finds: no version' 1 'stepbus_one has no version' check_symbols
	expect 'symbols without a library could not run' 2 'build it first' \
		sh "$lint/symbols.sh" "$header" "$work/none.so" "$work/libstepbus.a"
}

test_prefix() {
	fresh_tree
	sed 's/stepbus_one/other_one/' "$header" >"$tree/include/stepbus.h"
	expect 'symbols finds: a name without the prefix' 1 'does not start with stepbus_' \
		sh "$lint/symbols.sh" "$tree/include/stepbus.h" "$work/libstepbus.so.0" \
		"$work/libstepbus.a"
}

test_imports() {
	names='dlopen dlmopen dlsym opendir readdir readdir64 scandir glob ftw nftw system popen
		execl execv execve execvp posix_spawn fork vfork exit _exit abort signal sigaction
		setlocale chdir umask getenv tmpnam mktemp gets strcpy strcat sprintf vsprintf rand
		srand stderr stdout __sprintf_chk __strcpy_chk'
	sum=0
	for name in $names; do
		echo "extern int $name;"
		sum="$sum + $name"
	done >"$work/imports.c"
	echo "int stepbus_one(void) { return $sum; }" >>"$work/imports.c"
	build_versioned "$work/imports.c" "$soname" "$relro" "$now" 2>/dev/null
	check_symbols >"$work/findings"
	for symbol in $names; do
		for file in so.0 a; do
			expect "symbols finds: libstepbus.$file imports $symbol" 0 '' \
				grep -q "libstepbus.$file: imports $symbol:" "$work/findings"
		done
	done
}

test_linking() {
	linked 'SONAME is' "$relro" "$now"
	linked 'has no RELRO' "$soname" -Wl,-z,norelro "$now"
	linked 'not bound at load time' "$soname" "$relro" -Wl,-z,lazy
	linked 'has an RPATH' "$soname" "$relro" "$now" -Wl,-rpath,/usr/lib/none
	linked 'executable stack' "$soname" "$relro" "$now" -Wl,-z,execstack
	# Only this machine's assembler lets a shared library hold addresses of its own.
	if [ "$(uname -m)" = x86_64 ]; then
		echo '.text; .quad stepbus_one; .section .note.GNU-stack,"",@progbits' |
			gcc -x assembler -c - -o "$work/absolute.o"
		linked 'text relocations' "$soname" "$relro" "$now" -Wl,-z,notext "$work/absolute.o"
	fi
}

# ---- abi -----------------------------------------------------------------------------------------

# The clean library as its header declares it, with what FILTER makes of that.
build_filtered() {
	sed -e "$1" "$header" >"$work/filtered.h"
	printf '#include "%s"\n' "$work/filtered.h" >"$work/abi.c"
	sed -e "$1" >>"$work/abi.c" <<'END'
int32_t stepbus_one(const stepbus_spec *spec) { return spec != 0; }
int32_t stepbus_two(stepbus_thing *thing) { return thing != 0; }
END
	build_versioned "$work/abi.c" "$soname" "$relro" "$now"
}

check_abi() {
	sh "$lint/abi.sh" "$work" "$work/stepbus.abi" "$work/libstepbus.so.0"
}

# changed FILTER TEXT...: the library with what FILTER makes of it is no longer the one written down.
changed() {
	build_filtered "$1"
	shift
	check_abi >"$output" 2>&1
	code=$?
	for text; do
		[ "$code" -eq 1 ] && grep -qF -e "$text" "$output"
		report $? "abi finds: $text"
	done
}

test_abi() {
	build_filtered ''
	sh "$lint/../abi.sh" "$work" "$work/libstepbus.so.0" >"$work/stepbus.abi"
	expect 'abi passes the library that was written down' 0 '' check_abi
	mkdir -p "$work/elsewhere"
	(cd "$work/elsewhere" && sh "$lint/../abi.sh" .. ../libstepbus.so.0) >"$work/again.abi"
	expect 'an abi is the same wherever it is made' 0 '' cmp "$work/stepbus.abi" "$work/again.abi"
	expect 'an abi names no folder' 1 '' grep -F "$work" "$work/stepbus.abi"
	build_filtered 's/\([ *]\)spec\([ )]\)/\1given\2/g'
	expect 'abi passes over the name of a parameter' 0 '' check_abi

	changed 's/uint32_t flags;/uint64_t flags;/' "'uint32_t flags'" 'run "make abi"'
	changed 's/uint32_t flags;//' 'data member deletion' 'run "make abi"'
	changed 's/uint32_t flags;/uint32_t kind;&/' "'uint32_t kind'" 'run "make abi"'
	changed 's/void (\*destroy.*/&uint64_t more;/' "'uint64_t more'" 'run "make abi"'
	changed 's/(void \*user_data)/(int64_t user_data)/' "parameter 1 of type 'void*'" 'run "make abi"'
	changed 's/const stepbus_spec \*spec/int32_t spec/' 'int32_t stepbus_one' 'run "make abi"'
	changed '/stepbus_two/s/.*/&int32_t stepbus_three(void) { return 3; }/' \
		'Added function' 'run "make abi"'
	changed '/stepbus_two/d' 'Removed function' 'breaks hosts that were built against'

	gcc -w -shared -fPIC "$work/lib.c" -o "$work/plain.so"
	expect 'abi without debug information could not run' 2 'built without -g' \
		sh "$lint/abi.sh" "$work" "$work/stepbus.abi" "$work/plain.so"
	expect 'abi without a library could not run' 2 'make it first' \
		sh "$lint/abi.sh" "$work" "$work/stepbus.abi" "$work/none.so"
}

test_writable() {
	for kind in 'static int counter' 'static int counter = 7' 'int counter' \
		'static _Thread_local int counter' 'static _Thread_local int counter = 7'; do
		echo "$kind; int sb_counter_next(void) { return ++counter; }" |
			with_source 'libstepbus.so.0: counter is writable'
	done
	strip "$work/libstepbus.so.0"
	expect 'symbols finds: writable data behind a stripped library' 1 \
		'libstepbus.a: counter is writable' check_symbols
}
