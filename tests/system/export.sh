#!/bin/sh
# export.sh - the history as others read it: pollwerk export held against rrdtool fetch, and a
# stock rrdtool that sees through --daemon what the store still has in memory.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
for tool in python3 rrdtool; do
	if ! command -v $tool >/dev/null; then
		skip "export and stock rrdtool (apt-get install $tool)"
		finish
	fi
done
. "$src/tests/system/plant.sh"

begin_sim snmp snmp_sim --listen 127.0.0.1:0 --agents 2 --base 127.10.19.1 --ifs 2
cat >"$work/pollwerk.conf" <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
          rrd_dir = "$work/rrd"; templates = [ "$src/conf/templates" ]; };
store: { flush = "1h"; profile = "short"; };
devices: (
  { name = "a"; address = "127.10.19.1"; templates = [ "if-mib" ]; snmp = { port = $port; timeout = "200ms"; retries = 0; }; },
  { name = "b"; address = "127.10.19.2"; templates = [ "if-mib" ]; snmp = { port = $port; timeout = "200ms"; retries = 0; }; } );
END
begin_daemon
good() { [ "$($pollwerk gaps "$1" | sed -n 's/.*= good \([0-9]*\).*/\1/p')" -ge "$2" ]; }
timed_out() { $pollwerk gaps "$1" | grep -Eq 'timeout ([2-9]|[0-9][0-9])'; }
a='a/if[ge-1/1]/in_octets'
file="$work/rrd/a/if/ge-1%2F1.rrd"
socket="unix:$work/run/flush.sock"
check "points are polled" wait_for 20 good "$a" 4
simctl snmp "agent 1 dead"
check "a switch falls silent" wait_for 20 timed_out "$a"
simctl snmp "agent 1 alive"
before=$($pollwerk gaps "$a" | sed -n 's/.*= good \([0-9]*\).*/\1/p')
check "and answers again" wait_for 20 good "$a" $((before + 2))

# ---- against rrdtool ----
asked=$(date +%s)
$pollwerk export --from -2m 'a/if[ge-1/1]/*_octets' >"$work/long.csv" 2>"$work/err"
check "export ends well" [ $? -eq 0 ]
none "and has nothing to say" "$(cat "$work/err")"
rrdtool fetch "$file" AVERAGE -s -200 -e now >"$work/fetched"
cat >"$work/judge.py" <<'END'
import csv, json, sys
work, asked = sys.argv[1], int(sys.argv[2])
lines = open(work + '/fetched').read().split('\n')
names = lines[0].split()
oracle = {}
for line in lines[2:]:
    if ':' in line:
        time, values = line.split(':')
        oracle[int(time)] = dict(zip(names, map(float, values.split())))
from datetime import datetime, timezone
rows = list(csv.DictReader(open(work + '/long.csv')))
assert rows and list(rows[0]) == ['time', 'path', 'unit', 'function', 'step', 'value', 'reason']
known = unknown = 0
times = {}
for row in rows:
    time = int(datetime.strptime(row['time'], '%Y-%m-%dT%H:%M:%SZ').replace(tzinfo=timezone.utc).timestamp())
    wanted = oracle[time][row['path'].rsplit('/', 1)[1]]
    assert row['unit'] == 'B/s' and row['function'] == 'AVERAGE' and row['step'] == '1', row
    times.setdefault(row['path'], []).append(time)
    if wanted != wanted:
        assert row['value'] == '' and row['reason'] != '', row
        unknown += 1
    else:
        assert abs(float(row['value']) - wanted) <= 1e-9 * abs(wanted) and row['reason'] == '', row
        known += 1
for path, seen in times.items():
    assert seen == list(range(seen[0], seen[-1] + 1)), path
# Nothing that rrdtool has was left out; what came while it was asked may be.
first = min(min(seen) for seen in times.values())
missing = [t for t, row in oracle.items() if first <= t < asked and row['in_octets'] == row['in_octets']
           and t not in times['a/if[ge-1/1]/in_octets']]
assert not missing, missing
assert known >= 8 and unknown >= 4, (known, unknown)
print('%d values equal to rrdtool fetch, %d unknown with their reason' % (known, unknown))
END
check "values are those of rrdtool fetch, gaps are empty with their reason, never 0" \
	python3 "$work/judge.py" "$work" "$asked"
$pollwerk export --from -2m --json-lines "$a" >"$work/lines"
$pollwerk --json export --from -2m "$a" >"$work/document"
check "JSON is one list of what the lines of JSON are" python3 -c "import json
rows = json.load(open('$work/document'))
lines = [json.loads(line) for line in open('$work/lines')]
shown = [line for line in lines if line['value'] is not None and line['time'] >= rows[0]['time']]
assert shown and all(line in rows for line in shown), (shown, rows)"
check "JSON lines: null and a reason where nothing is known, a number elsewhere" python3 -c "import json
rows = [json.loads(line) for line in open('$work/lines')]
assert any(r['value'] is None and r['reason'] == 'timeout' for r in rows)
assert any(isinstance(r['value'], float) and r['reason'] is None for r in rows)
assert all(set(r) == {'time', 'path', 'unit', 'function', 'step', 'value', 'reason'} for r in rows)"
$pollwerk export --from -2m --wide --unix '?/if[ge-1/1]/in_octets' >"$work/wide.csv"
check "--wide has one column a point, --unix seconds" python3 -c "import csv
rows = list(csv.reader(open('$work/wide.csv')))
assert rows[0] == ['time', 'a/if[ge-1/1]/in_octets AVERAGE [B/s]', 'b/if[ge-1/1]/in_octets AVERAGE [B/s]'], rows[0]
assert len(rows) > 6 and all(len(r) == 3 and int(r[0]) > 1e9 for r in rows[1:])
assert any(r[1] == '' for r in rows) and any(r[2] != '' for r in rows[1:]) and '0' not in [r[1] for r in rows]"
$pollwerk export 'nothing*' >"$work/out.csv" 2>"$work/err"
check "a glob that matches nothing is a negative result" [ $? -eq 1 ]
$pollwerk export >"$work/out.csv" 2>&1
check "no glob is wrong usage" [ $? -eq 2 ]
$pollwerk export --cf HWPREDICT "$a" >"$work/out.csv" 2>&1
check "an unknown function is wrong usage" [ $? -eq 2 ]

