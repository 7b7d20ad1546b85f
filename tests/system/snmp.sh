#!/bin/sh
# snmp.sh - the daemon against simulated switches: rates are those of the formula, also over a
# renumbering and a restart; wrong communities, old agents and noise stay where they are. And
# against Debian's snmpd: whom its machine is connected to is a hop of a path.
if [ -z "$PW_OWN_NET" ] && [ "$(id -u)" -eq 0 ] && unshare -n ip link set lo up 2>/dev/null; then
	PW_OWN_NET=yes exec unshare -n sh -c 'ip link set lo up && exec "$0"' "$0"
fi
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

work=$(mktemp -d) || exit 1
server= noisy= daemon= agent= consumer=
trap 'kill $daemon $server $noisy $agent $consumer 2>/dev/null; wait; rm -rf "$work"' EXIT
pollwerk="./pollwerk -c $work/pollwerk.conf"

# ready FILE: the port of the simulator that writes there.
ready()
{
	wait_for 30 grep -q '^ready' "$1" && sed -n 's/^ready .*://p' "$1"
}
# 100 kB/s and up, so that a single datagram's delay stays far below a percent.
tests/sim/snmp_sim --listen 127.0.0.1:0 --ifs 8 --rate 100000 --control "$work/control" \
	--log "$work/log" >"$work/server" 2>&1 &
server=$!
tests/sim/snmp_sim --listen 127.0.0.1:0 --ifs 4 --rate 100000 \
	--fault "duplicate=0.2 wrong_id=0.1 junk=0.1 wrong_community=0.1 wrong_port=0.1" \
	>"$work/noisy" 2>&1 &
noisy=$!
port=$(ready "$work/server")
noisy_port=$(ready "$work/noisy")

cat >"$work/pollwerk.conf" <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
          rrd_dir = "$work/rrd"; templates = [ "$src/conf/templates" ]; };
store: { flush = "1s"; profile = "short"; };
devices: (
  { name = "good"; address = "127.0.0.1"; snmp = { version = "2c"; community = "public"; port = $port; };
    templates = [ "system", "if-mib" ]; },
  { name = "old"; address = "127.0.0.1"; snmp = { version = "1"; community = "public"; port = $port; };
    templates = [ "system", "if-mib" ]; },
  { name = "noisy"; address = "127.0.0.1";
    snmp = { version = "2c"; community = "public"; port = $noisy_port; timeout = "100ms"; retries = 3; };
    templates = [ "if-mib" ]; },
  { name = "wrong"; address = "127.0.0.1";
    snmp = { version = "2c"; community = "wrong"; port = $port; timeout = "200ms"; };
    templates = [ "system" ]; } );
END
check "the configuration is right" $pollwerk check
check "probe looks at the agent" eval "$pollwerk probe good >'$work/probe' &&
	grep -q 'answers by SNMP version 2c' '$work/probe' &&
	grep -q 'interfaces   8, 8 with 64-bit counters' '$work/probe'"
check "walk lists a column as snmpwalk would" eval "[ \"\$($pollwerk walk good 1.3.6.1.2.1.2.2.1.8)\" = \
\"\$(for i in 1 2 3 4 5 6 7 8; do echo \"1.3.6.1.2.1.2.2.1.8.\$i = INTEGER: 1\"; done)\" ]"
check "walk speaks JSON" eval "$pollwerk --json walk good 1.3.6.1.2.1.1.5.0 |
	grep -q '^\[{\"oid\":\"1.3.6.1.2.1.1.5.0\",\"type\":\"OCTET STRING\",\"value\":\"sim-1\",\"name\":'"
check "walk says why there is nothing" eval "! $pollwerk walk wrong >/dev/null 2>'$work/why' &&
	grep -q 'no answer to 2 requests within 200ms each' '$work/why'"

./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 &
daemon=$!

