#!/bin/sh
# migrate.sh - RRD files are brought to another interval with their history: rrdtool says what
# is in them before and after; killed again and again on the way, it ends with the same.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

for tool in rrdtool python3; do
	command -v $tool >/dev/null || { skip "migration with $tool as the oracle (apt-get install $tool)"; finish; }
done
. "$src/tests/system/plant.sh"
judge="python3 $src/tests/system/migrate_judge.py"
rrd="$work/rrd"

# configuration INTERVAL [POINTS]
configuration()
{
	cat >"$work/pollwerk.conf" <<END
poller: { interval = "$1"; state_dir = "$work/state"; run_dir = "$work/run"; rrd_dir = "$rrd";
	  templates = [ "$src/conf/templates" ]; };
store: { flush = "1s"; profile = "short"; };
devices: ( { name = "sw"; address = "127.0.0.1"; snmp = { port = $sw; }; templates = [ "if-mib" ];
  points = ( { name = "uptime"; oid = "1.3.6.1.2.1.1.3.0"; } $2 ); } );
END
}
files_are_there() { [ -e "$rrd/sw/if/ge-1%2F1.rrd" ] && [ -e "$rrd/sw/device.rrd" ]; }

begin_sim sw snmp_sim --listen 127.0.0.1:0 --ifs 1 --rate 100000
sw=$port
configuration 1s
begin_daemon
check "files are written within 30 s" wait_for 30 files_are_there
check "rrd check finds them good while the daemon writes them" $pollwerk rrd check
$pollwerk rrd migrate >"$work/out" 2>"$work/err"
check "rrd migrate is refused while the daemon runs" [ $? -eq 1 ]
check "and says so" grep -q 'in use by another pollwerkd.*stop it first' "$work/err"
end_daemon

# Two hours of history, known to the judge.
check "a history is put in" $judge fill "$rrd/sw/if/ge-1%2F1.rrd" "$work/old.rrd"

configuration 2s
check "another interval is refused before the migration" \
	sh -c "$pollwerk check 2>&1 | grep -q 'stop pollwerkd and run \"pollwerk rrd migrate\"'"
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/refused" 2>&1
check "by the daemon as well" [ $? -ne 0 ]
check "a dry run tells what would change" \
	sh -c "$pollwerk rrd migrate --dry-run | grep -q 'ge-1%2F1.rrd: every 2s instead of 1s; 15 points'"
check "and changes nothing" cmp -s "$rrd/sw/if/ge-1%2F1.rrd" "$work/old.rrd"

# Killed at random moments; what is there is always one of the two.
seed=${SEED:-$(date +%s)}
echo "# seed $seed"
kills=0 torn=0
# Each a little later than the one before, until one comes too late.
for delay in $(python3 -c "import random; random.seed($seed)
print(*['%.4f' % (0.3 * (i + random.random()) / ${KILLS:-5}) for i in range(${KILLS:-5})])"); do
	$pollwerk rrd migrate >"$work/out" 2>&1 &
	migration=$!
	sleep "$delay"
	kill -9 $migration 2>/dev/null && kills=$((kills + 1))
	wait $migration 2>/dev/null
	[ -e "$work/state/migration" ] || $judge whole "$rrd" "$work/state/series" || torn=$((torn + 1))
done
check "after $kills kills files and catalogue agree" [ $torn -eq 0 ]
check "rrd migrate comes to its end" $pollwerk rrd migrate
check "and has nothing left to do" sh -c "$pollwerk rrd migrate | grep -q '^nothing to migrate'"
check "all rows of both are equal, those of 2 s the means of those of 1 s" \
	$judge compare "$work/old.rrd" "$rrd/sw/if/ge-1%2F1.rrd"
check "rrd check finds the new files good" $pollwerk rrd check
check "the old file is kept, to the byte" sh -c "cmp \"$work/old.rrd\" \"$rrd\"/.migrate/*/sw/if/ge-1%2F1.rrd"
$pollwerk rrd orphans >"$work/out"
check "rrd orphans lists it as old" grep -q '^old .*/sw/if/ge-1%2F1.rrd$' "$work/out"
check "and no other" sh -c "! grep -q '^orphan\|^temporary' '$work/out'"

# It goes on; a point that is added the daemon puts into the file itself.
begin_daemon
last=$(rrdtool last "$rrd/sw/if/ge-1%2F1.rrd")
check "the daemon goes on in the new file" \
	wait_for 30 sh -c "[ \$(rrdtool last '$rrd/sw/if/ge-1%2F1.rrd') -gt $((last + 2)) ]"
first=$(rrdtool first "$rrd/sw/points.rrd")
configuration 2s ', { name = "uptime2"; oid = "1.3.6.1.2.1.1.3.0"; }'
check "a reload with one more point is taken" $pollwerk reload
check "its data source comes into the file that is there" \
	wait_for 30 sh -c "rrdtool info '$rrd/sw/points.rrd' | grep -q '^ds.uptime2..index = 1'"
check "which begins when it did" [ "$(rrdtool first "$rrd/sw/points.rrd")" -le $((first + 60)) ]
end_daemon
check "and the history is still that" $judge compare "$work/old.rrd" "$rrd/sw/if/ge-1%2F1.rrd"
check "rrd check is content" $pollwerk rrd check
: >"$rrd/sw/nobody.rrd"
check "rrd orphans finds a file that nobody uses" \
	sh -c "$pollwerk rrd orphans | grep -q '^orphan .* sw/nobody.rrd$'"
rrdtool tune "$rrd/sw/points.rrd" RRA:HWPREDICT:100:0.1:0.0035:10 >"$work/tuned" 2>&1
$pollwerk rrd check >"$work/out"
check "rrd check names a file that the store leaves alone, exit 1" [ $? -eq 1 ]
check "and what it has" grep -q "^bad: $rrd/sw/points.rrd: RRA [0-9]* is HWPREDICT" "$work/out"
dd if=/dev/zero of="$rrd/sw/device.rrd" bs=100 count=1 conv=notrunc 2>/dev/null
$pollwerk rrd check >"$work/out"
check "rrd check names a damaged file, exit 1" [ $? -eq 1 ]
check "by its name" grep -q "^bad: $rrd/sw/device.rrd: " "$work/out"
finish
