#!/bin/sh
# SPDX-License-Identifier: MIT
# Sees that the packages of a group are there: tools/deps.sh build|test|proof|lint|python|bindings|bench|bench-durable
# Installs what is missing with apt where that is possible, otherwise prints exactly what to install. bench-durable
# and bindings also put packages from npm into build/bench and build/bindings.
set -eu

group=${1:-build}
cc=${CC:-cc}

has_command() { command -v "$1" >/dev/null 2>&1; }
has_library() { has_command pkg-config && pkg-config --exists "$1"; }
has_header() { echo "#include <$1>" | "$cc" -E -x c - >/dev/null 2>&1; }

# Beside Node, where its own packages put them, or where Debian does.
has_node_headers() {
	for folder in "$(dirname "$(command -v node)")/.." /usr; do
		for name in node nodejs/src; do
			[ ! -e "$folder/include/$name/node_api.h" ] || return 0
		done
	done
	return 1
}

# The part of clang that makes programs fuzz themselves.
has_fuzzer() {
	ls "$(clang --print-resource-dir 2>/dev/null)"/lib/*/libclang_rt.fuzzer* >/dev/null 2>&1
}

# Prints a package, where the Python that packages install for lacks a module.
python_module() {
	/usr/bin/python3 -c "import $1" 2>/dev/null || echo "$2"
}

# The package of the compiler that was asked for.
compiler() {
	case $cc in
	cc | gcc) echo gcc libc6-dev ;;
	*) echo "$cc" ;;
	esac
}

# Prints the packages that a group lacks.
missing() {
	case $1 in
	build)
		has_command "$cc" || compiler
		! has_command "$cc" || has_header stdio.h || echo libc6-dev
		has_command objcopy || echo binutils
		has_command pkg-config || echo pkg-config
		has_library libevent_core || echo libevent-dev
		has_library libcjson || echo libcjson-dev
		has_library sqlite3 || echo libsqlite3-dev
		test -e /usr/include/uthash.h || has_header uthash.h || echo uthash-dev
		;;
	test)
		missing build
		has_library cmocka || echo libcmocka-dev
		test -e /usr/share/zoneinfo/Europe/Berlin || echo tzdata
		has_command c++ || echo g++
		;;
	proof)
		missing test
		has_command strace || echo strace
		has_command spin || echo spin
		has_command clang || echo clang
		has_fuzzer || echo libclang-rt-dev
		;;
	lint)
		missing test
		has_command clang-format || echo clang-format
		has_command clang-tidy || echo clang-tidy
		has_command cppcheck || echo cppcheck
		has_command ctags || echo universal-ctags
		has_command shellcheck || echo shellcheck
		has_command abidiff || echo abigail-tools
		;;
	python)
		missing build
		python_module venv python3
		python_module ensurepip python3-venv
		python_module pytest python3-pytest
		python_module mypy python3-mypy
		;;
	bench)
		missing build
		has_command c++ || echo g++
		has_library glib-2.0 || echo libglib2.0-dev
		has_library sigc++-2.0 || echo libsigc++-2.0-dev
		has_header boost/version.hpp || echo libboost-dev
		has_command node || echo nodejs
		/usr/bin/python3 -c 'import pyee' 2>/dev/null || echo python3-pyee
		;;
	bench-durable)
		missing build
		has_command beanstalkd || echo beanstalkd
		has_command gearmand || echo gearman-job-server
		has_library gearmand || echo libgearman-dev
		has_command initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
		has_library libpq || echo libpq-dev
		has_command redis-server || echo redis-server
		has_library hiredis || echo libhiredis-dev
		has_command node || echo nodejs
		has_command npm || echo npm
		# SQLite for Node is compiled where nobody offers it ready made.
		has_command c++ || echo g++
		has_command make || echo make
		has_command python3 || echo python3
		;;
	bindings)
		missing test
		has_command luajit || echo luajit
		has_command ruby || echo ruby
		has_command go || echo golang-go
		has_command rustc || echo rustc
		php -r 'exit(class_exists("FFI") ? 0 : 1);' 2>/dev/null || echo php-cli
		/usr/bin/python3 -c 'import cffi' 2>/dev/null || echo python3-cffi
		has_command node || echo nodejs
		has_command npm || echo npm
		has_node_headers || echo libnode-dev
		;;
	*)
		echo "tools/deps.sh: there is no group '$1': use build, test, proof, lint, python, bindings, bench or bench-durable" >&2
		exit 2
		;;
	esac
}

# Where a group finds packages of npm, and the file that lists them.
modules_of() {
	case $1 in
	bench-durable) echo build/bench bench/durable/package.json ;;
	bindings) echo build/bindings tests/bindings/cdef/package.json ;;
	esac
}

# Puts the packages that a file lists into a folder, beside which go the scripts that use them.
install_modules() {
	if cmp -s "$2" "$1/package.json" && [ -e "$1/.installed" ]; then
		return
	fi
	echo "installing the packages of $2" >&2
	mkdir -p "$1"
	rm -f "$1/.installed"
	cp "$2" "$1/package.json"
	(cd "$1" && npm install --no-audit --no-fund --no-package-lock --loglevel=error >&2) || {
		echo "tools/deps.sh: npm could not install the packages of $2" >&2
		# The bindings have none; only one of the readers of their declarations comes from there.
		[ "$group" = bindings ] && return
		exit 1
	}
	touch "$1/.installed"
}

# shellcheck disable=SC2046 # two words, or none
finish() {
	set -- $(modules_of "$group")
	[ $# -eq 0 ] || install_modules "$@"
}

# Servers that are installed for the benchmark are not started as services of this machine.
policy=/usr/sbin/policy-rc.d
keep_services_down() {
	[ ! -e "$policy" ] || return 0
	printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
	$as_root chmod 755 "$policy"
	trap '$as_root rm -f "$policy"' EXIT
	trap 'exit 1' HUP INT TERM
}

cd "$(dirname "$0")/.."
wanted=$(missing "$group" | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/ *$//')
if [ -z "$wanted" ]; then
	finish
	exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
	has_command sudo && sudo -n true 2>/dev/null && as_root='sudo -n'
fi
if ! has_command apt-get || { [ "$(id -u)" -ne 0 ] && [ -z "$as_root" ]; }; then
	echo "stepbus needs packages that are not here. On Debian or Ubuntu, install them with:" >&2
	echo "    sudo apt-get install $wanted" >&2
	exit 1
fi
echo "installing: $wanted" >&2
[ "$group" != bench-durable ] || keep_services_down
$as_root apt-get update -qq >/dev/null
# shellcheck disable=SC2086 # a list of words is meant
DEBIAN_FRONTEND=noninteractive $as_root apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends $wanted >/dev/null
left=$(missing "$group" | sort -u | tr '\n' ' ')
[ -z "$left" ] || {
	echo "tools/deps.sh: still missing after installing: $left" >&2
	exit 1
}
finish
