#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Tests the checks of tools/lint: each gets a small clean tree, which it must pass, and then that
# tree with one violation, which it must name. A check that cannot fail proves nothing.
set -u
export LC_ALL=C
parts=$(cd "$(dirname "$0")" && pwd)
lint=$(cd "$parts/../../tools/lint" && pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
clean=$work/clean
tree=$work/tree
header=$clean/include/stepbus.h
cdef=$clean/include/stepbus.cdef.h
output=$work/output
soname=-Wl,-soname,libstepbus.so.0
relro=-Wl,-z,relro
now=-Wl,-z,now

# ---- how a check is tested -----------------------------------------------------------------------

# Counted in a file, since the ends of pipes run in processes of their own.
report() {
	if [ "$1" -eq 0 ]; then
		echo "ok $2"
	else
		echo "not ok $2"
		sed 's/^/    /' "$output"
	fi | tee -a "$work/results"
}

# expect TITLE CODE TEXT COMMAND...: COMMAND ends with CODE and says TEXT.
expect() {
	title=$1 code=$2 text=$3
	shift 3
	"$@" >"$output" 2>&1
	[ $? -eq "$code" ] && { [ -z "$text" ] || grep -qF -e "$text" "$output"; }
	report $? "$title"
}

put() {
	mkdir -p "$(dirname "$1")"
	cat >"$1"
}

fresh_tree() {
	rm -rf "$tree"
	cp -R "$clean" "$tree"
}

# violation CHECK TEXT PATH: with standard input as PATH, CHECK fails at PATH and says TEXT.
violation() {
	fresh_tree
	put "$tree/$3"
	sh "$lint/$1.sh" "$tree" >"$output" 2>&1
	[ $? -eq 1 ] && grep -E "^$3:[0-9]+:" "$output" | grep -qF -e "$2"
	report $? "$1 finds in $3: $2"
}

# allowed CHECK WHAT PATH: with standard input as PATH, CHECK passes.
allowed() {
	fresh_tree
	put "$tree/$3"
	expect "$1 allows $2" 0 '' sh "$lint/$1.sh" "$tree"
}

# ---- the clean tree ------------------------------------------------------------------------------

make_clean_tree() {
	put "$header" <<'END'
/* SPDX-License-Identifier: MIT */
#ifndef STEPBUS_H
#define STEPBUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STEPBUS_API __attribute__((visibility("default")))

/* Opaque. A comment about a union, a long, time_t and ... is no code. */
typedef struct stepbus_thing stepbus_thing;

enum { STEPBUS_OK = 0 };

typedef struct stepbus_spec {
	uint32_t size;
	uint32_t flags;
	void (*destroy)(void *user_data);
} stepbus_spec;

/**
 * Answers one.
 *
 * threads     any.
 * errors      none.
 * since       0.1
 */
STEPBUS_API int32_t stepbus_one(const stepbus_spec *spec);

#ifdef __cplusplus
}
#endif

#endif
END
	sh "$lint/../cdef.sh" "$header" | put "$cdef"
	put "$clean/src/base/number.h" <<'END'
/* SPDX-License-Identifier: MIT */
#ifndef SB_BASE_NUMBER_H
#define SB_BASE_NUMBER_H

#include "include/stepbus.h"

int32_t sb_number_one(void);

#endif
END
	put "$clean/src/base/number.c" <<'END'
/* SPDX-License-Identifier: MIT */
#include "base/number.h"

int32_t sb_number_one(void)
{
	return 1;
}
END
	put "$clean/src/ffi/one.c" <<'END'
/* SPDX-License-Identifier: MIT */
#include "include/stepbus.h"

#include <stddef.h>

#include "base/number.h"

int32_t stepbus_one(const stepbus_spec *spec)
{
	return spec == NULL ? 0 : sb_number_one();
}
END
	printf '# SPDX-License-Identifier: MIT\nall:\n' | put "$clean/Makefile"
}

test_clean_tree() {
	for check in layers sizes banned spdx format tidy cppcheck shell; do
		expect "$check passes a clean tree" 0 '' sh "$lint/$check.sh" "$clean"
		expect "$check without a tree could not run" 2 usage sh "$lint/$check.sh"
	done
	expect 'header passes a clean header' 0 '' sh "$lint/header.sh" "$header"
	expect 'cdef passes a clean header' 0 '' sh "$lint/cdef.sh" "$header" "$cdef"
}

