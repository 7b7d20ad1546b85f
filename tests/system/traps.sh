#!/bin/sh
# traps.sh - TRAP and INFORM, by versions 2c and 3, reach a real snmptrapd, over kills of the
# sender and a receiver that is away: each number with one content, none missing.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

if ! command -v snmptrapd >/dev/null; then
	skip "a real snmptrapd gets every notice (apt-get install snmptrapd)"
	finish
fi
work=$(mktemp -d) || exit 1
informed= trapped= informed3= trapped3=
trap 'kill $informed $trapped $informed3 $trapped3 2>/dev/null; wait; rm -rf "$work"' EXIT
export SNMPCONFPATH=/nonexistent SNMP_PERSISTENT_DIR="$work/persistent" MIBS=
engine=80007ed9050102030405060708
keys='"first auth phrase"'
for name in informed trapped informed-v3 trapped-v3; do
	echo 'disableAuthorization yes' >"$work/$name.conf"
done
# Of a TRAP the sender's engine counts, of an INFORM the receiver's.
echo "createUser -e 0x$engine traps SHA-256 $keys AES \"first priv phrase\"
authUser log traps priv" >"$work/trapped-v3.conf"
echo "createUser informs SHA-512 $keys AES-256 \"first priv phrase\"
authUser log informs priv" >"$work/informed-v3.conf"
printf 'id\t%s\nboots\t3\n' $engine >"$work/engine"

free_port()
{
	python3 -c 'import socket; s = socket.socket(2, 2); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}
# receive NAME PORT: appends one line a notice to $work/NAME, varbinds by number. A TRAP that
# comes before the socket is there is gone for ever, so wait for it.
receive()
{
	hex=$(printf ':%04X ' "$2")
	tries=0
	SNMP_PERSISTENT_DIR="$work/persistent-$1" \
		snmptrapd -f -Lf "$work/$1" -n -m '' -C -c "$work/$1.conf" -OnQ \
		-F 'notice %v\n' "udp:127.0.0.1:$2" >"$work/errors-$1" 2>&1 &
	until grep -q "0100007F$hex" /proc/net/udp || [ $tries -ge 100 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
}
inform_port=$(free_port)
trap_port=$(free_port)
inform3_port=$(free_port)
trap3_port=$(free_port)
receive trapped "$trap_port"
trapped=$!
receive trapped-v3 "$trap3_port"
trapped3=$!

# Ends by itself at so many numbers, or is killed after so many seconds.
send_and_kill()
{
	tests/system/trap_sender "$work" 100000 "$inform_port" "$trap_port" "$inform3_port" \
		"$trap3_port" 2>>"$work/log" &
	sender=$!
	sleep "$1"
	kill -9 $sender
	wait $sender 2>/dev/null
}
# The receiver of INFORMs is away at first: everything waits for it over the kills.
for seconds in 0.7 0.43 1.1; do
	send_and_kill $seconds
done
receive informed "$inform_port"
informed=$!
receive informed-v3 "$inform3_port"
informed3=$!
for seconds in 1.3 0.57; do
	send_and_kill $seconds
done
numbers_of()
{
	sed -n 's/.*32473\.7\.1\.8\.1\.0 = \([0-9]*\).*/\1/p' "$work/$1"
}
given=$(numbers_of trapped | sort -n | tail -n 1)
check "the sender ends once all have everything" sh -c "timeout 60 tests/system/trap_sender \
	'$work' $((given + 20)) $inform_port $trap_port $inform3_port $trap3_port >'$work/last' 2>>'$work/log'"
last=$(cat "$work/last")
sleep 0.3
kill $informed $trapped $informed3 $trapped3
wait $informed $trapped $informed3 $trapped3
informed= trapped= informed3= trapped3=

for name in informed trapped informed-v3 trapped-v3; do
	numbers_of $name | sort -nu >"$work/numbers"
	none "$name: none of the $last numbers is missing" \
		"$(seq 1 "${last:-1}" | diff - "$work/numbers" | head -n 5)"
	none "$name: no number has two contents" "$(grep '^notice' "$work/$name" | sort -u |
		sed 's/.*32473\.7\.1\.8\.1\.0 = \([0-9]*\).*/\1/' | sort | uniq -d | head -n 5)"
	# A repeat is allowed, a step back to something new is not.
	none "$name: they come in order" "$(numbers_of $name |
		awk '$1 > m + 1 { print m, "then", $1 } $1 > m { m = $1 }' | head -n 5)"
	check "$name: each start is told" [ "$(grep -c '1\.3\.6\.1\.6\.3\.1\.1\.4\.1\.0 = .*32473\.7\.0\.20' \
		"$work/$name")" -ge 6 ]
done
notice=$(grep '32473\.7\.0\.5' "$work/trapped" | head -n 1)
has()
{
	case $notice in
	*"$2"*) ok "$1" ;;
	*) not_ok "$1: $notice" ;;
	esac
}
has "snmptrapd decodes the key" '= "oil-hot/press-3/oil_temp"'
has "and the value as text" '= "71.2"'
has "and the place" '= "werk1/hall3"'
grep -q '^notice.*32473\.7\.0\.6' "$work/trapped"
check "a raise has its clear" [ $? -eq 0 ]
check "at least 60 notices went" [ "${last:-0}" -ge 60 ]
# Each start is one more, from the day's number on.
check "each start counts our boots" [ "$(grep -o "engine 0x$engine, boots [0-9]*" "$work/log" |
	sort -u | grep -c .)" -ge 6 ]
finish
