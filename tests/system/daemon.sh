#!/bin/sh
# daemon.sh - the daemon as a whole: one on a state_dir, reloads, ends, rights, disks that
# are full, read-only or away, switches that renumber.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
if ! command -v rrdtool >/dev/null; then
	skip "the daemon as a whole (apt-get install rrdtool)"
	finish
fi
# The disks of the test are mounts that nobody else sees and that end with it.
if [ -z "$PW_OWN_MOUNTS" ] && [ "$(id -u)" -eq 0 ] && unshare -m mount -t tmpfs none /mnt 2>/dev/null; then
	PW_OWN_MOUNTS=yes exec unshare -m "$0"
fi
. "$src/tests/system/plant.sh"

begin_sim snmp snmp_sim --listen 127.0.0.1:0 --base 127.10.7.1 --ifs 3 --rate 1000000
snmp_port=$port
begin_sim plc modbus_sim --listen 127.0.0.1:0 --agents 2 --base 127.20.7.1
plc_port=$port

# press NAME ADDRESS
press()
{
	cat <<-END
	{ name = "$1"; address = "$2"; modbus = { port = $plc_port; unit_id = 1; timeout = "500ms"; };
	  points = ( { name = "oil_temp"; modicon = 30013; type = "s16"; scale = 0.1; unit = "C"; } ); }
	END
}
# configuration [MORE-OF-POLLER [MORE-DEVICES]]
configuration()
{
	cat >"$work/pollwerk.conf" <<-END
	poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
	          rrd_dir = "$work/rrd"; $1 };
	store: { flush = "1s"; profile = "short"; };
	templates: ( { name = "ports"; protocol = "snmp"; tables = ( { name = "if";
	  key = [ "1.3.6.1.2.1.31.1.1.1.1" ]; discontinuity = "1.3.6.1.2.1.31.1.1.1.19";
	  points = ( { name = "in_octets";  kind = "counter"; unit = "B/s"; oid = "1.3.6.1.2.1.31.1.1.1.6"; } ); } ); } );
	devices: (
	$(press p1 127.20.7.1)$2,
	{ name = "here"; address = "127.0.0.1"; reach = { ping = true; }; },
	{ name = "s1"; address = "127.10.7.1"; templates = [ "ports" ]; snmp = { port = $snmp_port; timeout = "500ms"; }; } );
	END
}
all_good()
{
	is_good p1/oil_temp && is_good 's1/if[ge-1/3]/in_octets'
}
log_has()
{
	grep -qE "$1" "$work/out"
}
# rows_of PATH DS FROM TO: the stored values of the slots from FROM (not itself) to TO
rows_of()
{
	rrdtool fetch "$1" AVERAGE -r 1 -s "$3" -e "$4" | awk -v ds="$2" -v from="$3" -v to="$4" \
		'NR == 1 { for (i = 1; i <= NF; i++) if ($i == ds) c = i + 1 }
		/:/ && $1 + 0 > from && $1 + 0 <= to { print $c }'
}
# Degraded may be told before the store has found its words.
status_tells()
{
	$pollwerk status | grep -q "$1"
}

# ---- one daemon ----
configuration
begin_daemon
check "values come" wait_for 20 all_good
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/second" 2>&1
check "a second daemon on the same state_dir refuses" [ $? -eq 1 ]
check "and says why" grep -q 'in use by another pollwerkd' "$work/second"
check "the first does not mind" wait_for 40 status_is ok