# ---- layers --------------------------------------------------------------------------------------

# arrow FOLDER HEADER: a file in FOLDER may not include HEADER.
arrow() {
	echo "#include \"$2\"" | violation layers "may not include \"$2\"" "$1/x.c"
}

test_arrows() {
	arrow src/base bridge/bus.h
	arrow src/base config/tree.h
	arrow src/config registry/table.h
	arrow src/store bridge/bus.h
	arrow src/store config/tree.h
	arrow src/bridge store/store.h
	arrow src/registry bridge/bus.h
	arrow src/workflow store/store.h
	arrow src/handlers config/tree.h
	arrow src/handlers ffi/one.h
	arrow src/ffi http/server.h
	arrow src/http base/number.h
	arrow src/cli ffi/one.h
	arrow examples base/number.h
	arrow bench base/number.h
	arrow bindings/lua base/number.h
	echo '  #  include <bridge/bus.h>' |
		violation layers 'may not include "bridge/bus.h"' src/base/x.c
	echo '#include "number.h"' | violation layers 'names no folder' src/base/x.c
	echo '#include "number.h"' | violation layers 'names no folder' tests/unit/x.c
	echo '#include "base/../bridge/bus.h"' | violation layers 'climbs' src/base/x.c
	echo '#include "base/number.h"' | violation layers 'stands alone' include/stepbus.h
	echo '#include HIDDEN' | violation layers 'hides what is included' src/base/x.c
	echo 'int x;' | violation layers 'src/extra is no layer' src/extra/x.c

	allowed layers 'what handlers sees' src/handlers/commoner.c <<'END'
#include "base/number.h"
#include "handlers/pool.h"
#include "include/stepbus.h"
#include "workflow/graph.h"
/* #include "ffi/one.h" */
END
	printf '#include "include/stepbus.h"\n#include "bench/bus.h"\n#include <event2/event.h>\n' |
		allowed layers 'a host its own headers and its peers' bench/x.c
	echo '#include "base/number.h"' | allowed layers 'tests to see a layer' tests/unit/x.c
	echo '#include "base/number.h"' | allowed layers 'tools to see a layer' tools/x.c
}

# owner HEADER OWNER STRANGER: OWNER may include HEADER, and STRANGER may not.
owner() {
	echo "#include <$1>" | allowed layers "$1 in $2" "$2"
	echo "#include <$1>" | violation layers "<$1> belongs to" "$3"
}

test_owners() {
	owner cjson/cJSON.h src/base/json.c src/bridge/x.c
	owner uthash.h src/base/map.h src/registry/x.h
	owner event2/event.h src/bridge/loop.c src/bridge/x.c
	owner event2/http.h src/http/server.c src/ffi/x.c
	owner sqlite3.h src/store/sqlite_open.c src/handlers/x.c
	for name in utils.c string_util.h common.h helper.c test-helpers.c handler_manager.h; do
		echo 'int x;' | violation layers 'says nothing' "src/base/$name"
	done
	echo 'int x;' | violation layers 'says nothing' tests/common/x.c
}

# ---- sizes ---------------------------------------------------------------------------------------

# A function of $1 lines.
write_function() {
	echo 'static int long_one(void)'
	echo '{'
	yes '	work();' | head -n $(($1 - 3))
	echo '}'
}

test_sizes() {
	for path in src/base/x.c src/base/x.h tests/unit/x.c bench/x.c; do
		write_function 71 | violation sizes 'long_one has 71 lines' $path
	done
	write_function 70 | allowed sizes 'a function of 70 lines' src/base/x.c
	echo "int wide(int a, int b, int c, int d, int (*e)(int, int), int f, int g) { }" |
		violation sizes 'wide takes 7 parameters' src/base/x.c
	echo "int stepbus_wide(int a, int b, int c, int d, int e, int f, int g) { return 0; }" |
		allowed sizes 'an exported function with 7 parameters' src/base/x.c
	allowed sizes '6 parameters, and a pointer type with 7' src/base/x.c <<'END'
int wide(int a, int b, int c, int d, int e, int (*f)(int, int)) { return 0; }
typedef int (*wide_fn)(int a, int b, int c, int d, int e, int f, int g);
END
	for path in src/base/x.c tests/unit/x.c tools/x.sh bench/x.c; do
		yes '' | head -n 601 | violation sizes 'the file has 601 lines' $path
	done
	yes '' | head -n 601 | allowed sizes 'a long public header' include/stepbus.h
	yes '' | head -n 201 | violation sizes 'the file has 201 lines' Makefile
	expect 'sizes summarizes src' 0 'src: 2 functions, lines median 4, p90 4, max 4' \
		sh "$lint/sizes.sh" "$clean"
}

