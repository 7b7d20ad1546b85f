#!/bin/sh
# cli.sh - the command line against a daemon that runs, one that refuses, and none: names,
# members of the JSON documents and exit status are those that others rely on.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

if ! command -v python3 >/dev/null; then
	skip "the documents of the command line (apt-get install python3)"
	finish
fi
work=$(mktemp -d) || exit 1
chmod 755 "$work"
switch= press= daemon=
trap 'kill $daemon $switch $press 2>/dev/null; wait; rm -rf "$work"' EXIT
pollwerk="./pollwerk -c $work/plant.conf"

ready() { wait_for 20 grep -q '^ready' "$1" && sed -n 's/^ready .*://p' "$1"; }
# exits STATUS SENTENCE COMMAND...: what it says is in $work/out and $work/err.
exits()
{
	wanted=$1
	sentence=$2
	shift 2
	"$@" >"$work/out" 2>"$work/err"
	status=$?
	if [ $status -eq "$wanted" ]; then
		ok "$sentence"
	else
		not_ok "$sentence: exit $status, not $wanted"
		head -n 5 "$work/out" "$work/err" | sed 's/^/    /'
	fi
}
says() { check "$1" grep -q -e "$2" "$work/err"; }
shows() { check "$1" grep -q -e "$2" "$work/out"; }
# holds SENTENCE EXPRESSION: of the JSON document d in $work/out, by Python.
holds()
{
	check "$1" python3 -c "import json
d = json.load(open('$work/out'))
by = {o.get('path') or o.get('name') or o.get('key'): o for o in d} if isinstance(d, list) else {}
number = (int, float)
assert ($2), json.dumps(d)[:600]"
}

tests/sim/snmp_sim --listen 127.0.0.1:0 --ifs 2 --rate 100000 >"$work/switch" 2>&1 &
switch=$!
tests/sim/modbus_sim --listen 127.0.0.1:0 --units 1 >"$work/press" 2>&1 &
press=$!
# Nobody listens on port 1.
configuration()
{
	cat <<END
poller: { name = "cli-test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
          rrd_dir = "$work/rrd"; templates = [ "$src/conf/templates" ]; };
store: { flush = "30s"; profile = "short"; };
devices: (
  { name = "sw"; address = "127.0.0.1"; place = "werk1/hall3"; owner = "IT";
    snmp = { port = $(ready "$work/switch"); }; templates = [ "if-mib" ]; },
  { name = "press"; address = "127.0.0.1"; place = "werk1/hall3/line-b"; owner = "OT";
    modbus = { port = $(ready "$work/press"); unit_id = 1; };
    points = ( { name = "oil"; modicon = 30013; type = "s16"; scale = 0.1; unit = "C"; },
               { name = "badge"; function = 4; pdu = 10; type = "u16"; retain = "30d"; },
               { name = "state"; function = 4; pdu = 10; type = "u16"; kind = "state";
                 states = [ "1=off", "2=running" ]; },
               { name = "pieces"; function = 3; pdu = 100; type = "u32"; kind = "counter"; } ); },
  { name = "gone"; address = "127.0.0.1"; modbus = { port = 1; unit_id = 1; timeout = "200ms"; };
    points = ( { name = "x"; function = 3; pdu = 0; type = "u16"; } ); },
  { name = "behind"; address = "127.0.0.1"; parents = [ "gone" ];
    modbus = { port = 1; unit_id = 2; timeout = "200ms"; };
    points = ( { name = "x"; function = 3; pdu = 0; type = "u16"; } ); } );
thresholds: ( { name = "oil-warm"; on = "press/oil"; above = 40.0; clear = 30.0; severity = "minor"; } );
paths: ( { name = "p"; source = [ "gone/x" ]; hops = ( "behind", "gone", "sw" ); max_age = "3s"; availability = 99.0; } );
END
}
configuration >"$work/plant.conf"

