#!/bin/sh
# kill9.sh - kill -9 of supervisor, poller, store and all at random instants under load: no
# journalled sample missing from the RRDs, no notification number with two contents, none
# missing.
#   KILLS=20 SEED=1 tests/system/kill9.sh    kills for each role (4); make kill9 takes 20
#   SWITCHES=12 IFS_EACH=8 REST=300               more load, and less rest (ms) between the kills:
#                                            make kill9-long takes these and 500 kills
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
for tool in snmptrapd rrdtool; do
	if ! command -v $tool >/dev/null; then
		skip "kill -9 at random instants (apt-get install $tool)"
		finish
	fi
done
. "$src/tests/system/plant.sh"

kills=${KILLS:-4}
seed=${SEED:-$(date +%s)}
switches=${SWITCHES:-$((kills < 20 ? 6 : 12))}
ifs=${IFS_EACH:-3}
rest=${REST:-1500}
# The long form loads the machine by itself: it is about what is stored, not how soon.
back=${REST:+10}
up=${REST:+10000}
plcs=4
echo "# $kills kills for each role, seed $seed"

begin_receiver notices
trap_port=$port
begin_sim snmp snmp_sim --listen 127.0.0.1:0 --agents $switches --base 127.10.9.1 --ifs $ifs
snmp_port=$port
begin_sim plc modbus_sim --listen 127.0.0.1:0 --agents $plcs --base 127.20.9.1
plc_port=$port
{
	cat <<-END
	poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
	          rrd_dir = "$work/rrd"; };
	store: { flush = "1s"; profile = "short"; };
	receivers: ( { name = "nms"; address = "127.0.0.1:$trap_port"; community = "public"; kind = "inform"; } );
	templates: ( { name = "ports"; protocol = "snmp"; tables = ( { name = "if";
	  key = [ "1.3.6.1.2.1.31.1.1.1.1" ]; discontinuity = "1.3.6.1.2.1.31.1.1.1.19";
	  points = (
	END
	oid=6
	for point in in_octets in_ucast in_mcast in_bcast out_octets out_ucast out_mcast out_bcast; do
		echo "    { name = \"$point\"; kind = \"counter\"; oid = \"1.3.6.1.2.1.31.1.1.1.$oid\"; }$([ $oid = 13 ] || echo ,)"
		oid=$((oid + 1))
	done
	cat <<-END
	  ); } ); } );
	thresholds: ( { name = "oil-hot"; on = "p*/oil_temp"; above = 70.0; clear = 65.0; severity = "major"; } );
	devices: (
	END
	for i in $(seq $switches); do
		echo "  { name = \"s$i\"; address = \"127.10.9.$i\"; templates = [ \"ports\" ];" \
			"snmp = { port = $snmp_port; timeout = \"500ms\"; retries = 1; }; },"
	done
	for i in $(seq $plcs); do
		echo "  { name = \"p$i\"; address = \"127.20.9.$i\"; modbus = { port = $plc_port; unit_id = 1; timeout = \"500ms\"; };"
		echo "    points = ( { name = \"oil_temp\"; modicon = 30013; type = \"s16\"; scale = 0.1; unit = \"C\"; }," \
			"{ name = \"force\"; function = 4; pdu = 14; type = \"f32\"; } ); }$([ "$i" = $plcs ] || echo ,)"
	done
	echo ");"
} >"$work/pollwerk.conf"
check "the configuration is right" $pollwerk check
mkdir "$work/kept"

# The plant's life while they die: presses get hot and cool, a switch falls silent.
live()
{
	turn=0
	while [ ! -e "$work/calm" ]; do
		turn=$((turn + 1))
		press=$((turn % plcs + 1))
		simctl plc "agent $press unit 1 set input 12 $((turn / plcs % 2 * 260 + 452))"
		[ $((turn % 23)) -ne 5 ] || simctl snmp "agent 2 dead"
		[ $((turn % 23)) -ne 14 ] || simctl snmp "agent 2 alive"
		sleep 0.4
	done
	simctl snmp "agent 2 alive"
}
: >"$work/kills"
live >"$work/life" 2>&1 &
started="$started $!"
tests/system/kill9 ./pollwerkd "$work/pollwerk.conf" "$work/state" "$work/run" "$work/kept" \
	"$kills" "$seed" "$rest" >"$work/kills" 2>"$work/out" &
campaign=$!
started="$started $campaign"
while kill -0 $campaign 2>/dev/null && ! grep -q '^calm' "$work/kills"; do
	sleep 0.3
done
: >"$work/calm"
wait $campaign
check "the daemon survives the campaign and ends well" [ $? -eq 0 ]
none "nothing went wrong on the way" "$(grep '^fault' "$work/kills")"
simctl snmp flush
simctl plc flush

awk '$1 == "kill" { n[$2]++; into[$2 " " $5]++; took = ($4 - $3) / 1e6
		if (took > max[$2]) max[$2] = took }
	$1 == "up" && $2 > up { up = $2 }
	$1 == "ended" && $2 > ended { ended = $2 }
	$1 == "extra" { extra = $2 }
	END {
		print "# kills into        write fdatasync rrd_update checkpoint else, worst return"
		split("supervisor poller store all", roles, " ")
		for (i = 1; i <= 4; i++) {
			r = roles[i]
			printf "# %-10s %4d   %6d %9d %10d %10d %4d  %.0f ms\n", r, n[r], into[r " write"],
				into[r " fdatasync"], into[r " rrd_update"], into[r " checkpoint"], into[r " else"], max[r]
		}
		printf "# %d of them were more than planned, until each state was hit\n", extra
		printf "# the roles outlived a supervisor for at most %d ms, its successor took at most %d ms to be up\n", ended, up
	}' "$work/kills" | tee "$work/table"
for role in supervisor poller store; do
	check "at least $kills kills of the $role, alone or with all" \
		[ "$(grep -cE "^kill ($role|all)" "$work/kills")" -ge "$kills" ]
done
for state in write fdatasync rrd_update; do
	check "some fell inside $state" grep -q "^kill .* $state\$" "$work/kills"
done
none "a killed role is back within ${back:=2} s" "$(awk -v limit=$back '$1 == "kill" && ($2 == "poller" || $2 == "store") &&
	$4 - $3 > limit * 1e9' "$work/kills")"
none "a daemon started at once after the supervisor's end is up within ${up:=5000} ms" \
	"$(awk -v limit=$up '$1 == "up" && $2 > limit' "$work/kills")"
none "nobody is told of a damaged journal, a role never gives up" \
	"$(grep -E 'damaged|left alone|quarantined|cannot start|ended with status|Sanitizer|runtime error' "$work/out")"

$pollwerk --json gaps >"$work/gaps.json"
python3 "$src/tests/system/kill9_judge.py" "$work" >"$work/judged" 2>&1
judged=$?
cat "$work/judged"
report_passed=$((report_passed + $(grep -c '^ok' "$work/judged")))
[ $judged -eq 0 ] || report_failed=$((report_failed + 1))
[ $judged -eq 0 ] && [ $report_failed -eq 0 ] || [ -z "$KEEP" ] || cp -r "$work" "$KEEP"
finish
