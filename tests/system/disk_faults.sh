#!/bin/sh
# disk_faults.sh - calls on single files of a daemon that runs fail: EIO and ENOSPC while it writes,
# syncs, makes or renames segments of the journal, the catalogue, RRDs, the ledger, checkpoints and
# states. It says what fails, polls on, tells alarms, loses nothing that it had acknowledged when its
# roles are killed, and when the fault is gone all is there. Whole disks: state_disk.sh, disks.sh.
#   FAULTS=all tests/system/disk_faults.sh    what takes a minute each as well; make disk_faults
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
if ! command -v snmptrapd >/dev/null || ! command -v rrdtool >/dev/null ||
	! LD_PRELOAD="$build/tests/system/disk_faults.so" ./pollwerk --version >/dev/null 2>&1; then
	skip "files that fail (needs snmptrapd, rrdtool and a preload)"
	finish
fi
. "$src/tests/system/plant.sh"
export PW_DISK_FAULTS="$work/faults"

epoch=$(($(date +%s) - 1000))
begin_sim plc modbus_sim --listen 127.0.0.1:0 --agents 2 --base 127.20.31.1 --epoch $epoch
plc_port=$port
begin_receiver notices
cat >"$work/pollwerk.conf" <<-END
	poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
	          rrd_dir = "$work/rrd"; };
	store: { flush = "1s"; profile = "short"; };
	receivers: ( { name = "nms"; address = "127.0.0.1:$port"; kind = "inform"; } );
	devices: (
	{ name = "p1"; address = "127.20.31.1"; modbus = { port = $plc_port; unit_id = 1; timeout = "500ms"; };
	  points = ( { name = "life"; function = 3; pdu = 110; type = "u16"; } ); },
	{ name = "p2"; address = "127.20.31.2"; modbus = { port = $plc_port; unit_id = 1; timeout = "500ms"; };
	  points = ( { name = "life"; function = 3; pdu = 110; type = "u16"; } ); } );
	END

status_says()
{
	$pollwerk status | grep -q "$1"
}
stored()
{
	as_ledger p1/life "$work/rrd/p1/points.rrd" life "$1" "$2" since:$epoch
}
# new_point: one is added by a reload
new_point()
{
	sed -i "/name = \"p1\"/,/points/ s/points = ( /&{ name = \"n$(date +%s)\"; function = 3; pdu = 110; type = \"u16\"; }, /" \
		"$work/pollwerk.conf"
	$pollwerk reload
}
# killed ROLE: it is there again, another one
killed()
{
	pid=$(role_pid "$1")
	kill -9 "$pid"
	wait_for 20 is_another "$1" "$pid"
}
is_another()
{
	pid=$(role_pid "$1")
	[ -n "$pid" ] && [ "$pid" != "$2" ]
}
# What a poller that is killed had not committed was never acknowledged.
#
# with_fault SENTENCE SAYS RULE ROLE [COMMAND]: while the rule holds, which SAYS tells of in what
# status says; and the role is killed.
with_fault()
{
	before=$(grep -c 'device-down/p2' "$work/notices")
	from=$(($(date +%s) + 1))
	echo "$3" >"$work/faults"
	simctl plc "agent 2 stop" >/dev/null
	[ -z "$5" ] || check "$1: $5" "$5"
	check "$1: status says so" wait_for 75 status_says "$2"
	check "$1: a device that falls silent is told" wait_for 20 noticed $((before + 1)) 'device-down/p2'
	check "$1: a $4 that is killed comes back" killed "$4"
	simctl plc "agent 2 start" >/dev/null
	sleep 2
	check "$1: polling goes on" wait_for 20 is_good p1/life
	rm "$work/faults"
	check "$1: all is well when it is over" wait_for 90 status_is ok
	sleep 3
	to=$(($(date +%s) - 2))
	[ "$4" != poller ] || export ALSO_LOST=poller-down
	check "$1: all $((to - from)) slots are there" wait_for 30 stored "$from" "$to"
	unset ALSO_LOST
	check "$1: and those before it" stored "$((from - 4))" "$((from - 1))"
}

# The roles have it from their supervisor, and no command.
export LD_PRELOAD="$build/tests/system/disk_faults.so"
./pollwerkd -c "$work/pollwerk.conf" -f >>"$work/out" 2>&1 &
daemon=$!
unset LD_PRELOAD
wait_for 30 daemon_answers
check "values come" wait_for 20 is_good p1/life
check "and are stored" wait_for 20 test -e "$work/rrd/p2/points.rrd"
wait_for 30 status_is ok
sleep 4
# What shows at the next checkpoint only takes a minute each.
if [ "$FAULTS" = all ]; then
	cat <<-END
	checkpoint write ENOSPC /checkpoint store
	checkpoint sync EIO /checkpoint poller
	checkpoint rename EIO /checkpoint store
	ledger write EIO /ledger/ store
	ledger sync EIO /ledger/ poller
	undo write EIO /undo poller
	undo sync EIO /undo store
	p1 sync EIO /p1/ store
	p1 open EIO /p1/ store
	p1 write EIO /p1/ poller
	journal write EIO /journal/ poller
	journal sync EIO /journal/ store
	series write EIO /series poller new_point
	series sync EIO /series poller new_point
	END
fi >"$work/list"
cat >>"$work/list" <<-END
	journal write ENOSPC /journal/ store
	journal sync EIO /journal/ poller
	series write ENOSPC /series store new_point
	series sync EIO /series store new_point
	series read EIO /series store new_point
	p1 write ENOSPC /p1/ store
	END
while read -r name call error part role more; do
	with_fault "$name, $error of $call" "$name" "$call $error $part" "$role" $more </dev/null
done <"$work/list"
end_daemon
check "the daemon ends well" [ $? -eq 0 ]
none "notices have numbers without a gap" "$(missing_numbers)"
finish
