#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests the Node binding: builds the addon, runs its tests and examples, checks its types, and installs the
# package into an empty folder. Node and its headers come with apt, the compiler of TypeScript with npm.
# Prints "N passed, N failed". OUT names the build whose library is used; SANITIZE=asan tests the addon
# under AddressSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath -m "${OUT:-build/release}")
binding=$PWD/bindings/node
tools=$PWD/build/node-tools
passed=0
failed=0

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_node() {
	local wanted=()
	command -v node >/dev/null || wanted+=(nodejs)
	command -v npm >/dev/null || wanted+=(npm)
	has_headers || wanted+=(libnode-dev)
	[ ${#wanted[@]} -eq 0 ] && return
	echo "installing: ${wanted[*]}" >&2
	as_root apt-get update -qq >/dev/null
	DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

has_headers() {
	command -v node >/dev/null || return 1
	local prefix
	prefix=$(node -p 'require("path").resolve(process.execPath, "../..")')
	[ -e "$prefix/include/node/node_api.h" ] || [ -e /usr/include/node/node_api.h ] ||
		[ -e /usr/include/nodejs/src/node_api.h ]
}

install_typescript() {
	[ -x "$tools/node_modules/.bin/tsc" ] && return
	mkdir -p "$tools"
	(cd "$tools" && npm install --silent --no-audit --no-fund --no-save --prefix . typescript@5 @types/node@20 >&2)
}

# Counts what a command says of itself by its exit status.
check() {
	local name=$1 log
	shift
	if log=$("$@" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAIL %s\n%s\n' "$name" "$log" >&2
	fi
}

# The tests of node --test are counted one by one.
run_tests() {
	local log status=0
	log=$(cd "$binding" && timeout 600 node --test --test-reporter=tap test/*.test.mjs 2>&1) || status=$?
	passed=$((passed + $(count "$log" pass)))
	failed=$((failed + $(count "$log" fail) + $(count "$log" cancelled)))
	[ "$status" -eq 0 ] && return
	printf '%s\n' "$log" | grep -A 25 '^ *not ok' >&2 || printf '%s\n' "$log" | tail -n 40 >&2
	# A run that ended before its summary has failed too.
	[ "$(count "$log" fail)" -gt 0 ] || failed=$((failed + 1))
}

count() {
	printf '%s\n' "$1" | sed -n "s/^# $2 \([0-9]*\)$/\1/p" | tail -n 1 | grep . || echo 0
}

check_types() {
	"$tools/node_modules/.bin/tsc" -p "$binding/test/tsconfig.json" --typeRoots "$tools/node_modules/@types"
}

# The package in a folder of its own, as a user gets it.
check_package() {
	local folder tarball
	folder=$(mktemp -d)
	cp LICENSE "$binding/LICENSE"
	tarball=$(cd "$binding" && npm pack --silent --pack-destination "$folder")
	rm "$binding/LICENSE"
	(
		cd "$folder"
		echo '{"private": true}' >package.json
		npm install --silent --offline --no-audit --no-fund --ignore-scripts "./$tarball"
		cp "$binding/examples/hello.mjs" .
		[ "$(timeout 60 node hello.mjs 2>/dev/null)" = 'Hello, world!' ]
		cat >smoke.cjs <<-'END'
			const { Stepbus, version } = require('stepbus')
			Stepbus.open({ store: 'memory:', log: false }).then(async (app) => {
				app.step('bytes', (input) => Buffer.concat([input, input]))
				app.run()
				console.log(version, String(await app.result(await app.enqueue('bytes', Buffer.from('ab')))))
				await app.close()
			})
		END
		[ "$(timeout 60 node smoke.cjs)" = '0.1.0 abab' ]
	)
	rm -rf "$folder"
}

install_node
if [ "${SANITIZE:-}" = asan ]; then
	export STEPBUS_NODE_BUILD=build/asan
	make -s -C "$binding" VARIANT=asan OUT="$out" BUILD=build/asan >&2
	LD_PRELOAD="$(${CC:-cc} -print-file-name=libasan.so) $(${CC:-cc} -print-file-name=libubsan.so)"
	export LD_PRELOAD ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
	run_tests
else
	make -s -C "$binding" OUT="$out" >&2
	install_typescript
	run_tests
	check types check_types
	check package check_package
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
