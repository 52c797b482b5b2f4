#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks the built libraries: they export what the header declares and nothing else, import nothing
# that searches, spawns, exits or prints, are hardened, and have no writable data but what
# writable.txt allows.
set -u
export LC_ALL=C
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 3 ] || { echo "usage: symbols.sh HEADER SHARED_LIB STATIC_LIB" >&2; exit 2; }
header=$1 shared=$2 static=$3
for file in "$@"; do
	[ -r "$file" ] || { echo "symbols: no $file: build it first" >&2; exit 2; }
done
for tool in nm readelf objdump; do
	command -v "$tool" >/dev/null || { echo "symbols: no $tool: install binutils" >&2; exit 2; }
done

forbidden='dlopen dlmopen dlsym dlvsym opendir fdopendir readdir scandir getdents glob ftw nftw
	system popen execl execle execlp execv execve execvp execvpe fexecve posix_spawn
	posix_spawnp fork vfork exit _exit _Exit quick_exit abort __assert_fail signal sigaction
	setlocale chdir umask getenv secure_getenv tmpnam mktemp gets strcpy strcat sprintf vsprintf
	rand srand printf vprintf puts putchar perror stderr stdout'

list_declared() {
	awk -f "$lint/strip.awk" "$header" | awk -F '\t' '
	$3 !~ /^ *#/ { text = text " " $3 }
	END {
		count = split(text, part, "STEPBUS_API")
		for (i = 2; i <= count; i++) {
			sub(/ *[(;].*/, "", part[i])
			sub(/.*[ *]/, "", part[i])
			print part[i]
		}
	}' | sort -u
}

# The version node is a symbol too, of type A.
list_exported() {
	nm -D --defined-only "$shared" | awk '$2 != "A" { print $3 }'
}

list_defined() {
	nm -g --defined-only "$static" | awk 'NF == 3 { print $3 }' | sort -u
}

# compare FILE: the names on standard input, which FILE defines, against the declared ones.
compare() {
	awk -v file="$1" -v header="$header" '
	NR == FNR { is_declared[$1] = 1; next }
	{ is_defined[$1] = 1 }
	!($1 in is_declared) {
		print file ": exports " $1 ", which " header " does not declare: hide it"
	}
	END {
		for (name in is_declared)
			if (!(name in is_defined))
				print file ": does not export " name ", which " header " declares"
	}' "$declared" -
}

check_exports() {
	list_exported | sed 's/@.*//' | compare "$shared"
	list_defined | compare "$static"
	list_exported | grep -v '@@STEPBUS_' |
		sed "s|.*|$shared: & has no version STEPBUS_*: name it in the export map|"
	grep -v '^stepbus_' "$declared" |
		sed "s|.*|$header: & does not start with stepbus_: rename it|"
}

# Fortified and large-file forms count as the plain ones: __sprintf_chk, readdir64.
check_imports() {
	for file in "$shared" "$static"; do
		dynamic=
		[ "$file" = "$static" ] || dynamic=-D
		nm $dynamic --undefined-only "$file" |
		awk -v file="$file" -v forbidden="$forbidden" '
		BEGIN {
			count = split(forbidden, name, /[ \n\t]+/)
			for (i = 1; i <= count; i++)
				is_forbidden[name[i]] = 1
		}
		NF >= 2 && $(NF - 1) ~ /^[Uwv]$/ {
			symbol = $NF
			sub(/@.*/, "", symbol)
			plain = symbol
			if (sub(/_chk$/, "", plain))
				sub(/^__/, "", plain)
			sub(/64(_r)?$|_r$/, "", plain)
			if ((plain in is_forbidden) || (symbol in is_forbidden))
				print file ": imports " symbol ": the library must not call it"
		}' | sort -u
	done
}

check_hardening() {
	readelf -dlW "$shared" | awk -v file="$shared" '
	function need(is_met, what) {
		if (!is_met)
			print file ": " what
	}
	/\(SONAME\)/ { soname = $NF }
	/\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW/ { is_now = 1 }
	/GNU_RELRO/ { is_relro = 1 }
	/\((RPATH|RUNPATH)\)/ { has_path = 1 }
	/TEXTREL/ { has_textrel = 1 }
	/GNU_STACK.*RWE/ { has_exec_stack = 1 }
	END {
		need(soname == "[libstepbus.so.0]", "SONAME is not libstepbus.so.0: -Wl,-soname")
		need(is_relro, "has no RELRO: link with -Wl,-z,relro")
		need(is_now, "is not bound at load time: link with -Wl,-z,now")
		need(!has_path, "has an RPATH or RUNPATH: link without -rpath")
		need(!has_textrel, "has text relocations: compile with -fPIC")
		need(!has_exec_stack, "asks for an executable stack: link with -Wl,-z,noexecstack")
	}'
}

# By section, not by type: constants that hold pointers (.data.rel.ro) are read-only once relocated.
# A stripped shared library has no such table; the archive always has.
check_writable() {
	for file in "$shared" "$static"; do
		objdump -t "$file" 2>/dev/null |
		awk -F "\t" -v file="$file" -v list="$lint/writable.txt" '
		BEGIN {
			while ((getline name < list) > 0)
				if (name !~ /^#/)
					is_allowed[name] = 1
			made = "completed __dso_handle __TMC_END__ _DYNAMIC __bss_start _edata " \
			       "_end _GLOBAL_OFFSET_TABLE_ __frame_dummy __do_global_dtors_aux"
			count = split(made, name_of, " ")
			for (i = 1; i <= count; i++)
				is_allowed[name_of[i]] = 1
		}
		NF != 2 { next }
		{
			flags = section = $1
			sub(/^[0-9a-f]+ /, "", flags)
			sub(/.* /, "", section)
			name = $2
			sub(/.* /, "", name)
			# The compiler numbers the statics of a function: turn.0.
			plain = name
			sub(/\..*/, "", plain)
		}
		substr(flags, 1, 7) ~ /d/ || section ~ /^\.data\.rel\.ro/ { next }
		section ~ /^(\.t?data|\.t?bss|\*COM\*)(\.|$)/ && !(plain in is_allowed) {
			print file ": " name " is writable (" section "): make it const, move it " \
			      "into what a host made, or name it in writable.txt and say why"
		}' | sort -u
	done
}

declared=$(mktemp) || exit 2
trap 'rm -f "$declared"' EXIT
list_declared >"$declared"
[ -s "$declared" ] || { echo "symbols: $header declares nothing with STEPBUS_API" >&2; exit 2; }
findings=$(check_exports; check_imports; check_hardening; check_writable)
[ -n "$findings" ] || exit 0
printf '%s\n' "$findings"
exit 1