# ---- banned --------------------------------------------------------------------------------------

test_banned_calls() {
	for name in strcpy strcat sprintf vsprintf gets strtok atoi rand srand signal system \
		alloca getenv exit abort setlocale printf fprintf puts malloc calloc realloc free \
		dlopen dlsym dlmopen opendir readdir scandir glob ftw nftw; do
		printf 'int x(void)\n{\n\treturn (int)%s (0);\n}\n' $name |
			violation banned "$name is banned" src/bridge/x.c
	done
	for name in stderr stdout; do
		echo "void x(void) { use($name); }" |
			violation banned "$name is banned" src/bridge/x.c
	done
	for name in sleep usleep nanosleep; do
		echo "void x(void) { $name(1); }" |
			violation banned "$name is banned" tests/unit/x.c
	done
	echo 'static inline void x(void) { abort(); }' |
		violation banned 'abort is banned' include/x.h
}

test_banned_among_other_text() {
	while IFS= read -r line; do
		echo "$line" | violation banned 'free is banned' src/bridge/x.c
	done <<'END'
void x(void) { box.discard = free; }
void x(void) { keep(y, free); }
void x(void) { /* why */ free(y); }
const char *s = "\"/*"; void x(void) { free(s); } /* */
char c = '"'; void x(void) { free(s); } char d = '"';
int x(int a) { return a > free(s); }
END
	allowed banned 'comments, literals, members and longer names' src/bridge/x.c <<'END'
/* free(x); strcpy(a, b)
 * abort(); */
// exit(1);
struct box { void (*free)(void *); int signal; };
const char *text = "free(x) \" abort() \
	exit(2)";
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void x(struct box *box, struct box other)
{
	sb_release(box); cJSON_free(box); box->free(box); other.free = sb_free; other . free(0);
	other.signal = 1; snprintf(text, 1, "%d", '"'); my_exit(1); free_all(); nanosleep(0, 0);
}
END
	echo 'void x(void) { free(realloc(0, 1)); }' | allowed banned 'memory in base' src/base/x.c
	for path in src/cli/x.c tests/unit/x.c; do
		echo 'int main(void) { printf("%s", getenv("A")); exit(0); }' |
			allowed banned "output in $path" $path
	done
}

# ---- header --------------------------------------------------------------------------------------

# header_violation TEXT: the clean header with standard input in it fails and says TEXT.
header_violation() {
	fresh_tree
	cat >"$work/more"
	sed "/^enum/r $work/more" "$header" >"$tree/include/stepbus.h"
	sh "$lint/header.sh" "$tree/include/stepbus.h" >"$output" 2>&1
	[ $? -eq 1 ] && grep -E '/stepbus.h:[0-9]+:' "$output" | grep -qF -e "$1"
	report $? "header finds: $1"
}

# A complete comment but for the line that begins with $1, and a function.
write_function_without() {
	printf '/**\n * Text.\n *\n * threads  any.\n * errors   none.\n * since    0.1\n */\n' |
		grep -v "^ \* $1"
	echo 'STEPBUS_API int32_t stepbus_two(void);'
}

test_header_comments() {
	echo 'STEPBUS_API int32_t stepbus_two(void);' |
		header_violation 'stepbus_two has no /** comment'
	write_function_without nothing | sed 's/^STEPBUS/\n&/' |
		header_violation 'stepbus_two has no /** comment'
	for word in threads errors since; do
		write_function_without $word |
			header_violation "the comment of stepbus_two has no \" * $word  \" line"
	done
	echo 'extern STEPBUS_API int32_t stepbus_data;' | header_violation 'STEPBUS_API opens'
}

test_header_types() {
	echo 'typedef struct box { int32_t x; uint32_t size; } box;' |
		header_violation 'starts with "uint32_t size;"'
	echo 'typedef struct { uint64_t size; } box;' |
		header_violation 'starts with "uint32_t size;"'
	echo 'typedef long stepbus_count;' | header_violation 'use int64_t'
	printf '#include <time.h>\ntypedef time_t stepbus_time;\n' | header_violation 'time_t has'
	echo 'enum color { RED };' | header_violation 'an enum type'
	echo 'typedef enum { RED } color;' | header_violation 'an enum type'
	echo 'typedef void (*paint)(enum color c);' | header_violation 'an enum type'
	echo 'typedef struct bits { uint32_t size; uint32_t low : 4; } bits;' |
		header_violation 'a bit-field'
	echo 'typedef union either { int32_t a; uint32_t b; } either;' | header_violation 'a union'
	echo 'typedef void (*print)(int32_t count, ...);' | header_violation 'varargs'
}