# rates DEVICE: what is wrong with its in_octets: 100000 x (N + 1) octets/s for ge-1/N.
rates()
{
	$pollwerk values "$1/if[*]/in_octets" >"$work/values" || echo "no values"
	awk -v rows="$2" '
		{
			split($1, part, /[\/\]]/)
			wanted = 100000 * (part[3] + 1)
			if ($NF != "good" || $2 < wanted * 0.99 || $2 > wanted * 1.01)
				print $0 " instead of " wanted
			n++
		}
		END { if (n != rows) print n + 0 " rows instead of " rows }' "$work/values"
}
all_good()
{
	[ -z "$(rates good 8)" ] && [ -z "$(rates old 8)" ]
}
# Rates are right at some moment: a simulator that has lost its processor is off for two polls.
right()
{
	wait_for 20 eval "[ -z \"\$(rates $*)\" ]"
	rates "$@"
}
check "rates of all interfaces come within 20 s" wait_for 20 all_good
sleep 5
none "each rate is within 1 % of its formula" "$(right good 8)"
none "with version 1 and 32-bit counters as well" "$(right old 8)"
check "a wrong community is a timeout, and the device down" eval \
	"$pollwerk values wrong/uptime | grep -q timeout && $pollwerk devices | grep -q '^wrong  *down'"
check "a noisy network costs no rate" wait_for 20 eval '[ -z "$(rates noisy 4)" ]'

tests/sim/simctl "$work/control" "agent 1 renumber 1000"
sleep 4
none "a renumbered switch keeps its names and rates" "$(right good 8)"
check "and has no new rows" eval "[ \$($pollwerk values 'good/if[*]/oper' | wc -l) -eq 8 ]"

tests/sim/simctl "$work/control" "agent 1 reboot"
sleep 5
none "after a restart the rates are as before" "$(right good 8)"
check "the restart is in the log, once for each device" eval \
	"[ \$(grep -c 'good: restarted [0-9]* s ago' '$work/out') -eq 1 ]"

kill $daemon
wait $daemon
check "the daemon ends well" [ $? -eq 0 ]
daemon=
none "no slot of the good devices was lost" "$($pollwerk gaps 'good/*' | lost_slots)"
check "and there are some" eval "$pollwerk gaps 'good/*' | awk '\$3 < 10 { few = 1 } END { exit NR == 0 || few }'"
if command -v rrdtool >/dev/null; then
	kill $server
	wait $server
	server=
	grep '^# held-up' "$work/log" >"$work/held"
	cat >"$work/judge.awk" <<'END'
/:/ && $2 !~ /nan/ {
	good++
	held($1 - 10, $1 + 0)
	if ($2 < 99500 * (n + 1) * least || $2 > 100500 * (n + 1) * most)
		print "ge-1/" n ": " $2
}
END { if (good < 10) print "ge-1/" n ": " good + 0 " values" }
END
	spikes=$(for n in 1 4 8; do
		rrdtool fetch "$work/rrd/good/if/ge-1%2F$n.rrd" AVERAGE -s -120s |
			awk -v n=$n -v step=1 -f "$src/tests/system/held_up.awk" -f "$work/judge.awk" "$work/held" -
	done)
	none "the RRDs hold no spike and no dip" "$spikes"
else
	skip "the RRDs hold no spike and no dip (apt-get install rrdtool)"
fi

