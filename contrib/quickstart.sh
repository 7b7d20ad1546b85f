#!/bin/sh
# quickstart.sh - the main job in about a minute: on a fresh Debian 12, as root or with sudo,
# or as a normal user where the packages are installed.
#
#   sh contrib/quickstart.sh    installs what is missing, builds in build/, plays a small plant
#   --seconds N                 so long (60; at least 45)
#   --stay                      goes on afterwards until Ctrl-C
#   --no-install                leaves the packages alone
#
# The plant is three simulators on 127.0.0.1: a managed switch (SNMP), a press PLC and an
# energy meter (Modbus TCP). pollwerkd polls them every 2 s by conf/quickstart.conf. The oil
# of the press gets too hot and cools down again, then its PLC dies and returns; a real
# snmptrapd receives and translates the notices; graphs are drawn. Everything that is told
# at the end was looked at: the exit status is 0 only if all of it happened.
set -u
cd "$(dirname "$0")/.." || exit 1
. contrib/lib.sh

usage() { say "usage: sh contrib/quickstart.sh [--seconds N] [--stay] [--no-install]"; exit 2; }
seconds=60
stay=no
install=yes
while [ $# -gt 0 ]; do
	case $1 in
	--seconds)
		case ${2:-} in '' | *[!0-9]*) usage ;; esac
		seconds=$2
		[ "$seconds" -ge 45 ] || die "quickstart.sh: --seconds $seconds: at least 45 are needed"
		shift
		;;
	--stay) stay=yes ;;
	--no-install) install=no ;;
	*) usage ;;
	esac
	shift
done

top=$PWD
build=$top/build
work=$build/quickstart
terminal=no
[ ! -t 1 ] || [ "${TERM:-dumb}" = dumb ] || terminal=yes
PATH=$PATH:/usr/sbin:/sbin
# What Net-SNMP's programs read and write stays in the work directory.
export SNMPCONFPATH=/nonexistent SNMP_PERSISTENT_DIR="$work/snmp-persistent" PATH

# ---- packages and programs ----
if [ $install = yes ]; then
	packages_install build run
fi
for program in snmptrapd rrdtool; do
	command -v $program >/dev/null || die "quickstart.sh: no $program: apt-get install $program"
done

# logged LOG COMMAND...: shows the end of its output only when it fails.
logged()
{
	log=$1
	shift
	"$@" >"$log" 2>&1 && return 0
	tail -n 30 "$log" >&2
	die "quickstart.sh: failed: $*"
}
[ ! -e config.status ] ||
	die "quickstart.sh: the tree itself is configured, which hides build/: make distclean first"
mkdir -p "$build" && [ -w "$build" ] || die "quickstart.sh: $build: cannot be written to"
say "building in build/"
if [ ! -e configure ] || [ configure.ac -nt configure ]; then
	logged "$build/autoreconf.out" autoreconf -fi
fi
if [ ! -e build/Makefile ]; then
	logged "$build/configure.out" sh -c 'cd build && ../configure -q'
fi
logged "$build/make.out" make -C build -s -j"$(nproc 2>/dev/null || echo 1)" all
rm -rf "$work"
mkdir -p "$work/graphs"
logged "$work/base-mibs.out" sh contrib/base-mibs.sh "$build/base-mibs"
cp -r "$build/base-mibs" "$work/mibs"
cp mibs/POLLWERK-MIB.txt "$work/mibs/POLLWERK-MIB"

