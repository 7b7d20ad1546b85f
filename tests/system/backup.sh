#!/bin/sh
# backup.sh - a backup of a running plant, put back after kill -9 of all: the sums of the ledger
# are exact, rows are those of the original, and the time in between is poller-down.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
for tool in python3 rrdtool sha256sum; do
	if ! command -v $tool >/dev/null; then
		skip "backup and restore (apt-get install $tool)"
		finish
	fi
done
. "$src/tests/system/plant.sh"

begin_sim snmp snmp_sim --listen 127.0.0.1:0 --agents 3 --base 127.10.29.1 --ifs 3
snmp_port=$port
begin_sim plc modbus_sim --listen 127.0.0.1:0 --units 1
cat >"$work/pollwerk.conf" <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
          rrd_dir = "$work/rrd"; include = [ "more.conf" ]; };
store: { flush = "1s"; profile = "short"; };
templates: ( { name = "ports"; protocol = "snmp"; tables = ( { name = "if"; key = [ "1.3.6.1.2.1.31.1.1.1.1" ];
  points = ( { name = "in_octets";  kind = "counter"; unit = "B/s"; oid = "1.3.6.1.2.1.31.1.1.1.6"; },
             { name = "out_octets"; kind = "counter"; unit = "B/s"; oid = "1.3.6.1.2.1.31.1.1.1.10"; } ); } ); } );
END
cat >"$work/more.conf" <<END
devices: (
  { name = "s1"; address = "127.10.29.1"; templates = [ "ports" ]; snmp = { port = $snmp_port; timeout = "300ms"; retries = 0; }; },
  { name = "s2"; address = "127.10.29.2"; templates = [ "ports" ]; snmp = { port = $snmp_port; timeout = "300ms"; retries = 0; }; },
  { name = "s3"; address = "127.10.29.3"; templates = [ "ports" ]; snmp = { port = $snmp_port; timeout = "300ms"; retries = 0; }; },
  { name = "p1"; address = "127.0.0.1"; modbus = { port = $port; unit_id = 1; };
    points = ( { name = "oil"; modicon = 30013; type = "s16"; scale = 0.1; unit = "C"; } ); } );
END
expected() { [ "$($pollwerk gaps "$1" | sed -n 's/.*expected \([0-9]*\).*/\1/p')" -ge "$2" ]; }
# exits STATUS SENTENCE COMMAND...
exits()
{
	wanted=$1 sentence=$2
	shift 2
	"$@" >"$work/stdout" 2>"$work/stderr"
	status=$?
	check "$sentence" sh -c "[ $status -eq $wanted ] || { cat $work/stdout $work/stderr; exit 1; }"
}
says() { check "$1" grep -q -e "$2" "$work/stderr"; }

exits 2 "no destination is wrong usage" $pollwerk backup
exits 2 "a destination of two is wrong usage" $pollwerk backup "$work/a" "$work/b"
begin_daemon
check "the plant lives" wait_for 20 expected p1/oil 3
simctl snmp "agent 2 dead"
check "a switch falls silent for a while" wait_for 20 sh -c "$pollwerk gaps 's2/if[ge-1/1]/in_octets' | grep -q timeout"
simctl snmp "agent 2 alive"

# ---- backup ----
exits 1 "a backup into what is backed up is refused" $pollwerk backup "$work/state/backup"
exits 0 "a backup while the daemon runs" $pollwerk --json backup "$work/copies/one"
check "says how much it was" python3 -c "import json
d = json.load(open('$work/stdout'))
assert d['running'] and d['attempts'] >= 1 and d['rrd_files'] >= 10 and d['bytes'] > 100000, d"
check "its checksums are sha256sum's" sh -c "cd '$work/copies/one' && sha256sum -c --quiet SHA256SUMS"
check "the configuration and what it includes are in it" sh -c "cmp '$work/more.conf' '$work/copies/one/config$work/more.conf' &&
	cmp '$work/pollwerk.conf' '$work/copies/one/config$work/pollwerk.conf'"
exits 1 "the same name a second time is refused" $pollwerk backup "$work/copies/one"
exits 0 "restore --verify finds it whole" $pollwerk --json restore --verify "$work/copies/one"
cp "$work/stdout" "$work/verified.json"
exits 1 "while the daemon runs nothing is put back" $pollwerk restore --force "$work/copies/one"
says "and who is in the way is named" 'in use by another pollwerkd'
for run in 1 2 3; do
	$pollwerk backup --keep 2 "$work/dated" >/dev/null 2>"$work/stderr" || not_ok "backup --keep 2"
	sleep 1.1
done
check "--keep keeps the newest two" [ "$(ls "$work/dated" | wc -l)" -eq 2 ]
$pollwerk backup "$work/copies/killed" >/dev/null 2>&1 &
backup=$!
wait_for 5 [ -d "$work/copies/killed.partial" ]
kill -9 $backup 2>/dev/null
wait $backup
exits 0 "after one that was killed the next one sweeps" $pollwerk backup "$work/copies/two"
rm -rf "$work/copies/killed"
exits 0 "also of the same name" $pollwerk backup "$work/copies/killed"
check "and leaves nothing half made" [ ! -e "$work/copies/killed.partial" ]

