#!/bin/sh
# SPDX-License-Identifier: MIT
# What a step costs in each language, how soon it begins in a waiting worker of another process, and how late
# timers are while many steps pass: run.sh. JSON lines on stdout, all else on stderr. Contestants run one after the
# other, round after round, each a process of its own. Settings from the environment: OUT
# (build/release), CC, ROUNDS (5), STEPS (100000), PYTHON (python3), NODE (node).
set -eu

cd "$(dirname "$0")/../.."
out=${OUT:-build/release}
rounds=${ROUNDS:-5}
steps=${STEPS:-100000}
python=${PYTHON:-$(command -v python3 || true)}
node=${NODE:-$(command -v node || command -v nodejs || true)}
here=bench/bindings
drain=$out/bench/c_drain
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
trap 'exit 130' INT TERM HUP

mkdir -p "$out/bench"
# shellcheck disable=SC2046 # flags are words
"${CC:-cc}" -O2 -std=c11 -Wall -Wextra -Iinclude "$here/c_drain.c" -o "$drain" "$out/libstepbus.a" \
	-pthread $(pkg-config --libs libevent_core libevent_pthreads libcjson sqlite3) -lm

export STEPBUS_LIBRARY="$PWD/$out/libstepbus.so.0"
export PYTHONPATH="$PWD/bindings/python/src"
has_node=
if [ -n "$node" ] && make -s -C bindings/node OUT="$PWD/$out" >&2; then has_node=1; fi
[ -n "$python" ] || echo "bench: left out: Python; to measure it: apt-get install python3" >&2
[ -n "$has_node" ] || echo "bench: left out: Node; to measure it: apt-get install nodejs libnode-dev" >&2

round=0
while [ "$round" -lt "$rounds" ]; do
	"$drain" pool "$steps"
	"$drain" pull "$steps"
	if [ -n "$python" ]; then
		"$python" "$here/python_pull.py" "$steps" 1
	fi
	[ -z "$has_node" ] || "$node" "$here/node_pull.mjs" "$steps" 1
	round=$((round + 1))
	echo "bench: round $round of $rounds" >&2
done >"$lines"

# Medians. What pulling costs in C is what is left when the engine's own part (c_pool) is taken away.
sed -n 's/.*"case": *"\([a-z_]*\)".*"ns_per_event": *\(-*[0-9.]*\).*/\1 \2/p' "$lines" | sort -k1,1 -k2,2n | awk '
function tell(name, median, least, most) {
	printf "{\"bench\":\"bindings\",\"case\":\"%s\",\"unit\":\"ns/step\",\"median\":%.1f,\"min\":%.1f,\"max\":%.1f}\n", name, median, least, most
	printf "%-28s %10.0f %10.0f %10.0f\n", name, median, least, most >"/dev/stderr"
}
function close_case() {
	if (name != "") {
		median[name] = values[int((count + 1) / 2)]
		tell(name, median[name], values[1], values[count])
	}
	count = 0
}
BEGIN { printf "%-28s %10s %10s %10s\n", "case", "ns/step", "min", "max" >"/dev/stderr" }
$1 != name { close_case(); name = $1 }
{ values[++count] = $2 }
END {
	close_case()
	# A difference of medians, which has no spread of its own.
	alone = median["c_pull"] - median["c_pool"]
	printf "{\"bench\":\"bindings\",\"case\":\"c_pull_alone\",\"unit\":\"ns/step\",\"median\":%.1f,\"min\":null,\"max\":null}\n", alone
	printf "%-28s %10.0f %10s %10s\n", "c_pull_alone", alone, "-", "-" >"/dev/stderr"
}'

# One process each: they measure themselves, 300 times or for some seconds.
for name in wake loop; do
	[ -z "$python" ] || "$python" "$here/python_$name.py"
	[ -z "$has_node" ] || "$node" "$here/node_$name.mjs"
done