# ---- the plant ----
began=$(date +%s)
pids=
daemon=
# A unix socket's path may have 107 characters.
run=$work/run
if [ ${#run} -gt 80 ]; then
	run=$(mktemp -d) || exit 1
fi
mkdir -p "$run"

cleanup()
{
	trap - EXIT
	[ $terminal = no ] || printf '\r\033[K'
	[ -z "$daemon$pids" ] || kill $daemon $pids 2>/dev/null
	wait
	[ "$run" = "$work/run" ] || rm -rf "$run"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

since() { echo $(($(date +%s) - began)); }
event()
{
	[ $terminal = no ] || printf '\r\033[K'
	printf '%4s s  %s\n' "$(since)" "$*"
}
pollwerk() { "$build/pollwerk" -c "$work/quickstart.conf" "$@"; }
tell() { "$build/tests/sim/simctl" "$work/$1.ctl" "$2" >>"$work/simctl.out" 2>&1; }

# simulate NAME COMMAND...: starts it; $port is where it serves.
simulate()
{
	name=$1
	shift
	: >"$work/$name.out"
	# The sockets' names stay short from here.
	(cd "$work" && exec "$@" --listen 127.0.0.1:0 --control "$name.ctl" --log "$name.log") \
		>"$work/$name.out" 2>&1 &
	pids="$pids $!"
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		port=$(sed -n 's/^ready .*:\([0-9][0-9]*\)$/\1/p' "$work/$name.out")
		[ -z "$port" ] || return 0
		sleep 0.2
	done
	cat "$work/$name.out" >&2
	die "quickstart.sh: the simulator $name did not start"
}

# snmptrapd writes one line for who sent it when, one for each varbind, and an empty one.
receive_traps()
{
	echo 'disableAuthorization yes' >"$work/snmptrapd.conf"
	trap_port=$((20000 + $$ % 10000))
	for try in 1 2 3 4 5 6 7 8 9 10; do
		trap_port=$((trap_port + 1))
		hex=$(printf '%04X' $trap_port)
		if cat /proc/net/udp /proc/net/udp6 2>/dev/null | grep -q ":$hex "; then
			continue
		fi
		MIBDIRS="$work/mibs" snmptrapd -f -n -C -c "$work/snmptrapd.conf" -m POLLWERK-MIB:SNMPv2-MIB \
			-OQ -F '%02.2h:%02.2j:%02.2k from %b\n%V\n%v\n\n' -Lf "$work/traps" \
			"udp:127.0.0.1:$trap_port" >"$work/snmptrapd.out" 2>&1 &
		trapd=$!
		sleep 0.7
		if kill -0 $trapd 2>/dev/null; then
			pids="$pids $trapd"
			return 0
		fi
	done
	cat "$work/snmptrapd.out" >&2
	die "quickstart.sh: snmptrapd found no free port"
}

simulate switch "$build/tests/sim/snmp_sim" --ifs 8 --rate 500000 --wave 0.5 --wave-period 20
switch_port=$port
simulate press "$build/tests/sim/modbus_sim" --units 1
press_port=$port
simulate meter "$build/tests/sim/modbus_sim" --units 1:meter
meter_port=$port
receive_traps
sed -e "s|/tmp/pollwerk-quickstart/run|$run|" -e "s|/tmp/pollwerk-quickstart|$work|" \
	-e "s|templates = \[ \"templates\" \]|templates = [ \"$top/conf/templates\" ]|" \
	-e "s|:16200|:$trap_port|" -e "s|port = 16100|port = $switch_port|" \
	-e "s|port = 15020|port = $press_port|" -e "s|port = 15021|port = $meter_port|" \
	conf/quickstart.conf >"$work/quickstart.conf"
pollwerk check >"$work/check.out" || die "quickstart.sh: the configuration was refused"
"$build/pollwerkd" -c "$work/quickstart.conf" -f >"$work/pollwerkd.log" 2>&1 &
daemon=$!
started=$(date +%s)
event "a switch, a press PLC and an energy meter on 127.0.0.1, ports $switch_port," \
	"$press_port and $meter_port; snmptrapd on $trap_port"
event "pollwerkd: $(cat "$work/check.out")"

# ---- what is seen while it runs ----
value() { pollwerk values "$1" 2>/dev/null | awk '{ print $2, $4 == "good" ? $3 : "" }'; }
progress()
{
	[ $terminal = yes ] || return 0
	devices=$(pollwerk devices 2>/dev/null | awk 'NR > 1 { printf "%s %s  ", $1, $2 }')
	printf '\r\033[K%4s s  %soil %s  %s alarms  %s traps' "$(since)" "$devices" \
		"$(value press-3/oil_temp)" \
		"$(pollwerk --json alarms 2>/dev/null | grep -o '"key"' | wc -l)" "$(traps_count)"
}
traps_count() { grep -c 'snmpTrapOID' "$work/traps" 2>/dev/null; }
# until_true LIMIT COMMAND...: once a second, at most LIMIT seconds.
until_true()
{
	limit=$(($(date +%s) + $1))
	shift
	while ! "$@"; do
		[ "$(date +%s)" -lt "$limit" ] || return 1
		kill -0 $daemon 2>/dev/null || die "quickstart.sh: pollwerkd ended, see $work/pollwerkd.log"
		progress
		sleep 1
	done
}
runs_for() { [ $(($(date +%s) - started)) -ge "$1" ]; }
# received NAME KEY: snmptrapd has translated such a notice about this alarm.
received()
{
	awk -v RS= -v name="= POLLWERK-MIB::$1\n" -v key=" = $2\n" '
		index($0 "\n", name) && index($0 "\n", key) { found = 1 }
		END { exit !found }' "$work/traps" 2>/dev/null
}
device_is() { pollwerk devices 2>/dev/null | grep -qE "^$1 +$2 "; }
all_up() { device_is sw-hall3 up && device_is press-3 up && device_is meter-31 up; }
all_good() { [ -n "$(pollwerk values 2>/dev/null)" ] && ! pollwerk values | grep -qv ' good$'; }
path_impaired() { pollwerk paths 2>/dev/null | grep -qE '^press-3-count +impaired +press-3 '; }

# The verdicts, for the table at the end.
results=$work/results
: >"$results"
failed=0
verdict()
{
	verdict_status=$1
	shift
	if [ "$verdict_status" -eq 0 ]; then
		echo "ok   $*" >>"$results"
	else
		echo "NOT  $*" >>"$results"
		event "did not happen: $*"
		failed=$((failed + 1))
	fi
}
# happens LIMIT SENTENCE COMMAND...
happens()
{
	happens_limit=$1
	happens_what=$2
	shift 2
	until_true "$happens_limit" "$@"
	verdict $? "$happens_what"
}

happens 20 "three devices answer" all_up
event "all devices answer"

oil=oil-hot/press-3/oil_temp
until_true 60 runs_for $((seconds / 8))
event "the oil of the press gets hot: 45 C to 76 C, the limit is 70 C for 4 s"
tell press "unit 1 ramp input 12 760 4000"
happens 25 "oil-hot is raised, and snmptrapd has it" received pwThresholdRaised $oil
until_true 60 runs_for $((seconds * 3 / 8))
event "the oil cools down"
tell press "unit 1 ramp input 12 452 4000"
happens 25 "oil-hot is cleared, and snmptrapd has it" received pwThresholdCleared $oil

until_true 600 runs_for $((seconds / 2))
event "the PLC of the press dies"
tell press "agent 1 stop"
happens 20 "the dead PLC is seen down" device_is press-3 down
happens 15 "its data path is impaired, the press named as the hop at fault" path_impaired
happens 15 "pwDeviceDown of the press, by snmptrapd" received pwDeviceDown device-down/press-3
until_true 600 runs_for $((seconds * 3 / 4))
event "the PLC returns"
tell press "agent 1 start"
happens 15 "the press is seen up again" device_is press-3 up
happens 15 "pwDeviceUp of the press, by snmptrapd" received pwDeviceUp device-down/press-3
until_true 3600 runs_for "$seconds"

# ---- what has come of it ----
happens 10 "every point has a good value" all_good
all_good || pollwerk values | grep -v ' good$' | head -n 10 >&2

# draw NAME TITLE POINT...: PNG and SVG, and what the RRDs hold for it.
draw()
{
	draw_file=$work/graphs/$1
	draw_title=$2
	shift 2
	for form in png svg; do
		pollwerk graph "$@" -o "$draw_file.$form" --from "$((started - 5))" \
			--title "$draw_title" >>"$work/graph.out" || return 1
	done
	[ "$(od -An -tx1 -N4 "$draw_file.png" | tr -d ' ')" = 89504e47 ] || return 1
	for point in "$@"; do
		pollwerk where "$point" >"$work/where.out" || return 1
		read -r path file ds <"$work/where.out"
		rows=$(rrdtool fetch "$file" AVERAGE -r 2 -s "$started" | awk -v ds="$ds" '
			NR == 1 { for (i = 1; i <= NF; i++) if ($i == ds) column = i + 1 }
			NR > 2 && column && $column !~ /nan/ { n++ }
			END { print n + 0 }')
		[ "$rows" -ge $((seconds / 4)) ] || return 1
	done
}
draw oil_temp "press-3: oil temperature" press-3/oil_temp
verdict $? "graph of the oil temperature, from rows that are there"
# The line of the limit has one colour in both forms, and SVG can be searched for it.
grep -qiE '#c62828|rgb\(77\.6[0-9]*%, ?15\.6' "$work/graphs/oil_temp.svg"
verdict $? "with the threshold drawn in"
draw uplink "sw-hall3: ge-1/1" 'sw-hall3/if[ge-1/1]/in_octets' 'sw-hall3/if[ge-1/1]/out_octets'
verdict $? "graph of the switch port's traffic"
draw power "meter-31: power of the hall" meter-31/p_sum
verdict $? "graph of the meter's power"

# Every slot is accounted for: expected = good + the reasons, and only the press has any.
pollwerk gaps >"$work/gaps.out"
awk '{ expected = 0; sum = 0
	for (i = 2; i <= NF; i++) {
		if ($i == "expected") expected = $(i + 1)
		if ($i == "good" || $(i - 1) == "+") sum += $(i + 1)
	}
	if (expected < 1 || expected != sum) { print; bad = 1 } }
	END { exit bad || NR < 100 }' "$work/gaps.out" >"$work/gaps.bad"
verdict $? "gaps: expected = good + reasons, for each of $(wc -l <"$work/gaps.out") points"
grep '^press-3/oil_temp ' "$work/gaps.out" | grep -qE '(timeout|unreachable|breaker) [1-9]'
verdict $? "gaps: the dead time of the PLC stands there with its reason"
! grep -vE '^press-3/' "$work/gaps.out" | grep -q ' + '
verdict $? "gaps: switch and meter have none"

# The press counts 2 pieces a second: what the RRD says, over the whole time.
pollwerk where press-3/pieces >"$work/where.out" && read -r path file ds <"$work/where.out"
pieces=$(rrdtool graph /dev/null --start "$started" --step 2 "DEF:p=$file:$ds:AVERAGE" \
	VDEF:a=p,AVERAGE PRINT:a:%.4lf 2>/dev/null | tail -n 1)
awk -v p="$pieces" 'BEGIN { exit !(p > 1.98 && p < 2.02) }'
verdict $? "the press counts 2 pieces a second, the RRD says $pieces"

# The numbers of the notices: a receiver sees by them that it missed none.
sed -n 's/.*pwNotifySeq\.0 = \([0-9]*\).*/\1/p' "$work/traps" | sort -nu |
	awk 'NR > 1 && $1 != last + 1 { bad = 1 } { last = $1 } END { exit bad || NR < 7 }'
verdict $? "$(traps_count) notices, no number missing"

finish_daemon()
{
	kill $daemon
	wait $daemon
	finish_status=$?
	daemon=
	return $finish_status
}
if [ $stay = no ]; then
	finish_daemon
	verdict $? "pollwerkd ends in order"
fi

# ---- the report ----
[ $terminal = no ] || printf '\r\033[K'
echo
echo "The notices, as snmptrapd received and translated them (all of it: $work/traps):"
awk '
	function last(   at) { at = index($0, " = "); return substr($0, at + 3) }
	/^[0-9][0-9]:/ { time = $1; oid = text = "" }
	/::snmpTrapOID\.0 = / { oid = last(); sub(/.*::/, "", oid) }
	/::pwNotifySeq\.0 = / { number = last() }
	/::pwAlarmText\.[0-9]+ = / { text = last() }
	/^$/ && oid != "" { printf "  %s  #%-3s %-19s %s\n", time, number, oid, text; oid = "" }
	' "$work/traps"
echo
echo "One of them in full:"
awk -v RS= '/::pwThresholdRaised/ { print; exit }' "$work/traps" | sed 's/^/  /'
echo
echo "What happened in $(since) s:"
sed 's/^/  /' "$results"
echo
echo "Where the files are:"
printf '  %-14s %s\n' \
	graphs "$work/graphs/ (oil_temp, uplink, power; .png and .svg)" \
	"RRD files" "$work/state/rrd/" \
	traps "$work/traps" \
	"daemon's log" "$work/pollwerkd.log" \
	configuration "$work/quickstart.conf" \
	"simulators" "$work/switch.log, press.log, meter.log"
if [ $failed -gt 0 ]; then
	say "quickstart.sh: $failed of $(wc -l <"$results") did not happen, see above and $work/"
	exit 1
fi
if [ $stay = yes ]; then
	echo
	echo "It stays until Ctrl-C. Try, in another terminal:"
	for words in status values devices paths "gaps 'press-3/*'" alarms; do
		echo "  build/pollwerk -c $work/quickstart.conf $words"
	done
	echo "  build/tests/sim/simctl $work/press.ctl \"unit 1 ramp input 12 800 5000\""
	wait $daemon
fi
exit 0