# ---- stock rrdtool, with and without --daemon ----
# The store writes once an hour, so what is newer than `was` came by a flush.
grows() { was=$1; shift; "$@" >/dev/null && [ "$(rrdtool last "$file" 2>&1)" -gt "$was" ]; }
pending() { [ "$($pollwerk gaps "$a" | sed -n 's/.*expected \([0-9]*\).*/\1/p')" -ge "$1" ]; }
next() # waits until slots were closed since
{
	last=$(rrdtool last "$file")
	slots=$($pollwerk gaps "$a" | sed -n 's/.*expected \([0-9]*\).*/\1/p')
	wait_for 30 pending $((slots + 1))
}
check "rrdtool fetch reads the file" grep -q '^[0-9]*: ' "$work/fetched"
next
check "rrdtool flushcached forces a flush" grows "$last" rrdtool flushcached --daemon "$socket" "$file"
next
check "rrdtool graph --daemon draws what was in memory" grows "$last" rrdtool graph "$work/x.svg" \
	-a SVG -s -60 --daemon "$socket" "DEF:a=$file:in_octets:AVERAGE" 'LINE:a#ff0000'
next
check "rrdtool fetch --daemon" grows "$last" rrdtool fetch "$file" AVERAGE -s -10 --daemon "$socket"
rrdtool fetch "$file" AVERAGE -s -120 -e -3 --daemon "$socket" >"$work/asked"
rrdtool fetch "$file" AVERAGE -s -120 -e -3 >"$work/direct"
check "says what the file says" python3 -c "
def rows(name):
    return {l.split(':')[0]: [float(v) for v in l.split(':')[1].split()] for l in open(name) if ':' in l}
a, b = rows('$work/direct'), rows('$work/asked')
same = [t for t in a if t in b]
assert len(same) > 100, (len(a), len(b), len(same))
other = [(t, x, y) for t in same for x, y in zip(a[t], b[t])
         if not (abs(x - y) <= 1e-9 * abs(x) or (x != x and y != y))]
assert not other, (len(other), other[:5])"
for question in "xport -s -30 DEF:a=$file:in_octets:AVERAGE XPORT:a" "info $file" "last $file" "first $file" \
	"lastupdate $file"; do
	check "rrdtool ${question%% *} --daemon" rrdtool $question --daemon "$socket"
done
rrdtool fetch --daemon "$socket" /etc/passwd AVERAGE >"$work/out" 2>&1
check "a file outside RRD_DIR is refused" grep -q 'not below' "$work/out"
rrdtool fetch "$work/rrd/../state/series" AVERAGE --daemon "$socket" >"$work/out" 2>&1
check "by a way round as well" grep -Eq 'not below|no file of ours|no RRD' "$work/out"
rrdtool fetch "$file" AVERAGE -s 1 -e 4000000000 --daemon "$socket" >"$work/out" 2>&1
check "a range without end is answered, the store stays" $pollwerk where "$a"

# ---- a file that somebody has locked ----
next
python3 - "$file" "$work" <<'END' &
import fcntl, os, sys, time
f = open(sys.argv[1], 'r+b')
fcntl.lockf(f, fcntl.LOCK_EX)
open(sys.argv[2] + '/locked', 'w').close()
while os.path.exists(sys.argv[2] + '/locked'):
    time.sleep(0.1)
END
started="$started $!"
check "somebody locks a file" wait_for 30 [ -e "$work/locked" ]
wait_for 20 pending $((slots + 3))
told() { $pollwerk where "$a" >/dev/null 2>&1; $pollwerk status | grep -q 'locked by another program'; }
check "status says so" wait_for 20 told
check "the other files are written meanwhile" $pollwerk where 'b/if[ge-1/1]/in_octets'
other="$work/rrd/a/if/ge-1%2F2.rrd"
was=$(rrdtool last "$other" 2>/dev/null) || was=0
wait_for 20 pending $((slots + 6))
$pollwerk where 'a/if[*' >"$work/out" 2>"$work/err"
check "also those that are asked for with it" [ "$(rrdtool last "$other")" -gt "$was" ]
check "and it is named" grep -q 'not flushed, .*ge-1%2F1.rrd' "$work/err"
rm "$work/locked"
written() { $pollwerk where "$a" >/dev/null 2>&1; [ "$(rrdtool last "$file")" -gt "$last" ]; }
check "when it is free, what has waited is written" wait_for 20 written
calm() { $pollwerk status | grep -q '^store *ok'; }
check "and status is calm" wait_for 20 calm
$pollwerk export --from -5m "$a" | awk -F, 'NR > 1 && $6 == "" && $7 == ""' >"$work/unexplained"
none "no row is without a value and without a reason" "$(cat "$work/unexplained")"
end_daemon
check "the daemon ends in order" [ $? -eq 0 ]
$pollwerk export --from -5m "$a" >"$work/after.csv" 2>"$work/err"
check "export needs no daemon" grep -q ',timeout$' "$work/after.csv"
finish
