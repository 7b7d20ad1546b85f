#!/bin/sh
# modbus_peer.sh - the Modbus driver against a server built on libmodbus: every type and
# order is right, and what is refused disturbs nobody.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

work=$(mktemp -d) || exit 1
server=
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT

: >"$work/ready"
tests/sim/libmodbus_server --listen 127.0.0.1:0 --refuse 9 --silent 8 --log "$work/log" \
	>"$work/ready" 2>&1 &
server=$!
for try in 1 2 3 4 5 6 7 8 9 10; do
	at=$(sed -n 's/^ready //p' "$work/ready")
	[ -z "$at" ] || break
	sleep 0.2
done
if [ -z "$at" ]; then
	not_ok "the server is there: $(cat "$work/ready")"
	finish
fi
tests/sim/libmodbus_server --list >"$work/list"
cut -f 1,7 "$work/list" >"$work/wanted"

# poll UNIT POLLS: what the driver makes of it, in $work/got
poll()
{
	timeout 30 tests/system/modbus_reader "$at" "$1" "$2" <"$work/list" >"$work/got" 2>"$work/errors"
}

check "libmodbus' own getters agree about the floats" tests/sim/libmodbus_server --floats
check "a poll of unit 1 ends" poll 1 1
none "every type and order is right, and so are the neighbours of the missing register" \
	"$(diff "$work/wanted" "$work/got")"
check "three polls in a row end" poll 1 3
none "and they are right as well" "$(diff "$work/wanted" "$work/got")"

check "a poll of a unit that refuses everything ends" poll 9 2
none "all of it is exception 2" "$(grep -v 'exception-2$' "$work/got")"
check "a poll of a silent unit ends" poll 8 1
none "all of it is timeout" "$(grep -v 'timeout$' "$work/got")"
check "after which unit 2 is polled" poll 2 1
none "and right" "$(diff "$work/wanted" "$work/got")"

kill $server
wait $server
check "nothing but functions 1 to 4 was asked" [ $? -eq 0 ]
awk '$2 < 1 || $2 > 4' "$work/log" >"$work/forbidden"
none "the log of the server agrees" "$(cat "$work/forbidden")"
# Six for 111 points: holding 88+5 and 100..248 in two, inputs, coils, contacts; then the five
# around the hole by halves. Unit 1 was polled first.
check "neighbours share requests" [ "$(awk '$1 == 1' "$work/log" | head -n 10 | cut -d ' ' -f 2-4 |
	sort | tr '\n' ,)" = "1 0 20,2 0 20,3 100 124,3 224 25,3 88 2,3 88 5,3 90 1,3 90 3,3 91 2,4 0 8," ]
server=
finish