# cdef_violation TEXT: the clean header with standard input in it has no cdef, and the check says TEXT.
cdef_violation() {
	fresh_tree
	cat >"$work/more"
	sed "/^enum/r $work/more" "$header" >"$tree/include/stepbus.h"
	expect "cdef finds: $1" 2 "$1" \
		sh "$lint/cdef.sh" "$tree/include/stepbus.h" "$tree/include/stepbus.cdef.h"
}

test_cdef() {
	stale=$work/stale.h
	sed '/^int32_t stepbus_one/d' "$cdef" >"$stale"
	expect 'cdef finds a function that is missing' 1 'run "make cdef"' \
		sh "$lint/cdef.sh" "$header" "$stale"
	sed 's/uint32_t flags;/uint64_t flags;/' "$cdef" >"$stale"
	expect 'cdef finds a field of another type' 1 '+	uint32_t flags;' \
		sh "$lint/cdef.sh" "$header" "$stale"
	expect 'cdef without its file fails' 1 'run "make cdef"' \
		sh "$lint/cdef.sh" "$header" "$work/none.h"
	expect 'cdef without a header could not run' 2 'cdef: no' \
		sh "$lint/cdef.sh" "$work/none.h" "$cdef"
	echo 'enum { STEPBUS_ONE };' | cdef_violation 'STEPBUS_ONE needs a number'
	echo 'enum { STEPBUS_ONE = 1 << 2 };' | cdef_violation 'STEPBUS_ONE needs a number'
	echo 'typedef struct box { uint32_t size; char text[STEPBUS_LEN]; } box;' |
		cdef_violation 'the length of an array'
	echo 'typedef struct box { uint32_t size; struct { int32_t x; } in; } box;' |
		cdef_violation 'what is in braces'
	echo 'int32_t stepbus_two(void) __attribute__((pure));' |
		cdef_violation '"__attribute__" is not what'
	echo 'extern int32_t stepbus_two;' | cdef_violation '"extern" is not what'
}

test_cdef_text() {
	put "$tree/all.h" <<'END'
/* A comment; with { braces }. */
#define STEPBUS_ABI_VERSION 3
#define STEPBUS_VERSION "1.0"
#define STEPBUS_TEXT(a) (a), \
	(sizeof(a) - 1)
#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#define STEPBUS_API __attribute__((visibility("default")))
#endif
enum { STEPBUS_LOW = -1, /* low */ STEPBUS_HIGH = 2, };
typedef struct stepbus_box {
	uint32_t size; const char *const *names; uint8_t id[16];
	void *(*make)(void *self,
		      int32_t (*visit)(void *));
} stepbus_box;
STEPBUS_API const char *
stepbus_name(const stepbus_box *box, size_t *len);
#ifdef __cplusplus
}
#endif
END
	put "$work/expected" <<'END'
enum {
	STEPBUS_ABI_VERSION = 3
};
enum {
	STEPBUS_LOW = - 1,
	STEPBUS_HIGH = 2
};
typedef struct stepbus_box {
	uint32_t size;
	const char *const *names;
	uint8_t id[16];
	void *(*make)(void *self, int32_t (*visit)(void *));
} stepbus_box;
const char *stepbus_name(const stepbus_box *box, size_t *len);
END
	sh "$lint/../cdef.sh" "$tree/all.h" | sed 1,3d >"$work/actual"
	expect 'a cdef is declarations, one a line' 0 '' diff "$work/expected" "$work/actual"
}

test_header_languages() {
	echo 'enum { STEPBUS_ALIGNMENT = _Alignof(int32_t) };' | header_violation 'ISO C99'
	echo 'typedef struct { uint32_t size; int32_t class; } box;' |
		header_violation 'multiple types in one declaration'
	echo 'typedef int32_t stepbus_x;;' | header_violation 'ISO C does not allow extra'
	expect 'header without a file could not run' 2 'header: no' \
		sh "$lint/header.sh" "$work/none.h"
	expect 'header without a compiler could not run' 2 'install it' \
		env CXX=no-such-compiler sh "$lint/header.sh" "$header"
}

