#!/bin/sh
# forge.sh - the forgery matrix on real sockets: beside an agent, or in its place, somebody sends
# answers with false numbers. None is stored, and where the true answer comes as well, that is.
#   TRIALS=1000 tests/system/forge.sh    of each kind (100); make forge has 10,000 in memory
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
if ! command -v python3 >/dev/null; then
	skip "forged answers on real sockets (apt-get install python3)"
	finish
fi
. "$src/tests/system/plant.sh"

trials=${TRIALS:-100}
kinds="source port community version id pdu duplicate late truncated longer oversized oid type order"
port=$(free_port)
python3 "$src/tests/system/forge_agent.py" 127.10.10 "$port" "$work/counts" >"$work/agent" 2>&1 &
started="$started $!"
check "the forger serves" wait_for 30 grep -q ready "$work/agent"

# Four devices for each kind, half of them by the engine of reference.
{
	cat <<-END
		poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
		          rrd_dir = "$work/rrd"; templates = [ ]; };
		store: { profile = "tiny"; };
		templates: ( { name = "f"; protocol = "snmp";
		  points = ( { name = "p1"; oid = "1.3.6.1.4.1.32473.9.1.1.0"; },
		             { name = "p2"; oid = "1.3.6.1.4.1.32473.9.1.2.0"; },
		             { name = "p3"; oid = "1.3.6.1.4.1.32473.9.1.3.0"; },
		             { name = "p4"; oid = "1.3.6.1.4.1.32473.9.1.4.0"; } );
		  tables = ( { name = "t"; key = "1.3.6.1.4.1.32473.9.2.1.1";
		    points = ( { name = "v"; oid = "1.3.6.1.4.1.32473.9.2.1.2"; } ); } ); } );
		# No false number clears it again.
		thresholds: ( { name = "forged"; on = "*"; above = 100000; clear = -1e9; } );
		devices: (
	END
	echo "$kinds" | awk -v port="$port" '{ for (k = 1; k <= NF; k++) for (i = 0; i < 4; i++) {
		engine = i % 2 ? "netsnmp" : "fast"
		printf "%s{ name = \"%s-%s-%d\"; address = \"127.10.10.%d\"; templates = [ \"f\" ];\n" \
			"  snmp = { port = %d; timeout = \"300ms\"; retries = 0; engine = \"%s\"; }; }", \
			n++ ? ",\n" : "", $k, engine, i / 2 + 1, k, port, engine } }'
	echo " );"
} >"$work/pollwerk.conf"
check "the configuration is right" $pollwerk check
begin_daemon
all_forged()
{
	[ "$(awk -v n="$trials" '$2 >= n { k++ } END { print k + 0 }' "$work/counts")" -eq 14 ]
}
check "$trials forged answers of each of 14 kinds" wait_for $((60 + trials / 5)) all_forged
$pollwerk values >"$work/values"
$pollwerk alarms >"$work/alarms"
cp "$work/counts" "$work/counted"
end_daemon
check "the daemon ends well" [ $? -eq 0 ]
echo "# forged: $(awk '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2 }' "$work/counted")"
none "0 of them are stored" "$(grep forged/ "$work/alarms"
	awk '{ for (i = 2; i < NF; i++) if ($i ~ /^[0-9.]+$/ && $i + 0 >= 100000) print }' "$work/values")"
# What the agent itself says is taken: of all kinds that do not stand in its place.
none "true answers beside them are" "$(for kind in source port community version id pdu duplicate late \
	truncated longer; do
	for engine in fast netsnmp; do
		grep "^$kind-$engine-[0-9]*/p1 .*good" "$work/values" | grep -q . ||
			echo "nothing of $kind by $engine"
	done
done)"
none "no row is made up" "$(grep 'row 9' "$work/values")"
finish
