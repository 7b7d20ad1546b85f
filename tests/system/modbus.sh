#!/bin/sh
# modbus.sh - the daemon against a server built on libmodbus: every type and order arrives in
# the values and in the RRD; a unit that answers exception 2 and one that is silent leave
# their neighbours good; a hop that speaks no protocol is seen by ping and TCP.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

work=$(mktemp -d) || exit 1
server= daemon=
trap 'kill $daemon $server 2>/dev/null; wait; rm -rf "$work"' EXIT
pollwerk="./pollwerk -c $work/pollwerk.conf"

: >"$work/ready"
tests/sim/libmodbus_server --listen 127.0.0.1:0 --refuse 9 --silent 8 --log "$work/log" \
	>"$work/ready" 2>&1 &
server=$!
wait_for 20 grep -q '^ready' "$work/ready"
port=$(sed -n 's/^ready .*://p' "$work/ready")
tests/sim/libmodbus_server --list >"$work/list"

{
	cat <<-END
	poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
	          rrd_dir = "$work/rrd"; };
	store: { flush = "1s"; profile = "short"; };
	devices: (
	  { name = "good"; address = "127.0.0.1"; modbus = { port = $port; unit_id = 1; }; points = (
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
	cat <<-END
	  ); },
	  { name = "refusing"; address = "127.0.0.1"; modbus = { port = $port; unit_id = 9; };
	    points = ( { name = "a"; function = 3; pdu = 100; type = "u16"; } ); },
	  { name = "silent"; address = "127.0.0.1"; modbus = { port = $port; unit_id = 8; timeout = "200ms"; };
	    points = ( { name = "a"; function = 3; pdu = 100; type = "u16"; } ); },
	  { name = "hop"; address = "127.0.0.1"; reach = { ping = false; tcp = [ $port, 1 ]; }; } );
	END
} >"$work/pollwerk.conf"
check "the configuration is right" $pollwerk check
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 &
daemon=$!

good_values()
{
	$pollwerk --json values >"$work/values.json" &&
		grep -q '"good/u64_fehgbadc"[^}]*"quality":"good"' "$work/values.json" &&
		grep -q '"refusing/a"[^}]*"reason":"exception-2"' "$work/values.json" &&
		grep -q '"refusing/up"[^}]*"quality":"good"' "$work/values.json" &&
		grep -q '"silent/a"[^}]*"reason":"timeout"' "$work/values.json" &&
		grep -q '"silent/up"[^}]*"quality":"good"' "$work/values.json" &&
		grep -q '"hop/loss"[^}]*"quality":"good"' "$work/values.json"
}
check "the values come within 20 s" wait_for 20 good_values

# One line "name value-or-reason" for each point of a device, as listed in JSON.
points_of()
{
	sed 's/},/}\n/g' "$work/values.json" | sed -n "s|.*\"path\":\"$1/\([^\"]*\)\".*|\1 &|p" |
		sed 's#^\([^ ]*\) .*"value":\("[^"]*"\|[^,]*\),.*"reason":\("[^"]*"\|null\).*#\1	\2	\3#' |
		tr -d '"'
}
# compare FILE: "name value reason" against the list; numbers to 12 digits.
compare()
{
	awk -F '\t' -v digits="$2" 'NR == FNR { wanted[tolower($1)] = $7; next }
		!($1 in wanted) { next }
		{
			value = $2 == "null" ? $3 : $2
			want = wanted[$1]
			error = want + 0 != 0 ? value / want - 1 : value - want
			if (want ~ /^-?[0-9.]+$/ ? value !~ /^-?[0-9]/ || error > digits || error < -digits : value != want)
				print $1 ": " value " instead of " want
			delete wanted[$1]
		}
		END { for (name in wanted) print name ": missing" }' "$work/list" "$1"
}
points_of good >"$work/good"
none "every type and order is right, the missing register is exception-2" \
	"$(compare "$work/good" 1e-12)"
check "the unit that refuses everything says exception-2 and is up" eval \
	"points_of refusing | grep -q '^a	null	exception-2' && points_of refusing | grep -q '^up	1'"
check "the silent unit says timeout and is down" eval \
	"points_of silent | grep -q '^a	null	timeout' && points_of silent | grep -q '^up	0'"
check "the hop answers on one port of two" eval \
	"points_of hop | grep -q '^up	1' && points_of hop | grep -q '^loss	50'"

probe()
{
	$pollwerk probe "$@" >"$work/probe" 2>&1
}
probe good f32_cdab
check "probe asks on the daemon's line while it runs, and shows what the address means" eval \
	"[ $? -eq 0 ] && grep -A 7 '^=> pdu 122 = register 123 = modicon 400123:' '$work/probe' |
		grep -q 'f32 .*  CDAB 123456.75'"
probe --beside good f32_cdab
check "and on one of its own with --beside" eval \
	"[ $? -eq 0 ] && grep -A 7 '^=> pdu 122 = register 123 = modicon 400123:' '$work/probe' |
		grep -q 'f32 .*  CDAB 123456.75'"
probe good oil_temp
check "probe names the ways to write an address" eval \
	"[ $? -eq 2 ] && grep -q 'register=N, modicon=N' '$work/probe'"

# Some slots more, then what the ledger and the RRD say.
sleep 3
kill $daemon
wait $daemon
check "the daemon ends well" [ $? -eq 0 ]
daemon=
none "no slot of the good device was lost" "$($pollwerk gaps 'good/*' |
	grep -v '/hole_90 ' | lost_slots)"
check "each slot of the missing register is explained" eval \
	"$pollwerk gaps good/hole_90 | awk '{ exit !(\$6 == 0 && \$8 == \"exception-2\" && \$9 >= 4) }'"

if command -v rrdtool >/dev/null; then
	rrdtool lastupdate "$work/rrd/good/points.rrd" >"$work/last"
	awk 'NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i }
		/:/ { for (i = 2; i <= NF; i++) print name[i - 1] "\t" $i "\t-" }' "$work/last" >"$work/stored"
	grep -v '^string\|^hole_90' "$work/list" >"$work/numbers"
	mv "$work/numbers" "$work/list"
	none "the RRD holds the same" "$(compare "$work/stored" 1e-12)"
else
	skip "the RRD holds the same (apt-get install rrdtool)"
fi
check "without a daemon probe needs no option, a coil is a coil" eval \
	"probe good modicon=00004 && grep -q '^=> pdu 3 .*: 1 0 0 1 0 0' '$work/probe'"
check "probe says what the address has instead of a value" eval \
	"probe good pdu=90; grep -q '^=> pdu 90 .*: exception 2 (illegal data address)' '$work/probe'"
check "probe speaks JSON" eval "$pollwerk --json probe good register=123 |
	grep -q '\"type\":\"f32\",\"order\":\"CDAB\",\"value\":\"123456.75\"'"
kill $server
wait $server
check "nothing but functions 1 to 4 was asked" [ $? -eq 0 ]
server=
finish
