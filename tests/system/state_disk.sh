#!/bin/sh
# state_disk.sh - a state_dir that others fill, and that is freed: polling, alarms and notices go
# on, a kill loses nothing that was committed, everything is there afterwards. (Read-only and I/O
# errors: tests/unit/journal; a mount with open files cannot be made read-only.)
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
if [ "$(id -u)" -ne 0 ] || ! command -v snmptrapd >/dev/null || ! command -v rrdtool >/dev/null; then
	skip "a state_dir that is full (needs root, snmptrapd and rrdtool)"
	finish
fi
# The disk of the test is a mount that nobody else sees and that ends with it.
if [ -z "$PW_OWN_MOUNTS" ]; then
	if ! unshare -m mount -t tmpfs none /mnt 2>/dev/null; then
		skip "a state_dir that is full (needs mounts)"
		finish
	fi
	PW_OWN_MOUNTS=yes exec unshare -m "$0"
fi
. "$src/tests/system/plant.sh"
mkdir "$work/state" && mount -t tmpfs -o size=24m none "$work/state" || exit 1
trap 'umount -l "$work/state"; end_all' EXIT

begin_sim plc modbus_sim --listen 127.0.0.1:0 --agents 2 --base 127.20.9.1
plc_port=$port
begin_receiver notices
cat >"$work/pollwerk.conf" <<-END
	poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
	          rrd_dir = "$work/rrd"; };
	store: { flush = "1s"; profile = "short"; journal_size = "64M"; };
	receivers: ( { name = "nms"; address = "127.0.0.1:$port"; kind = "inform"; } );
	devices: (
	{ name = "p1"; address = "127.20.9.1"; modbus = { port = $plc_port; unit_id = 1; timeout = "500ms"; };
	  points = ( { name = "oil_temp"; modicon = 30013; type = "s16"; scale = 0.1; unit = "C"; } ); },
	{ name = "p2"; address = "127.20.9.2"; modbus = { port = $plc_port; unit_id = 1; timeout = "500ms"; };
	  points = ( { name = "oil_temp"; modicon = 30013; type = "s16"; scale = 0.1; unit = "C"; } ); } );
	END

# seconds COMMAND...: how long until it succeeds, 30 at most
seconds()
{
	began=$(date +%s)
	wait_for 30 "$@"
	took=$(($(date +%s) - began))
}
raised='poller-impaired/journal'
# all_slots FROM TO: all slots of p1 are in the ledger, and so they are in the RRD
all_slots()
{
	as_ledger p1/oil_temp "$work/rrd/p1/points.rrd" oil_temp "$1" "$2" 45.2
}
contents()
{
	sed -n 's/.*32473\.7\.1\.8\.1\.0 = \([0-9]*\)\(.*\)/\1 \2/p' "$work/notices" | sort -u |
		awk '{ if ($1 == last) { print "number", $1, "came with two contents"; exit } last = $1 }'
}
# died_with_it: what of p1 the poller that was killed had not committed, but for what had to be
died_with_it()
{
	$pollwerk gaps --from "$from" --to "$killed" p1/oil_temp |
		awk '$1 == "p1/oil_temp" {
			lost = $3 - $6
			for (i = 8; i < NF; i += 3) # lost by a busy machine
				if ($i == "timeout" || $i == "overrun")
					lost -= $(i + 1)
			if (lost > 2)
				print
		}'
}

begin_daemon
check "values come" wait_for 20 is_good p1/oil_temp
wait_for 30 status_is ok
from=$(($(date +%s) + 1))
sleep 2