# ---- all is lost, and comes back ----
end_daemon
$pollwerk export --from -5m '*' >"$work/original.csv"
$pollwerk --json gaps >"$work/original.json"
since=$($pollwerk gaps --since 0 | sed -n 's/^# next //p')
exits 1 "what is there is not overwritten" $pollwerk restore "$work/copies/one"
says "without --force" 'is not empty: --force renames it'
printf X | dd of="$work/copies/two/state/series" bs=1 seek=3 conv=notrunc 2>/dev/null
exits 1 "what is no backup is none" $pollwerk --json restore --verify "$work/copies/none"
check "and the document says so, and why" python3 -c "import json
d = json.load(open('$work/stdout'))
assert d['ok'] is False and len(d['bad']) == 1 and 'copies/none' in d['bad'][0], d"
exits 1 "a damaged backup is found" $pollwerk restore --verify "$work/copies/two"
says "by the file's name" '/two/state/series: its checksum is another one'
exits 1 "and is not put back" $pollwerk restore --force "$work/copies/two"
rm -rf "$work/state" "$work/rrd"
rm "$work/more.conf"
exits 0 "restore, with the configuration" $pollwerk restore --config "$work/copies/one"
check "which is there again" [ -s "$work/more.conf" ]
$pollwerk --json gaps >"$work/restored.json"
check "the ledger's sums are those that were checked in the backup" python3 -c "import json
gaps = json.load(open('$work/restored.json'))
v = json.load(open('$work/verified.json'))
assert v['ok'] and v['bad'] == []
assert sum(g['expected'] for g in gaps) == v['expected'] > 0
assert sum(g['good'] for g in gaps) == v['good'] > 0
assert all(g['expected'] == g['good'] + sum(g['reasons'].values()) for g in gaps)
was = {g['path']: g for g in json.load(open('$work/original.json'))}
assert all(g['expected'] <= was[g['path']]['expected'] for g in gaps)"
: >"$work/out"
begin_daemon
grown() { $pollwerk gaps p1/oil | grep -Eq 'poller-down [1-9]'; }
check "the daemon goes on from there" wait_for 20 grown
slots=$($pollwerk gaps p1/oil | sed -n 's/.*= good \([0-9]*\).*/\1/p')
good() { [ "$($pollwerk gaps p1/oil | sed -n 's/.*= good \([0-9]*\).*/\1/p')" -ge "$1" ]; }
check "and polls" wait_for 20 good $((slots + 2))
# The state that is lost had given numbers up to there: they do not come again.
newer() { $pollwerk gaps --since "$since" 's2/*' | awk -v since="$since" '$NF > since + 0 && $4 == "poller-down" { found = 1 } END { exit !found }'; }
check "who asks for gaps --since $since learns of those after the restore" wait_for 20 newer
$pollwerk export --from -5m '*' >"$work/restored.csv"
$pollwerk --json gaps >"$work/later.json"
end_daemon
check "the daemon ends in order" [ $? -eq 0 ]
cat >"$work/judge.py" <<'END'
import csv, json, sys
from datetime import datetime
work = sys.argv[1]
def table(name):
    return {(r['path'], r['time']): (r['value'], r['reason'], r['step']) for r in csv.DictReader(open(work + name))}
a, b = table('/original.csv'), table('/restored.csv')
v = json.load(open(work + '/verified.json'))
same = down = 0
fallen = {}
for path, time in sorted(a):
    is_, was = b.get((path, time)), a[path, time]
    if is_ is not None and is_[1] == 'poller-down' and was[1] != 'poller-down':
        # What the backup could not know: without a value, and then so are all that follow.
        assert is_[0] == '', (path, time, was, is_)
        fallen.setdefault(path, time)
        down += 1
    else:
        assert path not in fallen, (path, time, was, is_)
        assert is_ == was, (path, time, was, is_)
        same += 1
# A journal is committed each 100 ms; a machine that is busy may take seconds.
moment = lambda text: datetime.strptime(text[:19], '%Y-%m-%dT%H:%M:%S').timestamp()
late = {p: t for p, t in fallen.items() if moment(t) < moment(v['taken']) - 20}
assert not late, (v['taken'], late)
assert same > 50 and down > 0, (same, down)
for g in json.load(open(work + '/later.json')):
    assert g['expected'] == g['good'] + sum(g['reasons'].values()), g
    assert g['reasons'].get('poller-down', 0) > 0 or g['expected'] == g['good'], g
print('%d rows as in the original, %d of the time since are poller-down' % (same, down))
END
check "rows up to the backup are those of the original, later ones poller-down" \
	python3 "$work/judge.py" "$work"
python3 "$work/judge.py" "$work" | sed 's/^/# /'
none "nobody complains" "$(grep -E 'damaged|left alone|quarantin|Sanitizer|runtime error' "$work/out")"
exits 0 "a backup without a daemon" $pollwerk backup "$work/copies/still"
exits 0 "is whole too" $pollwerk restore --verify "$work/copies/still"
finish