# ---- reload ----
log_is_quiet()
{
	! log_has 'pollwerk\.conf:[0-9]+:'
}
check "no complaint so far" log_is_quiet
configuration 'intervall = "2s";'
$pollwerk reload >"$work/reload" 2>&1
check "a reload of a broken file is refused" [ $? -eq 1 ]
check "it tells file, line and mistake" grep -qE 'pollwerk\.conf:2: .*unknown key "intervall" \(did you mean "interval"\?\)' "$work/reload"
check "so does the log" eval "log_has 'pollwerk\\.conf:2: .*intervall' && log_has 'the old configuration goes on'"
kill -HUP $daemon
check "so does SIGHUP" wait_for 20 eval "[ \$(grep -c 'the old configuration goes on' '$work/out') -eq 2 ]"
printf 'poller: {' >"$work/pollwerk.conf"
kill -HUP $daemon
check "so does a file that ends in the middle" wait_for 20 eval "[ \$(grep -c 'the old configuration goes on' '$work/out') -eq 3 ]"
sleep 1.2
configuration
check "the old configuration goes on" wait_for 30 eval "all_good && status_is ok"
configuration "" ", $(press p2 127.20.7.2)"
kill -HUP $daemon
check "SIGHUP brings a new device" wait_for 30 is_good p2/oil_temp
configuration
check "a reload takes it away" $pollwerk reload
check "and it is gone" eval "! $pollwerk devices | grep -q '^p2'"
# connections AGENT open|close: what the simulator saw
connections()
{
	simctl plc flush >/dev/null
	awk -v agent="$1" -v what="$2" '$3 == agent && $5 == what' "$work/plc.log"
}
check "that of the removed one ended with FIN" wait_for 30 eval "connections 2 close | grep -q 'close fin'"
# A time-out of a busy machine ends a connection as well.
timeouts=$($pollwerk gaps p1/oil_temp | grep -o 'timeout [0-9]*' | cut -d ' ' -f 2)
none "the device that stayed kept its connection" "$(connections 1 close | tail -n +$((${timeouts:-0} + 1)))"
check "it has had one only" [ "$(connections 1 open | wc -l)" -le $((${timeouts:-0} + 1)) ]

# ---- a switch that renumbers ----
from=$(($(date +%s) - 2))
sleep 1
simctl snmp "agent 1 renumber"
sleep 3
simctl snmp "agent 1 rotate"
sleep 5
check "values go on after a renumbering" wait_for 20 all_good
to=$(($(date +%s) - 2))
$pollwerk where 's1/*' >"$work/where"
# What a busy machine loses besides: slots without an answer, and the rate after each.
besides=$($pollwerk gaps --from $from --to $to 's1/if[ge-1/1]/in_octets' |
	grep -oE '(timeout|overrun) [0-9]+' | awk '{ n += 2 * $2 } END { print n + 0 }')
check "there are no new rows" [ "$(cut -f 9 "$work/state/series" | grep -c '^s1/if\[')" -eq 3 ]
for n in 1 2 3; do
	file="$work/rrd/s1/if/ge-1%2F$n.rrd"
	none "ge-1/$n keeps its history under its name, other values are unknown" "$(
		rows_of "$file" in_octets $from $to | awk -v besides="$besides" -v want=$((1000000 * (n + 1))) '
			/nan/ { lost++; next }
			!($1 > want * 0.99 && $1 < want * 1.01) { print "row", NR, "is", $1, "instead of", want; next }
			{ there++ }
			END { if (there < 4 || lost > 5 + besides) print there + 0, "rows are there,", lost + 0, "unknown" }' 2>&1)"
done

# ---- the end ----
sleep 1
ended=$(date +%s)
end_daemon
check "SIGTERM: the daemon ends well" [ $? -eq 0 ]
check "its connections end with FIN" wait_for 20 eval "connections 1 close | grep -q 'close fin'"
none "and not otherwise" "$(connections 1 close | grep -v 'close fin')"
$pollwerk --json gaps --from $((ended - 30)) p1/oil_temp >"$work/gaps"
check "the RRD is written up to the end" [ "$(rrdtool last "$work/rrd/p1/points.rrd")" -ge $((ended - 2)) ]

begin_daemon
wait_for 20 all_good
roles="$(role_pid store) $(role_pid poller)"
kill -9 $daemon
wait $daemon 2>/dev/null
daemon=
gone()
{
	for pid in $roles; do
		! grep -q '^State:[^ZX]*$' "/proc/$pid/status" || return 1
	done
}
check "both roles run" [ "$(echo $roles | wc -w)" -eq 2 ]
check "they end with their supervisor" wait_for 40 gone

# ---- in the background ----
check "without -f the start comes back" timeout 60 ./pollwerkd -c "$work/pollwerk.conf"
daemon=$(cat "$work/state/lock")
check "the lock names the daemon that stays" grep -q '^pollwerkd$' "/proc/$daemon/comm"
check "it answers" wait_for 30 daemon_answers
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/second" 2>&1
check "and refuses another one by its pid" grep -q "in use by another pollwerkd (pid $daemon)" "$work/second"
roles="$(role_pid store) $(role_pid poller) $daemon"
kill "$daemon"
daemon=
check "SIGTERM ends it with its roles" wait_for 20 gone