# ---- without a daemon ----
exits 0 "check takes a right configuration" $pollwerk check
shows "and sums it up" '4 devices, .*: ok'
exits 0 "plan needs no daemon" $pollwerk plan
shows "and counts what will be polled" '^series  *[1-9]'
shows "and says that it fits" '^fits$'
shows "and which alarms to expect" '^alarms  *no device has alarms = "standard"$'
exits 0 "plan --json" $pollwerk --json plan --rows 3
holds "one document" "d['devices'] == 4 and d['rows'] == 3 and d['fits'] is True and d['files'] == 11"
exits 1 "plan of what no disk holds" $pollwerk plan --rows 1000000
shows "says so" '^does not fit: the RRD files need more'
for command in status devices alarms paths reload "pause press" clock; do
	exits 3 "$command: exit 3 without a daemon" $pollwerk $command
	says "$command: says that it is not reachable" 'not reachable: .*ctl.sock: '
done
for words in --help --version "check --help" plan "--json plan"; do
	exits 1 "$words: exit 1 where the output cannot be written" sh -c "$pollwerk $words >/dev/full"
	says "$words: says so" '^pollwerk: cannot write the output: No space left on device$'
done
for words in --help --version; do
	exits 1 "pollwerkd $words: exit 1 where it cannot be written" sh -c "./pollwerkd $words >/dev/full"
	says "pollwerkd $words: says so" '^pollwerkd: cannot write the output: No space left on device$'
done
exits 2 "no command is wrong usage" ./pollwerk
exits 2 "an unknown command is wrong usage" $pollwerk valeus
says "and the nearest one is named" 'did you mean "values"'
exits 2 "a command of later versions is refused by name" $pollwerk flows
says "in these words" '^pollwerk flows: not in this version yet$'
exits 2 "an unknown option is wrong usage" $pollwerk where --frobnicate
says "and is told from a second glob" 'unknown option --frobnicate$'
exits 2 "a severity that there is not is wrong usage" $pollwerk alarms --severity bad
says "and those that there are are told" 'bad: expected critical, major, minor, warning or indeterminate$'
exits 2 "an option of other lists is wrong usage" $pollwerk devices --severity major
exits 2 "graph without points is wrong usage" $pollwerk graph
exits 2 "an option without its value is wrong usage" $pollwerk gaps --from
says "and is named" '^pollwerk gaps: --from: its value is missing$'
exits 2 "a day that there is not is wrong usage" $pollwerk gaps --from 2026-02-30T00:00:00Z
says "and is told with what is expected" '"2026-02-30T00:00:00Z" is no time: expected "-2h"'
for command in gaps "export x" "graph x"; do
	exits 2 "$command: a range that ends before it begins is wrong usage" $pollwerk $command --from=now --to=-2h
	says "$command: and is told" 'the range is empty: --from is not before --to$'
done
exits 2 "no reason at all is wrong usage" $pollwerk gaps --reason ""
exits 2 "good is no reason" $pollwerk gaps --reason good
exits 0 "--version" ./pollwerk --version
shows "tells it" '^pollwerk [0-9]'
for command in check plan rrd status devices values where gaps alarms paths graph probe adopt walk reload \
	backup restore export; do
	exits 0 "$command --help" ./pollwerk $command --help
	shows "$command --help: shows its usage" "^usage: pollwerk $command"
	exits 0 "$command -h" ./pollwerk $command -h
done
exits 1 "a configuration that is not there" ./pollwerk -c "$work/none.conf" check
says "is named" "$work/none.conf: No such file"

# ---- with one ----
./pollwerkd -c "$work/plant.conf" -f >"$work/log" 2>&1 &
daemon=$!
settled()
{
	$pollwerk alarms | grep -q oil-warm && $pollwerk alarms | grep -q path-impaired &&
		$pollwerk values sw/if*oper | grep -q ' good$' &&
		$pollwerk values press/pieces | grep -q '^press/pieces  *[0-9].* good$' &&
		$pollwerk values behind/x | grep -q parent-down &&
		$pollwerk gaps press/oil | grep -Eq 'expected ([3-9]|[0-9]{2,}) '
}
check "alarms and values come" wait_for 40 settled
exits 1 "a line whose name is no UTF-8 is no line" $pollwerk pause "$(printf 'press\377')"

