#!/bin/sh
# modbus_differ.sh - random valid requests of functions 1 to 4 to a server on libmodbus: what
# pollwerk reads is what libmodbus reads, over TCP and as RTU on a cable; and the same at a
# server on pymodbus, where Debian's python3-pymodbus is installed. REQUESTS: 2000.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

work=$(mktemp -d) || exit 1
pair= server=
trap 'kill $pair $server 2>/dev/null; wait; rm -rf "$work"' EXIT
requests=${REQUESTS:-2000}

differ() { timeout 300 tests/system/modbus_differ "$@"; }

check "$requests requests over TCP: pollwerk and libmodbus read the same" differ "$requests"

: >"$work/ready"
tests/sim/pty_pair "$work/ttyA" "$work/ttyB" >"$work/ready" 2>&1 &
pair=$!
if wait_for 30 grep -q '^ready' "$work/ready"; then
	check "$((requests / 10)) requests by RTU: pollwerk and libmodbus read the same" \
		differ $((requests / 10)) "$work/ttyA" "$work/ttyB"
else
	not_ok "a pty pair is to be had: $(cat "$work/ready")"
fi

for python in python3 /usr/bin/python3 none; do
	! "$python" -c 'import pymodbus' 2>/dev/null || break
done
sentence="$((requests / 10)) requests to a server on pymodbus: pollwerk and libmodbus read the same"
if [ "$python" != none ]; then
	"$python" "$src/tests/system/pymodbus_server.py" "$work/port" >"$work/pymodbus" 2>&1 &
	server=$!
fi
if [ "$python" = none ]; then
	skip "$sentence: python3-pymodbus is not here"
elif wait_for 30 [ -s "$work/port" ]; then
	check "$sentence" differ $((requests / 10)) "$(cat "$work/port")"
else
	skip "$sentence: pymodbus does not start, $(tail -n 1 "$work/pymodbus")"
fi
finish