# ---- full: others take all that is left ----
head -c 24m /dev/zero >"$work/state/filler" 2>/dev/null
seconds status_is degraded
check "full: degraded after $took s" [ "$took" -le 10 ]
check "full: the notice of it goes out" wait_for 40 noticed 1 "$raised"
reserve=$(find "$work/state/journal" -name '*.spare' -size 0 | wc -l)
check "full: segments are in reserve ($reserve of 256 KiB)" [ "$reserve" -ge 1 ]
check "full: polling goes on" wait_for 20 is_good p1/oil_temp
simctl plc "agent 2 stop"
check "full: a device that falls silent is told" wait_for 20 noticed 1 'device-down/p2'
simctl plc "agent 2 start"
sleep 2
kill -9 "$(role_pid poller)"
killed=$(date +%s)
check "full: a killed poller comes back and polls" wait_for 20 is_good p1/oil_temp
sleep 2
none "full: nothing that was committed into the reserve died with it" "$(died_with_it)"
add_points()
{
	python3 - "$work/pollwerk.conf" <<'END'
import sys
text = open(sys.argv[1]).read()
points = ', '.join('{ name = "%s%04d"; function = 4; pdu = 10; type = "u16"; }' % ('n' * 36, i) for i in range(200))
device = text[text.index('{ name = "p1"'):].split(' );', 1)[0]
new = device.replace('"p1"', '"p3"').split('points = (')[0] + 'points = ( ' + points + ' ); },'
open(sys.argv[1], 'w').write(text.replace('devices: (', 'devices: (\n' + new))
END
}
cp "$work/pollwerk.conf" "$work/before.conf"
add_points
check "full: points that are added are taken" $pollwerk reload
check "full: the others are polled on" wait_for 20 is_good p1/oil_temp
rm "$work/state/filler"
check "freed: status says ok" wait_for 30 status_is ok
from=$(($(date +%s) + 1))
check "freed: the end of it is told" wait_for 30 noticed 2 "$raised"
to=$(date +%s)
sleep 2
check "freed: all $((to - from)) slots since are there, in ledger and RRD" wait_for 30 all_slots "$from" "$to"
added() { [ "$($pollwerk --json values 'p3/n*' | grep -o '"quality":"good"' | wc -l)" -eq 200 ]; }
check "freed: all points that were added are there" wait_for 30 added
unaccounted()
{
	$pollwerk gaps 'p3/n*' |
		awk '{ sum = $6; for (i = 9; i <= NF; i += 3) sum += $i; if ($3 != sum || $3 < 1) print }' | head -n 5
}
none "freed: each of their slots since is accounted for" "$(unaccounted)"
end_daemon
check "the daemon ends well" [ $? -eq 0 ]
none "notices have numbers without a gap" "$(missing_numbers)"
none "and one content each" "$(contents)"

# ---- only the catalogue cannot grow: it is a file of another, little disk ----
rm -rf "$work"/state/* "$work/rrd" "$work/out" "$work/notices"
mv "$work/before.conf" "$work/pollwerk.conf"
mkdir "$work/little" && mount -t tmpfs -o size=16k none "$work/little" || exit 1
: >"$work/little/series"
: >"$work/state/series"
mount --bind "$work/little/series" "$work/state/series" || exit 1
trap 'umount -l "$work/state/series" "$work/little" "$work/state"; end_all' EXIT
begin_daemon
check "catalogue: values come" wait_for 20 is_good p1/oil_temp
wait_for 30 status_is ok
add_points
check "catalogue full: points that are added are taken" $pollwerk reload
seconds status_is degraded
check "catalogue full: degraded after $took s" [ "$took" -le 10 ]
from=$(date +%s)
sleep 5
kill -9 "$(role_pid poller)"
killed=$(date +%s)
check "catalogue full: a killed poller comes back and polls" wait_for 20 is_good p1/oil_temp
wait_for 20 status_is degraded
before=$from
from=$(($(date +%s) + 1))
sleep 4
to=$(date +%s)
sleep 2
check "catalogue full: all $((to - from)) slots since are there, in ledger and RRD" wait_for 15 all_slots "$from" "$to"
check "catalogue full: some of the new points wait" [ "$($pollwerk gaps 'p3/n*' | grep -c '^p3')" -lt 200 ]
since=$(date +%s)
mount -o remount,size=1m "$work/little"
check "catalogue freed: status says ok" wait_for 30 status_is ok
check "catalogue freed: all points that were added are there" wait_for 30 added
kept()
{
	[ "$($pollwerk gaps --from "$from" --to "$since" 'p3/n*' | awk '/^p3/ && $3 >= '$((since - from - 2))' && $6 >= '$((since - from - 3)) | wc -l)" -eq 200 ]
}
check "catalogue freed: and what came meanwhile" wait_for 30 kept
none "catalogue freed: each of their slots is accounted for" "$(unaccounted)"
from=$before
none "catalogue freed: of points that were known nothing died with the poller" "$(died_with_it)"
end_daemon
check "the daemon ends well with it" [ $? -eq 0 ]
finish
