#!/bin/sh
# rates.sh - what the RRDs hold is what the counters did: the project's simulator to its
# formula, Debian's snmpd (which caches its counters for 3 s) in sum.
#   SECONDS_LONG=60 tests/system/rates.sh    length of the run (20); make rates takes 60
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
if ! command -v rrdtool >/dev/null; then
	skip "rates in the RRDs (apt-get install rrdtool)"
	finish
fi
. "$src/tests/system/plant.sh"

long=${SECONDS_LONG:-20}
begin_sim snmp snmp_sim --listen 127.0.0.1:0 --agents 2 --base 127.10.8.1 --ifs 2 --rate 100000000
sim_port=$port

snmpd_port=$(free_port)
snmpd=$(PATH=$PATH:/usr/sbin:/sbin command -v snmpd)
real=
if [ -n "$snmpd" ] && command -v snmpget >/dev/null; then
	cat >"$work/snmpd.conf" <<-END
		agentAddress udp:127.0.0.1:$snmpd_port
		rocommunity public 127.0.0.1
	END
	"$snmpd" -f -r -Lf "$work/snmpd.log" -C -c "$work/snmpd.conf" -p "$work/snmpd.pid" \
		>"$work/snmpd.out" 2>&1 &
	started="$started $!"
	# snmpget on an object: its value alone
	get()
	{
		snmpget -v2c -c public -m '' -t 1 -r 2 -Oqv "127.0.0.1:$snmpd_port" "$1"
	}
	wait_for 30 get 1.3.6.1.2.1.1.3.0 && real=yes
	index=$(snmpwalk -v2c -c public -m '' -On -Oq "127.0.0.1:$snmpd_port" 1.3.6.1.2.1.31.1.1.1.1 |
		sed -n 's/.*\.\([0-9]*\) "\{0,1\}lo"\{0,1\}$/\1/p')
fi

cat >"$work/pollwerk.conf" <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
          rrd_dir = "$work/rrd"; templates = [ "$src/conf/templates" ]; };
store: { flush = "2s"; profile = "short"; };
devices: (
$([ -z "$real" ] || echo "  { name = \"debian\"; address = \"127.0.0.1\"; templates = [ \"if-mib\" ]; rows = { if = { include = \"^lo\$\"; }; };
    snmp = { port = $snmpd_port; timeout = \"800ms\"; }; },")
  { name = "s1"; address = "127.10.8.1"; templates = [ "if-mib" ]; snmp = { port = $sim_port; timeout = "500ms"; }; },
  { name = "s2"; address = "127.10.8.2"; templates = [ "if-mib" ]; snmp = { port = $sim_port; timeout = "500ms"; }; } );
END
check "the configuration is right" $pollwerk check

# Traffic on lo, some 200 kB/s, so that what is counted is not our own alone.
python3 -c 'import socket, time
s = socket.socket(2, 2)
s.bind(("127.0.0.1", 0))
while True:
    s.sendto(b"x" * 1000, s.getsockname())
    s.recv(2000)
    time.sleep(0.005)' &
started="$started $!"
begin_daemon
all_rates()
{
	$pollwerk --json values '*/in_octets' >"$work/values.json" &&
		grep -q '"path":"s2/if\[ge-1/2\]' "$work/values.json" &&
		! grep -q '"value":null' "$work/values.json" &&
		{ [ -z "$real" ] || grep -q '"path":"debian/if' "$work/values.json"; }
}
check "the first rates come" wait_for 30 all_rates

# fresh OBJECT: the value just after snmpd read it anew, so that the polls of the next two
# seconds see the same.
fresh()
{
	before=$(get "$1")
	while after=$(get "$1") && [ "$after" = "$before" ]; do
		sleep 0.1
	done
	echo "$after"
}
in_octets=1.3.6.1.2.1.31.1.1.1.6.$index
in_ucast=1.3.6.1.2.1.31.1.1.1.7.$index
if [ -n "$real" ]; then
	octets_first=$(fresh $in_octets)
	ucast_first=$(get $in_ucast)
fi
from=$(($(date +%s) + 1))
sleep "$long"
if [ -n "$real" ]; then
	octets_last=$(fresh $in_octets)
	ucast_last=$(get $in_ucast)
fi
to=$(($(date +%s) + 1))
sleep 2
end_daemon
check "the daemon ends well" [ $? -eq 0 ]

# column FILE DS: the rows from $from (not itself) to $to, value and time of each
column()
{
	rrdtool fetch "$work/rrd/$1" AVERAGE -r 1 -s "$from" -e "$to" | awk -v ds="$2" -v from="$from" \
		-v to="$to" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == ds) c = i + 1 }
		/:/ && $1 + 0 > from && $1 + 0 <= to { print $c, $1 + 0 }'
}
file_of()
{
	$pollwerk where --no-flush "$1" | sed -n 's|.*[ 	]\(/[^ 	]*\.rrd\).*|\1|p' | sed "s|^$work/rrd/||; q"
}