exits 0 "status" $pollwerk status
exits 0 "status --json" $pollwerk --json status
holds "status is one object that names poller, health and counts" \
	"d['name'] == 'cli-test' and d['health'] == 'ok' and d['devices'] == 4 and d['alarms'] >= 2
	and d['store']['state'] == 'ok' and d['store']['files'] >= 1 and d['store']['lag'] >= 0"
exits 0 "devices --json, the option behind the command" $pollwerk devices --json
holds "devices have all members" "all({'name', 'address', 'protocol', 'state', 'rtt', 'loss',
	'age', 'last_error'} <= set(o) for o in d) and len(d) == 4"
holds "a device that answers is up, one that does not is down, without a round trip" \
	"by['sw']['state'] == 'up' and by['gone']['state'] == 'down' and by['gone']['rtt'] is None
	and 0 < by['press']['rtt'] < 1 and 'refused' in by['gone']['last_error']"
holds "one behind it says so" "by['behind']['last_error'] == 'behind gone, which is down'"
exits 0 "devices of a place" $pollwerk --json devices --place werk1/hall3
holds "are those below it" "sorted(by) == ['press', 'sw']"
exits 1 "no such device" $pollwerk devices nothing-like-it

exits 0 "values --json" $pollwerk --json values
holds "points have exactly the members of the contract" "all(set(o) == {'path', 'value', 'raw',
	'unit', 'time', 'quality', 'reason'} for o in d)"
holds "a value is a number with its unit" "abs(by['press/oil']['value'] - 45.2) < 1e-9
	and by['press/oil']['unit'] == 'C'
	and by['press/oil']['quality'] == 'good' and isinstance(by['press/oil']['time'], float)"
# Two a second; a busy machine may once read one more or less of them.
check "a counter shows its rate, and the count itself as raw" wait_for 30 eval \
	"$pollwerk --json values press/pieces | python3 -c 'import json, sys
row = json.load(sys.stdin)[0]
assert 1.8 < row[\"value\"] < 2.2 and isinstance(row[\"raw\"], int) and row[\"raw\"] > 0' 2>/dev/null"
holds "what is not known is null with a reason, never 0" "by['gone/x']['value'] is None
	and by['gone/x']['quality'] == 'unknown' and by['gone/x']['reason'] in ('unreachable', 'timeout')"
holds "a down device is a value" "by['gone/up']['value'] == 0 and by['sw/up']['value'] == 1"
exits 0 "values of a glob, as text" $pollwerk values 'press/st*'
shows "a state is number and word" '^press/state  *2 (running) .*good$'
exits 1 "a glob that matches nothing" $pollwerk values 'nothing*'
says "is told" 'no point matches "nothing\*"'
exits 0 "values ends quietly when nobody reads" sh -c "$pollwerk values | head -n 1"
check "without a message" [ ! -s "$work/err" ]

exits 0 "where --json" $pollwerk --json where 'sw/if[ge-1/1]/in_octets'
holds "names file and data source" "set(d[0]) == {'path', 'file', 'ds'} and len(d) == 1
	and d[0]['file'] == '$work/rrd/sw/if/ge-1%2F1.rrd' and d[0]['ds'] == 'in_octets'"
check "the file is there although the store writes every 30 s only" \
	[ -s "$work/rrd/sw/if/ge-1%2F1.rrd" ]
exits 0 "alarms --json" $pollwerk --json alarms
holds "alarms have the members of the contract" "all({'key', 'id', 'severity', 'condition', 'device',
	'object', 'value', 'threshold', 'since', 'text', 'suppressed', 'owner', 'place'} <= set(o)
	for o in d) and len(d) >= 2"
holds "an alarm's key is threshold and point" "by['oil-warm/press/oil']['severity'] == 'minor'
	and by['oil-warm/press/oil']['owner'] == 'OT'"
exits 0 "paths --json" $pollwerk --json paths
holds "a path has the members of the contract and names the hop at fault" "{'name', 'state', 'root',
	'evidence', 'availability', 'coverage', 'worst', 'target', 'budget_left', 'age'} <= set(d[0])
	and d[0]['state'] == 'impaired' and d[0]['root'] == 'gone'"
exits 0 "gaps --json" $pollwerk --json gaps
holds "every slot is accounted for" "all(o['expected'] == o['good'] + sum(o['reasons'].values())
	for o in d) and by['press/oil']['expected'] >= 3"