# ---- rights ----
if [ "$(id -u)" -eq 0 ] && id nobody >/dev/null 2>&1; then
	chmod 755 "$work"
	mv "$work/state" "$work/state-of-root"
	rm -rf "$work/rrd" "$work/run"
	configuration 'user = "nobody";'
	begin_daemon
	check "as another user: values come" wait_for 20 all_good
	check "ping goes by the socket that root opened" wait_for 40 is_good here/up
	for role in store poller; do
		check "the $role is nobody" eval \
			"[ \"\$(awk '/^Uid:/ { print \$2, \$3, \$4, \$5 }' /proc/$(role_pid $role)/status)\" = \
			'$(id -u nobody) $(id -u nobody) $(id -u nobody) $(id -u nobody)' ]"
		check "and has no groups of root" eval "! grep -qE '^(Gid:|Groups:).*	0( |	|\$)' /proc/$(role_pid $role)/status"
	done
	check "RRDs are written" wait_for 20 [ -s "$work/rrd/p1/points.rrd" ]
	kill -9 "$(role_pid poller)"
	sleep 1
	check "a killed poller comes back as nobody" wait_for 40 all_good
	check "a reload works" $pollwerk reload
	end_daemon
	check "it ends well" [ $? -eq 0 ]
	configuration 'user = "no-such-user";'
	./pollwerkd -c "$work/pollwerk.conf" -f >"$work/second" 2>&1
	check "an unknown user is refused" eval "[ $? -eq 1 ] && grep -q 'no such user' '$work/second'"
	rm -rf "$work/state" "$work/rrd" "$work/run"
	mv "$work/state-of-root" "$work/state"
else
	skip "drops privileges (needs root)"
fi

# ---- disks ----
# all_written FROM: nothing is missing since then, neither in the ledger nor in the RRDs
all_written()
{
	as_ledger p1/oil_temp "$work/rrd/p1/points.rrd" oil_temp "$1" $(($(date +%s) - 2)) 45.2
}
configuration
rm -rf "$work/rrd"
if [ -n "$PW_OWN_MOUNTS" ]; then
	mkdir "$work/rrd"
	mount -t tmpfs -o size=64m none "$work/rrd"
	head -c 64m /dev/zero >"$work/rrd/filler" 2>/dev/null
	begin_daemon
	check "full: values come all the same" wait_for 20 all_good
	from=$(date +%s)
	check "full: status says degraded within 10 s" wait_for 10 status_is degraded
	check "full: it says why" wait_for 30 status_tells '^store .*No space left on device'
	sleep 3
	check "full: polling goes on" wait_for 20 all_good
	rm "$work/rrd/filler"
	check "space returns: status says ok within 15 s" wait_for 15 status_is ok
	check "space returns: everything is there" wait_for 20 all_written "$from"

	from=$(date +%s)
	check "read-only" wait_for 30 mount -o remount,ro "$work/rrd"
	check "read-only: status says degraded within 10 s" wait_for 10 status_is degraded
	check "read-only: it says why" wait_for 30 status_tells '^store .*Read-only file system'
	check "read-only: polling goes on" wait_for 20 all_good
	mount -o remount,rw "$work/rrd"
	check "writable again: status says ok within 15 s" wait_for 15 status_is ok
	check "writable again: everything is there" wait_for 20 all_written "$from"
else
	skip "full and read-only disks (needs root and mounts)"
	begin_daemon
	wait_for 20 all_good
fi
from=$(date +%s)
if [ -n "$PW_OWN_MOUNTS" ]; then
	mkdir "$work/away"
	mount --move "$work/rrd" "$work/away" && rmdir "$work/rrd"
else
	mv "$work/rrd" "$work/away"
fi
check "missing: status says degraded within 10 s" wait_for 10 status_is degraded
check "missing: it says why" wait_for 30 status_tells '^store .*No such file or directory'
check "missing: polling goes on" wait_for 20 all_good
killed=$(role_pid store)
kill -9 "$killed"
comes_back()
{
	[ -n "$(role_pid store)" ] && [ "$(role_pid store)" != "$killed" ]
}
check "missing: the store comes back" wait_for 30 comes_back
if [ -n "$PW_OWN_MOUNTS" ]; then
	mkdir "$work/rrd"
	mount --move "$work/away" "$work/rrd"
else
	mv "$work/away" "$work/rrd"
fi
check "it is back: status says ok within 15 s" wait_for 15 status_is ok
check "it is back: everything is there" wait_for 20 all_written "$from"
end_daemon
check "the daemon ends well" [ $? -eq 0 ]
[ -z "$PW_OWN_MOUNTS" ] || umount "$work/rrd"
finish