# ---- a device that is far away ----
kill $server 2>/dev/null
tests/sim/snmp_sim --listen 127.0.0.1:0 --ifs 1 --fault "delay=250" --log "$work/far.log" >"$work/far" 2>&1 &
server=$!
port=$(ready "$work/far")
# groups NAME WINDOW: a device with six groups, as each has its template.
groups()
{
	echo "{ name = \"$1\"; address = \"127.0.0.1\"; snmp = { port = $port; timeout = \"1s\"; window = $2; };
	  templates = [ \"t1\", \"t2\", \"t3\", \"t4\", \"t5\", \"t6\" ]; }"
}
mkdir "$work/far.d"
{
	cat <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/far.d/state";
          run_dir = "$work/far.d/run"; rrd_dir = "$work/far.d/rrd"; };
store: { flush = "1s"; profile = "short"; };
templates: (
END
	for n in 1 2 3 4 5 6; do
		echo "{ name = \"t$n\"; protocol = \"snmp\"; points = ( { name = \"p$n\"; kind = \"text\";" \
			"oid = \"1.3.6.1.2.1.1.$n.0\"; } ); }$([ $n = 6 ] || echo ,)"
	done
	echo "); devices: ($(groups one-by-one 1), $(groups beside 6));"
} >"$work/pollwerk.conf"
# told DEVICE: how many of its six groups have a value that is not old.
told()
{
	$pollwerk values "$1/p*" | grep -c 'good$'
}
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 &
daemon=$!
check "all groups of a device that is far away are read in time where the window lets them" \
	wait_for 20 eval '[ $(told beside) -eq 6 ]'
sleep 4
check "and stay so" [ "$(told beside)" -eq 6 ]
check "one by one they do not fit into the interval" [ "$(told one-by-one)" -lt 6 ]
kill $daemon
wait $daemon
daemon=
none "no slot of it was lost" "$($pollwerk gaps 'beside/p*' | lost_slots)"

# ---- a way that has no room for a long datagram ----
sentence="a question that is too long for its way in one piece is answered all the same"
if [ -z "$PW_OWN_NET" ] || ! ip link set lo mtu 600; then
	skip "$sentence (as root, with unshare and ip, for a network of its own)"
else
	kill $server 2>/dev/null
	tests/sim/snmp_sim --listen 127.0.0.1:0 --ifs 8 --rate 100000 >"$work/narrow" 2>&1 &
	server=$!
	port=$(ready "$work/narrow")
	mkdir "$work/narrow.d"
	{
		cat <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/narrow.d/state";
          run_dir = "$work/narrow.d/run"; rrd_dir = "$work/narrow.d/rrd"; };
store: { flush = "1s"; profile = "short"; };
devices: ( { name = "far"; address = "127.0.0.1"; snmp = { port = $port; }; points = (
END
		awk 'BEGIN {
			for (i = 0; i < 48; i++)
				printf "%s{ name = \"p%d\"; oid = \"1.3.6.1.2.1.31.1.1.1.%d.%d\"; kind = \"counter\"; }\n",
					(i > 0) ? ", " : "", i, 6 + i / 8, 1 + i % 8
		}'
		echo "); } );"
	} >"$work/pollwerk.conf"
	./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 &
	daemon=$!
	check "$sentence" wait_for 20 eval \
		"[ \$($pollwerk values 'far/p*' | grep -c 'good\$') -eq 48 ]"
	kill $daemon
	wait $daemon
	daemon=
	ip link set lo mtu 65536
fi

# ---- a controller that is never connected, by its consumer's list of connections ----
PATH=$PATH:/usr/sbin
sentence="the connection of a consumer is a hop"
for tool in snmpd snmpset python3; do
	command -v $tool >/dev/null && continue
	skip "$sentence (apt-get install snmpd snmp python3)"
	finish
done
# Elsewhere there are thousands of connections that other tests left behind.
if [ -z "$PW_OWN_NET" ]; then
	skip "$sentence (as root, with unshare and ip, for a network of its own)"
	finish
fi
cat >"$work/consumer.py" <<'END'
import select, socket, sys
controller = socket.create_server(("127.0.0.77", 0))
consumer = socket.create_connection(controller.getsockname())
peer = controller.accept()[0]
port6 = 0
try:
    other = socket.create_server(("::1", 0), family=socket.AF_INET6)
    port6 = other.getsockname()[1]
    held = (socket.create_connection(("::1", port6)), other.accept()[0])
except OSError:
    pass  # a machine without IPv6
print("ready", controller.getsockname()[1], port6, flush=True)
while True:
    for one in select.select([sys.stdin, controller], [], [])[0]:
        if one is controller:
            controller.accept()
            print("another", flush=True)
        elif sys.stdin.readline() == "":
            sys.exit()
        else:
            consumer.close()
            peer.close()
            print("closed", flush=True)
END
mkfifo "$work/orders"
python3 "$work/consumer.py" <"$work/orders" >"$work/consumer" 2>&1 &
consumer=$!
exec 9>"$work/orders"
if ! wait_for 30 grep -q '^ready' "$work/consumer"; then
	not_ok "$sentence ($(tail -1 "$work/consumer"))"
	finish
fi
read -r _ plc plc6 <"$work/consumer"
remote="\"127.0.0.77:$plc\""
[ "$plc6" -eq 0 ] || remote="$remote, \"[::1]:$plc6\""

# The first port that nobody has.
port=$((20000 + $$ % 20000))
while grep -q ":$(printf %04X $port) " /proc/net/udp; do port=$((port + 1)); done
printf 'rocommunity public 127.0.0.1\nrwcommunity private 127.0.0.1\n' >"$work/agent.conf"
SNMP_PERSISTENT_DIR="$work/agent" SNMPCONFPATH=/nonexistent MIBS="" \
	snmpd -f -Lf "$work/agent.log" -C -c "$work/agent.conf" -I -smux,mteTrigger,mteTriggerConf \
	"udp:127.0.0.1:$port" >/dev/null 2>&1 9>&- &
agent=$!
# It keeps its list for a minute unless told otherwise (nsCacheTimeout).
set_cache()
{
	MIBS="" snmpset -v2c -c private -t 1 -r 1 "127.0.0.1:$port" \
		1.3.6.1.4.1.8072.1.5.3.1.2.1.3.6.1.2.1.6.19 i 1
}
if ! wait_for 30 set_cache; then
	not_ok "snmpd starts ($(tail -1 "$work/agent.log"))"
	finish
fi
mkdir "$work/two"
cat >"$work/pollwerk.conf" <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/two/state"; run_dir = "$work/two/run";
          rrd_dir = "$work/two/rrd"; templates = [ "$src/conf/templates" ]; };
store: { flush = "1s"; profile = "short"; };
devices: (
  { name = "plc"; address = "127.0.0.77"; modbus = { port = $plc; unit_id = 1; free_connections = 0; };
    points = ( { name = "pieces"; function = 3; pdu = 0; type = "u16"; } ); },
  { name = "mes"; address = "127.0.0.1"; snmp = { port = $port; max_repetitions = 40; };
    templates = [ "tcp" ]; rows = { conn = { remote = [ $remote ]; }; }; } );
paths: ( { name = "plc-mes"; source = [ "mes/resets" ]; max_age = "30s";
           hops = ( "plc", "mes/conn[127.0.0.77:$plc]" ); } );
END
check "check tells what tells of a controller that is never connected" eval \
	"$pollwerk check 2>&1 | grep -q 'a consumer.s connection to it (template tcp'"
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 9>&- &
daemon=$!
check "its consumer's connection is seen in the list of the consumer's agent" wait_for 40 eval \
	"$pollwerk values 'mes/conn[127.0.0.77:$plc]/state' | grep -q 'established.*good'"
sentence="and another by IPv6, as [::1] in brackets of its own"
if [ "$plc6" -eq 0 ]; then
	skip "$sentence (this machine has no IPv6)"
else
	check "$sentence" wait_for 40 eval \
		"$pollwerk values 'mes/conn[[::1]:$plc6]/state' | grep -q 'established.*good'"
	# The journal is committed each 100 ms; what the disk has not taken nobody flushes.
	check "whose file is there, too" wait_for 40 eval \
		"[ -s \"\$($pollwerk --json where 'mes/conn[[::1]:$plc6]/state' |
		sed 's/.*\"file\": *\"\([^\"]*\)\".*/\1/')\" ]"
fi
check "the path is up" wait_for 40 eval "$pollwerk --json paths | grep -q '\"state\": *\"up\"'"
echo close >&9
wait_for 30 grep -q '^closed' "$work/consumer"
check "without it the path is impaired there, in these words" wait_for 40 eval \
	"$pollwerk --json paths >'$work/paths' && grep -q '\"state\": *\"impaired\"' '$work/paths' &&
	grep -qF 'mes/conn[127.0.0.77:$plc]: connection is ' '$work/paths'"
sed 's/^/# /' "$work/paths"
kill $daemon
wait $daemon
check "the daemon ends well here, too" [ $? -eq 0 ]
daemon=
check "and has not connected to the controller" eval "! grep -q another '$work/consumer'"
exec 9>&-
finish
