#!/bin/sh
# counters.sh - switches that number their interfaces anew, change places, lose their counters,
# restart, lose rows and go round at 2^32, in the middle of walks as well: what the RRDs hold is
# the true rate of the simulator's formula, or unknown.
#   SECONDS_LONG=120 SEED=7 tests/system/counters.sh   (4 s); make counters takes two minutes
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
if ! command -v rrdtool >/dev/null || ! command -v python3 >/dev/null; then
	skip "true rates or none (apt-get install rrdtool python3)"
	finish
fi
. "$src/tests/system/plant.sh"

long=${SECONDS_LONG:-4}
seed=${SEED:-$$}
# 32-bit counters go round every 8 to 74 s.
begin_sim snmp snmp_sim --listen 127.0.0.1:0 --agents 7 --base 127.10.9.1 --ifs 8 \
	--rate 29000000 --epoch $(($(date +%s) - 60))
for row in 1 2 3 4 5 6 7 8; do
	simctl snmp "agent 6 set 1.3.6.1.2.1.2.2.1.5.$row 4294967295" >/dev/null
done

# device NAME NUMBER VERSION [MORE]
device()
{
	echo "{ name = \"$1\"; address = \"127.10.9.$2\"; templates = [ \"if-mib\" ];
	    snmp = { version = \"$3\"; port = $port; timeout = \"400ms\"; $4 }; }"
}
# Nine requests and more for a walk, so that some turns come in the middle.
slowly="max_rate = 25.0; max_repetitions = 1;"
cat >"$work/pollwerk.conf" <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
          rrd_dir = "$work/rrd"; templates = [ "$src/conf/templates" ]; };
store: { flush = "1s"; profile = "short"; };
devices: ( $(device moved 1 2c), $(device slow 2 2c "$slowly"), $(device reset 3 2c), $(device rows 4 2c),
  $(device all 5 2c), $(device narrow 6 1), $(device old 7 1) );
END
check "the configuration is right" $pollwerk check
begun=$(date +%s)
begin_daemon
# Until each device has a rate, whatever comes after.
rates_are_there()
{
	$pollwerk values '*/if[*]/in_octets' >"$work/values" &&
		[ "$(awk '$2 + 0 > 0 { split($1, p, "/"); print p[1] }' "$work/values" | sort -u | wc -l)" -eq 7 ]
}
check "rates of all devices come within 30 s" wait_for 30 rates_are_there
python3 "$src/tests/system/counters_judge.py" turn "$work/snmp.ctl" "$long" "$seed" >"$work/turns" &
turns=$!
started="$started $turns"
if [ "$long" -gt 30 ]; then
	for part in 1 2 3; do
		sleep $((long / 4 - 2))
		end_daemon
		sleep 1
		begin_daemon
	done
fi
wait "$turns"
check "the simulator takes all turns" [ $? -eq 0 ]
end_daemon
check "the daemon ends well" [ $? -eq 0 ]
echo "# seed $seed, $(wc -l <"$work/turns") turns: $(sort "$work/turns" | uniq -c | awk '
	{ printf "%s %s %s%s", n++ ? "," : "", $1, $2, $3 == "" ? "" : " " $3 }')"
simctl snmp flush
none "each of the RRDs' rates is true within 0.5 %, or unknown" "$(python3 \
	"$src/tests/system/counters_judge.py" judge "$work/rrd" "$begun" "$(date +%s)" 29000000 \
	"$work/snmp.log" 2>"$work/sum")"
cat "$work/sum"
check "and there are true ones of all devices" grep -q '^# all devices have true rates' "$work/sum"
finish