holds "gaps have the members of the contract, spans are half open" "all(set(o) == {'path', 'expected',
	'good', 'reasons', 'spans'} for o in d) and by['gone/x']['good'] == 0 and
	sum(s['n'] for s in by['gone/x']['spans']) == by['gone/x']['expected'] and
	all(set(s) == {'from', 'to', 'reason', 'class', 'n', 'excluded_by'} and
	s['to'] - s['from'] == s['n'] and s['class'] == 'lost' for s in by['gone/x']['spans'])"
holds "what is silent behind it is lost as parent-down" "by['behind/x']['reasons'].get('parent-down', 0) > 0
	and by['behind/x']['good'] == 0 and set(by['behind/x']['reasons']) <= {'parent-down',
	'unreachable', 'timeout', 'breaker', 'poller-down'}"
exits 0 "gaps of one device by class" $pollwerk --json gaps --device gone --class lost
holds "are those of its points only" "by['gone/x']['good'] == 0 and 'gone/up' not in by or
	by['gone/up']['reasons'] and all(p.startswith('gone/') for p in by)"
exits 0 "gaps by reason" $pollwerk --json gaps --reason unreachable,timeout
holds "leave out what has none of them" "'gone/x' in by and 'press/oil' not in by"
exits 0 "gaps of a data path" $pollwerk --json gaps --path p
holds "are those of its source and hops" "{'gone/x', 'gone/up', 'sw/up'} <= set(by) and 'press/oil' not in by"
exits 1 "gaps of a path that is none" $pollwerk gaps --path nothing
exits 2 "gaps of a class that is none" $pollwerk gaps --class bad
exits 0 "gaps as spans in CSV" $pollwerk gaps --csv gone/x
check "one line for each, with its class" awk -F, 'NR > 1 && !($1 == "gone/x" && $5 == "lost" && $6 > 0) { exit 1 }
	END { exit NR < 2 }' "$work/out"
check "a span's time can be asked for as it is printed" eval "from=\$(awk -F, 'NR == 2 { print \$2 }' '$work/out') &&
	$pollwerk gaps --from=\$from gone/x | grep -q 'good 0 + '"
exits 0 "gaps by a reason that counts as good" $pollwerk gaps --class no-rate press/pieces
shows "tells how many slots of the good ones" 'good [0-9]* (of them first [0-9]*)'
exits 0 "gaps since a sequence that this ledger has not come to" $pollwerk --json gaps --since 1000000
holds "says so, and where to go on" "d['missed'] is True and d['next'] < 1000000"
says "and why" 'sequence 1000000 is not of this ledger, which was put back or begun anew'
# gone/x was never good, so there is no file of it.
exits 0 "export of what was never good" $pollwerk --json export --from 0 gone/x
holds "has a row for each slot, with the reason" "len(d) >= 3 and all(r['value'] is None and r['step'] == 1
	and r['reason'] in ('unreachable', 'timeout', 'breaker') for r in d)"
