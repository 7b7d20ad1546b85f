#!/bin/sh
# first_monday.sh - a switch that gets the rules of its templates while six of its ports are down:
# a real snmptrapd gets one summary, then the six one by one; a restart repeats neither.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
PATH=$PATH:/usr/sbin:/sbin
if ! command -v snmptrapd >/dev/null; then
	skip "the first Monday at a real receiver (apt-get install snmptrapd)"
	finish
fi
. "$src/tests/system/plant.sh"

begin_receiver notices
trap_port=$port
begin_sim snmp snmp_sim --listen 127.0.0.1:0 --ifs 8
for row in 2 3 5 6 7 8; do
	simctl snmp "agent 1 oper $row down" >/dev/null
done
# configuration ALARMS
configuration()
{
	cat <<-END
		poller: { name = "plant-a"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
		          rrd_dir = "$work/rrd"; templates = [ ]; alarm_settle = "4s"; alarm_rate = 600; };
		store: { profile = "tiny"; };
		receivers: ( { name = "nms"; address = "127.0.0.1:$trap_port"; kind = "trap"; } );
		templates: ( { name = "ports"; protocol = "snmp"; tables = ( { name = "if";
		    key = "1.3.6.1.2.1.31.1.1.1.1";
		    points = ( { name = "oper"; oid = "1.3.6.1.2.1.2.2.1.8"; states = [ "1=up", "2=down" ]; } ); } );
		  thresholds = ( { name = "port-down"; on = "if[*]/oper"; is = "down"; severity = "minor"; } ); } );
		devices: ( { name = "sw"; address = "127.0.0.1"; snmp = { port = $port; }; templates = [ "ports" ];
		  alarms = "$1"; } );
	END
}
# How many notices have this text.
notices()
{
	grep -c "$1" "$work/notices"
}
there_are()
{
	[ "$(notices "$2")" -eq "$1" ]
}
raised='"MINOR port-down sw/if\[ge-1/[0-9]\]/oper: down"'

configuration none >"$work/pollwerk.conf"
check "the configuration is right" $pollwerk check
begin_daemon
ports_are_there()
{
	[ "$($pollwerk values 'sw/if[*]/oper' | grep -c 'good$')" -eq 8 ]
}
check "all ports are polled" wait_for 40 ports_are_there
configuration standard >"$work/pollwerk.conf"
check "plan says what would be raised" eval "$pollwerk plan | grep -q '^alarms  *6 of alarms = \"standard\" would be raised now: port-down 6; of'"
check "reload" $pollwerk reload
six_are_listed()
{
	[ "$($pollwerk alarms | grep -c port-down)" -eq 6 ]
}
check "the six are listed" wait_for 30 six_are_listed
check "then comes one summary" wait_for 20 there_are 1 \
	'"6 conditions were open when monitoring began: port-down 6"'
check "then each of them" wait_for 20 there_are 6 "$raised"
check "in this order" [ "$(grep -n 'when monitoring began' "$work/notices" | sed 's/:.*//; q')" -lt \
	"$(grep -n "$raised" "$work/notices" | sed 's/:.*//; q')" ]
check "and the end of the summary" wait_for 20 there_are 1 'all of these conditions are raised or over'
check "they stay listed" six_are_listed
end_daemon
begin_daemon
simctl snmp "agent 1 oper 4 down" >/dev/null
check "after a restart a new one is told at once" wait_for 15 there_are 7 "$raised"
check "and there was no second summary" there_are 1 'when monitoring began: '
end_daemon
check "the daemon ends well" [ $? -eq 0 ]
finish