simctl snmp flush
grep '^# held-up' "$work/snmp.log" >"$work/held"
cat >"$work/judge.awk" <<'END'
{
	n++
	wanted = octets / per
	e = $1 / wanted - 1
	if (e < 0)
		e = -e
	held($2 - 1, $2)
	# Counts are whole.
	if ($1 ~ /nan/ || $1 < wanted * 0.995 * least - 2 || $1 > wanted * 1.005 * most + 2)
		bad = bad " " $1
	else if (e > worst && most == 1)
		worst = e
}
END { printf "%d %.5f%s\n", n, worst, bad }
END
worst=0
wrong=
rows=0
for agent in 1 2; do for port in 1 2; do
	file=$(file_of "s$agent/if[ge-1/$port]/in_octets")
	in=$((100000000 * (port + 1) + agent - 1))
	out=$((200000000 * (port + 1) + agent - 1))
	for pair in in_octets:$in:1 out_octets:$out:1 in_ucast:$in:500 out_ucast:$out:500 \
		in_mcast:$in:5000 out_mcast:$out:5000 in_bcast:$in:10000 out_bcast:$out:10000 \
		in_errors:$in:1000000 out_errors:$out:1000000 in_discards:$in:500000 \
		out_discards:$out:500000; do
		ds=${pair%%:*}
		rest=${pair#*:}
		result=$(column "$file" "$ds" | awk -v step=1 -v octets="${rest%:*}" -v per="${rest#*:}" \
			-f "$src/tests/system/held_up.awk" -f "$work/judge.awk" "$work/held" -)
		set -- $result
		rows=$((rows + ${1:-0}))
		worst=$(awk -v a="$worst" -v b="${2:-1}" 'BEGIN { print (a > b ? a : b) }')
		[ "${1:-0}" -eq $((to - from)) ] && [ $# -eq 2 ] ||
			wrong="$wrong
s$agent ge-1/$port $ds (wanted ${rest%:*} / ${rest#*:}): $result"
	done
done; done
echo "# $rows rates of 48 counters over $((to - from)) s, the worst is off by $(awk -v w="$worst" 'BEGIN { print w * 100 }') %;" \
	"the simulator was held up $(wc -l <"$work/held") times"
none "each stored rate is within 0.5 % of its formula, and beyond by what the simulator was held up only" "$wrong"

# within_five NAME DS DIFFERENCE
within_five()
{
	sum=$(column "$(file_of 'debian/if[lo]/in_octets')" "$2" | awk '{ s += $1 } END { printf "%.0f", s }')
	echo "# snmpd: $1: the counter grew by $3, the rates sum up to $sum"
	check "snmpd: $1: the sum over $((to - from)) s is within 5 %" awk -v sum="$sum" -v want="$3" \
		'BEGIN { exit !(want > 1000 && sum > want * 0.95 && sum < want * 1.05) }'
}
if [ -n "$real" ]; then
	within_five octets in_octets $((octets_last - octets_first))
	within_five packets in_ucast $((ucast_last - ucast_first))
else
	skip "snmpd's rates in sum (apt-get install snmpd snmp)"
fi
none "inside the run expected = good" "$($pollwerk gaps --from "$from" --to "$to" |
	awk -v want="$((to - from))" '$3 != $6 || $3 != want')"
finish
