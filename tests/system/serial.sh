#!/bin/sh
# serial.sh - the daemon on a serial line: a pty pair, and behind it a server built on libmodbus.
# Every type and order arrives; the adapter is unplugged and plugged in again; a second
# program finds the tty taken.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

work=$(mktemp -d) || exit 1
pair= server= daemon=
trap 'kill $daemon $server $pair 2>/dev/null; wait; rm -rf "$work"' EXIT
pollwerk="./pollwerk -c $work/pollwerk.conf"

# plant [echo]: the cable and the server at its end
plant()
{
	: >"$work/ready"
	: >"$work/server"
	tests/sim/pty_pair "$work/ttyA" "$work/ttyB" $1 >"$work/ready" 2>&1 &
	pair=$!
	wait_for 30 grep -q '^ready' "$work/ready"
	tests/sim/libmodbus_server --rtu "$work/ttyB" --baud 115200 --unit 3 --log "$work/log" \
		>"$work/server" 2>&1 &
	server=$!
	wait_for 30 grep -q '^ready' "$work/server"
}
tests/sim/libmodbus_server --list >"$work/list"

# configure LOCAL-ECHO
configure()
{
	{
		cat <<-END
		poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
		          rrd_dir = "$work/rrd"; };
		store: { flush = "1s"; profile = "short"; };
		lines: ( { name = "bus-1"; transport = "rtu"; device = "$work/ttyA"; baud = 115200;
		           parity = "even"; timeout = "400ms"; local_echo = $1; } );
		devices: (
		  { name = "dead"; modbus = { line = "bus-1"; unit_id = 9; };
		    points = ( { name = "a"; function = 3; pdu = 100; type = "u16"; } ); },
		  { name = "good"; modbus = { line = "bus-1"; unit_id = 3; }; points = (
		END
		awk -F '\t' '{
			printf "%s{ name = \"%s\"; function = %s; pdu = %s;", sep, tolower($1), $2, $3
			if ($2 > 2)
				printf " type = \"%s\";", $4
			if ($5 != "-")
				printf " order = \"%s\";", $5
			if ($6 != "-")
				printf " %s = %s;", $4 == "string" ? "length" : "bit", $6
			print " }"
			sep = ","
		}' "$work/list"
		echo '); },'
		# The same once more, as a vendor would deliver it.
		echo '{ name = "listed"; modbus = { line = "bus-1"; unit_id = 3; }; registers = [ "list.csv" ]; } );'
	} >"$work/pollwerk.conf"
	awk -F '\t' 'BEGIN { printf "name;pdu;function;type;order;bit;length;scale\r\n" }
		{ printf "%s;%s;%s;%s;%s;%s;%s;1,0\r\n", tolower($1), $3, $2, ($2 > 2 ? $4 : ""),
			($5 != "-" ? $5 : ""), ($6 != "-" && $4 != "string" ? $6 : ""),
			($4 == "string" ? $6 : "") }' "$work/list" >"$work/list.csv"
}

# Values of a device as "name value": numbers to 12 digits, reasons where there is none.
points()
{
	$pollwerk --json values "$1/*" 2>/dev/null | sed 's/},/}\n/g' |
		sed -n 's|.*"path":"'$1'/\([^"]*\)".*|\1 &|p' |
		sed 's#^\([^ ]*\) .*"value":\("[^"]*"\|[^,]*\),.*"reason":\("[^"]*"\|null\).*#\1	\2	\3#' |
		tr -d '"' | grep -v '^\(up\|rtt\|loss\)	' | awk -F '\t' '{
			v = $3 != "good" && $3 != "null" ? $3 : $2
			if (v ~ /^-?[0-9.e+]+$/) v = sprintf("%.12g", v)
			print $1 "\t" v }' | sort
}
awk -F '\t' '{ v = $7; if (v ~ /^-?[0-9.e+]+$/) v = sprintf("%.12g", v); print tolower($1) "\t" v }' \
	"$work/list" | sort >"$work/wanted"
all_right()
{
	points ${1:-good} >"$work/points" && cmp -s "$work/wanted" "$work/points"
}
quality()
{
	$pollwerk --json values "$1" | grep -q "$2"
}

plant
check "there are two ports and a libmodbus server" grep -q '^ready' "$work/server"
configure false
check "the configuration is right" $pollwerk check
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 &
daemon=$!
check "every type and order arrives, and the neighbours of the missing register" wait_for 40 all_right
none "which are those" "$(diff "$work/wanted" "$work/points")"
check "the same from a list of registers" wait_for 40 all_right listed
none "without a difference" "$(diff "$work/wanted" "$work/points")"
check "devices tells of the line below them, as a line" eval "$pollwerk devices >'$work/devices' &&
	awk '/^line  *state/ { line = 1 } /^bus-1  *up/ { there = line } /^good  *up/ { good = !line }
		END { exit !(there && good) }' '$work/devices' &&
	$pollwerk --json devices bus-1 | grep -q '\"protocol\":\"line\"'"
check "a unit that is not there is a time-out" wait_for 30 quality dead/a '"timeout"\|"breaker"'
check "the tty is locked: nobody else polls on it" eval \
	'$pollwerk probe --beside good 100 2>&1 | grep -q "another program has it"'
$pollwerk probe --reference good 100 >"$work/probe" 2>&1
check "libmodbus does not get it either" eval \
	"[ $? -eq 1 ] && grep -q 'pollwerk pause good first' '$work/probe'"
check "unless the daemon has left it" $pollwerk pause --for 120s bus-1
$pollwerk probe --reference good 100 >"$work/probe" 2>&1
check "then libmodbus reads the same" eval "[ $? -eq 0 ] && grep -q 'libmodbus the same' '$work/probe'"
check "its units are paused, not silent" wait_for 10 quality good/u16_ab '"paused"'
check "the daemon takes the tty again" eval \
	"$pollwerk pause --end bus-1 >'$work/pause' && wait_for 15 all_right"
kill -USR1 $pair
check "an adapter that was unplugged is unreachable" wait_for 40 quality good/u16_ab '"unreachable"'
kill -USR2 $pair
check "and back when there is a new one" wait_for 40 all_right
none "with the right values" "$(diff "$work/wanted" "$work/points" | grep '>')"
kill $daemon
wait $daemon
check "the daemon ends well" [ $? -eq 0 ]
daemon=
none "it had nothing to complain about itself" "$(grep -i 'assert\|sanitizer\|runtime error\|ended by signal' "$work/out")"
check "without a daemon the tool gets it, and libmodbus reads the same" eval \
	'$pollwerk probe --reference good 100 | grep -q "libmodbus the same"'
kill $server
wait $server
check "nothing but functions 1 to 4 was asked" [ $? -eq 0 ]
kill $pair
wait $pair
server= pair=

plant echo
check "there is a cable whose adapter echoes" grep -q '^ready' "$work/server"
configure true
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 &
daemon=$!
check "with local_echo every value arrives as well" wait_for 40 all_right
none "which are those of the server" "$(diff "$work/wanted" "$work/points")"
finish