exits 0 "export of a whole plant, a column each" $pollwerk export --wide --from -5s '*/x'
shows "has the column of that point as well" '^time,behind/x AVERAGE,gone/x AVERAGE$'
exits 0 "export of more than there is" $pollwerk export --from -80d press/oil
check "is as fine as the file has it" awk -F, 'NR > 1 { n++; if ($5 != 1) exit 1 } END { exit n < 3 }' "$work/out"
exits 0 "also without the ledger" $pollwerk export --from -80d --no-reasons press/oil
check "and begins with the first value" awk -F, 'NR == 2 { exit $6 == "" || $5 != 1 }' "$work/out"
exits 1 "rrd check of a point that there is not" $pollwerk rrd check 'nothing*'
says "tells it" 'no point matches "nothing\*"'
exits 1 "rrd migrate too" $pollwerk rrd migrate --dry-run 'nothing*'
exits 0 "where, of a point that must not stay" $pollwerk --json where press/badge
holds "a file of its own, named after the time" "d[0]['file'] == '$work/rrd/press/points~720h.rrd'"
check "that holds 30 days and not more" wait_for 40 sh -c "rrdtool info '$work/rrd/press/points~720h.rrd' |
	awk '/^step/ { step = \$3 } /\.rows/ { rows[\$1] = \$3 } /pdp_per_row/ { per[\$1] = \$3 }
	END { for (r in rows) { p = r; sub(/rows/, \"pdp_per_row\", p); if (rows[r] * per[p] * step > 30 * 86400) exit 1; n++ } exit !n }'"
if [ -d /usr/share/fonts ] && find /usr/share/fonts -name '*.ttf' | grep -q .; then
	exits 0 "graph" $pollwerk graph press/oil -o "$work/oil.png" --from -1m
	check "is a PNG" [ "$(head -c 4 "$work/oil.png" | od -An -tx1 | tr -d ' ')" = 89504e47 ]
	exits 0 "graph of points of which one was never good and one is none" \
		$pollwerk graph press/oil gone/x nothing/x -o "$work/three.png"
	says "draws the others and names that one" '^pollwerk: gone/x: nothing of it is stored yet$'
	says "and the one that matches nothing" 'no stored point matches "nothing/x"'
	exits 0 "graph --svg" $pollwerk graph press/oil -o "$work/oil.svg" --from -1m
	check "is an SVG with the threshold's colour" grep -qE '#c62828|rgb\(77\.6' "$work/oil.svg"
else
	skip "graph (apt-get install fonts-dejavu-core)"
fi

# ---- reload ----
sed -i 's/above = 40.0/abvoe = 40.0/' "$work/plant.conf"
exits 1 "a reload with a mistake is refused" $pollwerk reload
says "with file and line" "plant.conf:[0-9]*: .*abvoe"
exits 0 "and the old configuration goes on" $pollwerk status
says "that the file has mistakes is told" 'mistake.*pollwerk check'
check "also for values" eval "$pollwerk values press/oil 2>/dev/null | grep -q ' good$'"
exits 1 "a path cannot be found in it" $pollwerk gaps --path p
says "and it does not say that there is none" '"p": unknown until the mistakes of the configuration are mended'
exits 1 "nor can files that are not used" $pollwerk rrd orphans
says "which is told" 'which files are used is not known until they are mended'
exits 1 "nor is anything migrated by it" $pollwerk rrd migrate --dry-run
says "and that is told" 'nothing is migrated until they are mended'
configuration | sed 's/name = "gone"/name = "away"/; s/gone/away/g' >"$work/plant.conf"
exits 0 "a right one is taken over" $pollwerk reload
check "and the new device is polled" wait_for 30 sh -c "$pollwerk devices | grep -q '^away  *down'"
configuration | sed 's/"if-mib" ];/& rows = { if = { exclude = "1$"; }; };/' >"$work/plant.conf"
exits 0 "rows can be left out" $pollwerk reload
check "which is the reason why they have no value" wait_for 10 sh -c \
	"$pollwerk values '*1]/oper' | grep -q ' stale, config$'"

# ---- who may do what ----
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	cp ./pollwerk "$work/pollwerk" && chmod 755 "$work/pollwerk" "$work/run" &&
		chmod 666 "$work/run/ctl.sock" && chmod 644 "$work/plant.conf"
	nobody="setpriv --reuid 65534 --regid 65534 --clear-groups $work/pollwerk -c $work/plant.conf"
	exits 0 "who may connect may look" $nobody status
	exits 0 "a plan is possible" $nobody plan
	says "and says why it does not know the rows" 'state/series: Permission denied: the rows of all tables are assumed'
	exits 1 "but not act" $nobody reload
	says "and is told who may" 'needs the role operate'
else
	skip "roles of the control socket (needs root)"
fi

# ---- after it ----
kill $daemon
wait $daemon
check "the daemon ends in order" [ $? -eq 0 ]
daemon=
sleep 2.5
exits 0 "values are shown when no daemon runs" $pollwerk --json values press/oil
holds "as stale, without a number" "d[0]['quality'] == 'stale' and d[0]['value'] is None"
holds "because nobody polls" "d[0]['reason'] == 'poller-down'"
exits 0 "gaps too" $pollwerk gaps press/oil
exits 3 "status is not" $pollwerk status
finish