# ---- symbols and abi -----------------------------------------------------------------------------

# shellcheck source=/dev/null # a check sees one file at a time
. "$parts/built.sh"

# ---- spdx, and which files are looked at ---------------------------------------------------------

test_spdx() {
	for path in src/base/x.c src/base/x.h tools/x.sh tools/x.awk rules.mk bench/x.cpp \
		bindings/node/x.js bindings/node/x.mjs bindings/python/x.py examples/x.cc examples/x.rs \
		examples/x.go examples/x.rb examples/x.lua tests/bindings/x.php src/ffi/x.map Makefile .clang-format \
		.clang-tidy .ci/run; do
		printf '\n\n\nSPDX-License-Identifier: MIT\n' |
			violation spdx 'names no licence' $path
	done
	for folder in work farm; do
		echo "See /$folder/notes." | violation spdx 'a folder of one machine' README.md
	done
	echo 'docs/work/x and http://host/work/x' | allowed spdx 'paths in the tree' README.md
	echo 'Text.' | allowed spdx 'documents without a licence line' docs/x.md
}

test_listing() {
	fresh_tree
	git init -q "$tree"
	echo 'ignored.c' >"$tree/.gitignore"
	echo 'int x;' | tee "$tree/ignored.c" >"$tree/deleted.c"
	git -C "$tree" add deleted.c
	rm "$tree/deleted.c"
	expect 'spdx passes over ignored and deleted files' 0 '' sh "$lint/spdx.sh" "$tree"
	echo 'int x;' >"$tree/new.c"
	expect 'spdx looks at files that git does not track yet' 1 'new.c:1:' \
		sh "$lint/spdx.sh" "$tree"
}

# ---- the tools of others, with our settings ------------------------------------------------------

test_tools() {
	echo 'int x(void) { return 1; }' | violation format 'laid out differently' src/base/x.c
	echo '#define TWICE(x) x + x' | violation tidy 'bugprone-macro-parentheses' src/base/x.c
	printf 'void sb_x(int n)\n{\n\tif (n > 0)\n\t\tsb_x(n - 1);\n}\n' |
		violation tidy 'misc-no-recursion' src/base/x.c
	printf 'int sb_x(void)\n{\n\tint a[2] = { 0 };\n\n\treturn a[2];\n}\n' |
		violation cppcheck 'arrayIndexOutOfBounds' src/base/x.c
	if command -v shellcheck >/dev/null; then
		printf "#!/bin/sh\nrm -r \$1\n" | violation shell 'SC2086' tools/x.sh
	fi
	for check in format tidy; do
		expect "$check without its tool could not run" 2 'install it' \
			env CLANG_FORMAT=none CLANG_TIDY=none sh "$lint/$check.sh" "$clean"
	done
}

test_lint() {
	build_versioned "$work/lib.c" $soname $relro $now
	mkdir -p "$clean/abi"
	sh "$lint/../abi.sh" "$clean/include" "$work/libstepbus.so.0" >"$clean/abi/stepbus.abi"
	expect 'lint passes a clean tree' 0 'ok   shell' env OUT="$work" sh "$lint.sh" "$clean"
	fresh_tree
	echo '#include "bridge/bus.h"' >"$tree/src/base/x.h"
	expect 'lint fails with one of its checks' 1 'FAIL layers' \
		env OUT="$work/none" sh "$lint.sh" "$tree"
	cp "$output" "$work/lint"
	for line in 'ok   sizes' 'ok   banned' 'ok   header' 'ok   cdef' 'FAIL symbols' 'FAIL abi' 'FAIL spdx' \
		'ok   format' 'ok   tidy' 'ok   cppcheck' 'ok   shell'; do
		expect "lint goes on after a failure: $line" 0 "$line" cat "$work/lint"
	done
}

make_clean_tree
test_clean_tree
test_arrows
test_owners
test_sizes
test_banned_calls
test_banned_among_other_text
test_header_comments
test_header_types
test_header_languages
test_cdef
test_cdef_text
test_exports
test_prefix
test_imports
test_linking
test_writable
test_abi
test_spdx
test_listing
test_tools
test_lint

failed=$(grep -c '^not ok' "$work/results")
echo "$(grep -c '^ok' "$work/results") passed, $failed failed"
[ "$failed" -eq 0 ]
