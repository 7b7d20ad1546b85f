#!/bin/sh
# The simulators judge pollwerk; this judges the simulators: their values against the
# formulas they document, through Net-SNMP and libmodbus, and their faults octet by octet.
# Needs the Net-SNMP tools (Debian: snmp).
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
for tool in snmpget snmpwalk snmpbulkwalk snmpset; do
	command -v $tool >/dev/null && continue
	skip "the simulators keep their formulas: $tool is missing (package snmp)"
	finish
done
sim=$build/tests/sim
dir=$(mktemp -d) || exit 1
pids=
export MIBS= SNMPCONFPATH=/dev/null LC_ALL=C

clean_up() {
	[ -z "$pids" ] || kill $pids 2>/dev/null
	wait
	rm -rf "$dir"
}
trap clean_up EXIT

# is WHAT WANTED GOT
is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		echo "    wanted: $2"
		echo "    got:    $3"
	fi
}
# holds WHAT CONDITION: an arithmetic condition of test
holds() {
	what=$1
	shift
	if [ "$@" ]; then is "$what" yes yes; else is "$what" "$*" no; fi
}
# start NAME PROGRAM OPTION...: leaves address and process id behind
start() {
	name=$1 program=$2
	shift 2
	: >"$dir/$name.out"
	"$sim/$program" --listen 127.0.0.1:0 --control "$dir/$name.ctl" --log "$dir/$name.log" \
		--log-values "$@" >"$dir/$name.out" 2>"$dir/$name.err" &
	pid=$!
	pids="$pids $pid"
	for i in $(seq 200); do
		grep -q '^ready' "$dir/$name.out" && break
		sleep 0.1
	done
	address=$(sed -n 's/^ready //p' "$dir/$name.out")
	[ -n "$address" ] || { cat "$dir/$name.err"; not_ok "$program starts"; finish; }
}
stop() {
	kill "$1"
	wait "$1"
	status=$?
	pids=$(echo "$pids" | sed "s/ $1\$//; s/ $1 / /")
}
control() { # NAME LINE...: a refusal fails the test
	name=$1
	shift
	"$sim/simctl" "$dir/$name.ctl" "$@" || is "control line $*" ok refused
}
now_ns() { date +%s%N; }

echo "# snmp_sim: values"
epoch=$(($(date +%s) - 1000))
start snmp snmp_sim --ifs 8 --ifindex-step 3 --epoch $epoch
snmp=$address snmp_pid=$pid
get() { snmpget -v2c -c public -Oqvtn -r0 -t1 "$snmp" "$@" 2>&1; }
x=1.3.6.1.2.1.31.1.1.1
is "sysName" '"sim-1"' "$(get 1.3.6.1.2.1.1.5.0)"
is "ifNumber" 8 "$(get 1.3.6.1.2.1.2.1.0)"
is "ifName of the sparse ifIndex 15 is that of port 5" '"ge-1/5"' "$(get $x.1.15)"
is "no row between sparse ifIndexes" "No Such Instance currently exists at this OID" "$(get $x.1.14)"
is "an unknown column is noSuchObject" "No Such Object available on this agent at this OID" \
	"$(get $x.77.3)"

# counter WHAT OID RATE: the value lies between the formula before and after the request
counter() {
	before=$(now_ns)
	value=$(get "$2")
	after=$(now_ns)
	low=$(((before / 1000 - epoch * 1000000) * $3 / 1000000 / ${4:-1} - 1))
	high=$(((after / 1000 - epoch * 1000000 + 1) * $3 / 1000000 / ${4:-1} + 1))
	holds "$1 = floor(rate x t): $low <= $value <= $high" "$value" -ge $low -a "$value" -le $high
}
counter "ifHCInOctets.3" $x.6.3 2000
counter "ifHCInOctets.24" $x.6.24 9000
counter "ifHCOutOctets.24" $x.10.24 18000
counter "ifHCInUcastPkts.24 = octets / 500" $x.7.24 9000 500
counter "ifInOctets.24 (below 2^32)" 1.3.6.1.2.1.2.2.1.10.24 9000
counter "sysUpTime" 1.3.6.1.2.1.1.3.0 100

control snmp flush
exact=$(awk -v epoch=$epoch '!/^#/ { for (i = 9; i <= NF; i++) if (split($i, p, "=") == 2 &&
	p[1] == "1.3.6.1.2.1.31.1.1.1.6.24") { n++
		us = substr($3, 1, length($3) - 3) - epoch * 1000000
		d = int(9000 * us / 1000000) - p[2]; if (d < -1 || d > 1) bad++ } }
	END { print n + 0, bad + 0 }' "$dir/snmp.log")
is "the log holds the served value and its time" "1 0" "$exact"

v1=$(snmpwalk -v1 -c public -On "$snmp" 1.3.6.1 2>&1 | grep -c '^\.')
v2=$(snmpwalk -v2c -c public -On "$snmp" 1.3.6.1 2>&1 | grep -c ' = [A-Z]' )
walk=$(snmpwalk -v2c -c public -On "$snmp" 1.3.6.1 2>&1 | sed 's/ =.*//' | sort | md5sum)
bulk=$(snmpbulkwalk -v2c -c public -Cr25 -On "$snmp" 1.3.6.1 2>&1 | sed 's/ =.*//' | sort | md5sum)
is "GETBULK walks what GETNEXT walks ($v2 objects)" "$walk" "$bulk"
is "v1 sees all but 8 x 8 Counter64" 64 "$((v2 - 1 - v1))"
is "v1 GET of a Counter64 is noSuchName" 1 \
	"$(snmpget -v1 -c public -On "$snmp" $x.6.3 2>&1 | grep -c noSuchName)"
is "v1 names the failed object by its index" 1 "$(snmpget -v1 -c public -On "$snmp" \
	1.3.6.1.2.1.1.5.0 $x.6.3 2>&1 | grep -c "Failed object: \.$x\.6\.3")"

echo "# snmp_sim: what happens to a switch"
control snmp "agent 1 oper 5 down" "agent 1 set 1.3.6.1.2.1.33.1.2.4.0 17"
is "a port goes down" 2 "$(get 1.3.6.1.2.1.2.2.1.8.15)"
is "an object pinned by a control line" 17 "$(get 1.3.6.1.2.1.33.1.2.4.0)"
control snmp "agent 1 reset"
value=$(get $x.6.24)
holds "a reset starts the counters again ($value)" "$value" -lt 90000
uptime=$(get 1.3.6.1.2.1.1.3.0)
holds "... and leaves sysUpTime alone ($uptime)" "$uptime" -ge 100000
holds "... and sets ifCounterDiscontinuityTime" "$(get $x.19.24)" -ge 100000
control snmp "agent 1 reboot"
uptime=$(get 1.3.6.1.2.1.1.3.0)
holds "a reboot starts sysUpTime again ($uptime)" "$uptime" -lt 1000
is "... and clears ifCounterDiscontinuityTime" 0 "$(get $x.19.24)"
control snmp "agent 1 remove 5" "agent 1 renumber 100" "agent 1 add 9 104"
is "removed, renumbered and added rows" '103="ge-1/1" 104="ge-1/9" 106="ge-1/2" 109="ge-1/3" ' \
	"$(snmpwalk -v2c -c public -Oqn "$snmp" $x.1 | head -4 | sed 's/.*\.//; s/ /=/' | tr '\n' ' ')"
control snmp "agent 1 rotate"
is "rotated names" '103="ge-1/9" 104="ge-1/2" ' \
	"$(snmpwalk -v2c -c public -Oqn "$snmp" $x.1 | head -2 | sed 's/.*\.//; s/ /=/' | tr '\n' ' ')"

echo "# snmp_sim: faults, octet by octet"
host=${snmp%:*}
ask=303702010104067075626c6963a02a02040102030402010002010030
ask=${ask}1c300c06082b060102010107000500300c06082b060102010201000500
first=300d06082b06010201010700020102
second=300d06082b06010201020100020108
head=3039020101
pdu=04067075626c6963a22c020401020304020100020100301e
good=$head$pdu$first$second
# The first answer of a busy machine may take its time.
wire() { "$sim/wire" udp "$snmp" $ask "${1:-200}" 2000; }
fault() { control snmp "agent 1 clear" "agent 1 fault $1 count=1"; wire "$2" | sed 's/^[0-9]* //'; }
is "no fault" "$snmp $good" "$(fault drop=0)"
is "drop" "" "$(fault drop=1)"
is "dead" "" "$(fault dead=1)"
is "duplicate" "$snmp $good
$snmp $good" "$(fault duplicate=1)"
is "wrong_id" "$snmp $(echo $good | sed s/01020304/01020305/)" "$(fault wrong_id=1)"
is "wrong_community" "$snmp $(echo $good | sed s/7075626c6963/787878787878/)" \
	"$(fault wrong_community=1)"
is "wrong_version" "$snmp 3039020100$pdu$first$second" "$(fault wrong_version=1)"
got=$(fault wrong_port=1)
is "wrong_port: the same message" "$host $good" "${got%:*} ${got#* }"
holds "wrong_port: another port (${got%% *})" "${got%% *}" != "$snmp"
is "wrong_address" "127.0.0.2:${snmp#*:} $good" "$(fault wrong_address=1)"
is "wrong_oid" "$snmp $head$pdu$(echo $first | sed s/0700020102/0741020102/)$second" \
	"$(fault wrong_oid=1)"
is "reorder" "$snmp $head$pdu$second$first" "$(fault reorder=1)"
is "short" "$snmp 302a02010104067075626c6963a21d020401020304020100020100300f$first" \
	"$(fault short=1)"
is "wrong_type" "$snmp 303d02010104067075626c6963a2300204010203040201000201003022301106082b0601\
0201010700040577726f6e67$second" "$(fault wrong_type=1)"
half=$(echo $good | cut -c1-58)
is "truncate" "$snmp $half" "$(fault truncate=1)"
got=$(fault junk=1)
is "junk: the message" "$snmp $good" "$(echo "$got" | cut -c1-$((${#snmp} + 1 + ${#good})))"
is "junk: 16 octets more" $((${#snmp} + 1 + ${#good} + 32)) ${#got}
got=$(fault garbage=1)
is "garbage: as long as the message" $((${#snmp} + 1 + ${#good})) ${#got}
holds "garbage: is not the message" "$got" != "$snmp $good"
got=$(fault oversize=1)
holds "oversize: $((${#got} / 2)) octets" ${#got} -gt 110000
is "toobig" "$snmp 301b02010104067075626c6963a20e0204010203040201010201003000" "$(fault toobig=1)"
is "toobig leaves smaller requests alone" "$snmp $good" "$(fault toobig=2)"
is "generr" "$snmp 303702010104067075626c6963a22a020401020304020105020101301c300c06082b06\
0102010107000500300c06082b060102010201000500" "$(fault generr=1)"
control snmp "agent 1 clear" "agent 1 fault delay=60 count=1"
got=$(wire 400)
holds "delay: after ${got%% *} ms" "${got%% *}" -ge 59
is "count ends the faults" "$snmp $good" "$(wire | sed 's/^[0-9]* //')"
control snmp "agent 1 fault counter64=1 count=1"
is "counter64" 1 "$(snmpget -v2c -c public -On "$snmp" 1.3.6.1.2.1.2.2.1.10.103 | grep -c Counter64)"
control snmp "agent 1 fault nonincreasing=1"
is "nonincreasing" 1 "$(snmpwalk -v2c -c public -On "$snmp" $x.1 2>&1 | grep -c 'not increasing')"
control snmp "agent 1 clear" "agent 1 fault endless=1"
holds "endless: 2000 rows are not the end" "$(timeout 20 snmpbulkwalk -v2c -c public -Cr100 -Oqn \
	"$snmp" $x.1 2>/dev/null | head -2000 | wc -l)" -eq 2000
control snmp "agent 1 clear" pause
got=$("$sim/wire" udp "$snmp" $ask 80)
is "pause: no answer" "" "$got"
control snmp resume
is "another community gets no answer" "" \
	"$("$sim/wire" udp "$snmp" "$(echo $ask | sed s/7075626c6963/7075626c6964/)" 80)"
is "a request cut short gets no answer" "" \
	"$("$sim/wire" udp "$snmp" "$(echo $ask | cut -c1-60)" 80)"
control snmp flush
is "the log names faults" 1 "$(grep -c ' get 2 answered,wrong_id ' "$dir/snmp.log")"
is "... and malformed requests" 1 "$(grep -c ' malformed 0 dropped' "$dir/snmp.log")"
stop $snmp_pid
is "no violation: exit 0" 0 $status

start set snmp_sim
is "SET is refused" 1 "$(snmpset -v2c -c public "$address" 1.3.6.1.2.1.1.5.0 s x 2>&1 | grep -c notWritable)"
stop $pid
is "a SET is a violation: exit 3" 3 $status

start fleet snmp_sim --agents 1000 --base 127.10.0.1 --ifs 2
port=${address#*:}
is "agent 1000 of a fleet" '"sim-1000"' \
	"$(snmpget -v2c -c public -Oqv 127.10.3.232:$port 1.3.6.1.2.1.1.5.0)"
control fleet "agent 1000 dead"
is "one dead agent" '"sim-999"' "$(snmpget -v2c -c public -Oqv -r0 -t0.3 127.10.3.232:$port \
	1.3.6.1.2.1.1.5.0 2>/dev/null; snmpget -v2c -c public -Oqv 127.10.3.231:$port 1.3.6.1.2.1.1.5.0)"
stop $pid

echo "# modbus_sim: values"
epoch=$(($(date +%s) - 1000))
start plc modbus_sim --units 1,2:meter,3:pattern --epoch $epoch
plc=$address plc_pid=$pid
read_plc() { "$sim/modbus_client" "$plc" "$@" | tr '\n' ' ' | sed 's/ $//'; }
is "press: oil temperature" 452 "$(read_plc 1 4 12 1)"
is "press: coils" "1 1 0 0 1 0 1 0" "$(read_plc 1 1 0 8)"
before=$((2 * ($(date +%s) - epoch)))
pieces=$(read_plc 1 3 100 2 | awk '{ print $1 * 65536 + $2 }')
after=$((2 * ($(date +%s) + 1 - epoch)))
holds "press: pieces = floor(2 t): $before <= $pieces <= $after" "$pieces" -ge $before -a "$pieces" -le $after
is "meter: U L1 230.0, U L2 231.5 as f32 ABCD" "17254 0 17255 32768" "$(read_plc 2 3 19000 4)"
is "meter: 50 Hz, function 4" "16968 0" "$(read_plc 2 4 19050 2)"
pattern() { # FUNCTION ADDRESS COUNT
	i=0
	while [ $i -lt "$3" ]; do
		v=$((31 * ($2 + i) + 257 * 3 + 4099 * $1))
		[ "$1" -le 2 ] && echo $((v / 16 % 2)) || echo $((v % 65536))
		i=$((i + 1))
	done | tr '\n' ' ' | sed 's/ $//'
}
for f in 1 2 3 4; do
	for at in "0 1" "5 17" "65530 6" "1000 125"; do
		is "pattern: function $f, address ${at% *}, count ${at#* }" "$(pattern $f $at)" \
			"$(read_plc 3 $f $at)"
	done
done
is "an address that is not there" "error Illegal data address" "$(read_plc 1 3 500 1)"
is "a unit that is not there" "error Target device failed to respond" "$(read_plc 9 3 0 1)"
control plc "unit 1 set input 12 712" "unit 1 set input 10 s16 -5" "unit 2 set holding 19000 f32 1.5" \
	"unit 1 set coil 3 1"
is "pinned s16" "712" "$(read_plc 1 4 12 1)"
is "pinned negative" "65531" "$(read_plc 1 4 10 1)"
is "pinned f32" "16320 0" "$(read_plc 2 3 19000 2)"
is "pinned coil" "1" "$(read_plc 1 1 3 1)"
control plc "unit 1 ramp input 12 812 3000"
sleep 0.2
value=$(read_plc 1 4 12 1)
holds "a ramp is on its way ($value)" "$value" -gt 712 -a "$value" -lt 812
arrived() { [ "$(read_plc 1 4 12 1)" = 812 ]; }
wait_for 20 arrived
is "... and arrives" 812 "$(read_plc 1 4 12 1)"
control plc "unit 3 exception 2 3 10 12" "unit 3 exception 4 4 0 65535"
is "a bad range" "error Illegal data address" "$(read_plc 3 3 9 2)"
is "beside it" "$(pattern 3 13 2)" "$(read_plc 3 3 13 2)"
is "other function" "error Slave device or server failure" "$(read_plc 3 4 13 2)"
control plc "unit 3 exception 0"
is "the ranges end" "$(pattern 4 13 2)" "$(read_plc 3 4 13 2)"

echo "# modbus_sim: faults, octet by octet"
ask=123400000006030300050002
good=123400000007030304$(printf %04x%04x $(pattern 3 5 2))
mwire() { "$sim/wire" tcp "$plc" "${2-$ask}" "${1:-150}" 2000 | sed 's/^[0-9]* //' | tr '\n' ' '; }
mfault() { control plc "unit 3 clear" "unit 3 fault $1 count=1"; mwire "$2"; }
is "no fault" "$good open " "$(mfault drop=0)"
is "dead" "open " "$(mfault dead=1)"
is "exception 11" "123400000003 03830b open " "$(mfault exception=11 | sed 's/^123400000003/& /')"
is "wrong_tid" "$(echo $good | sed s/^1234/1235/) open " "$(mfault wrong_tid=1)"
is "wrong_unit" "$(echo $good | sed s/0007030304/0007040304/) open " "$(mfault wrong_unit=1)"
is "wrong_function" "$(echo $good | sed s/0007030304/0007030404/) open " "$(mfault wrong_function=1)"
is "wrong_count" "$(echo $good | sed s/0007030304/0007030306/) open " "$(mfault wrong_count=1)"
is "fewer" "$(echo $good | sed 's/0007030304/0005030302/; s/....$//') open " "$(mfault fewer=1)"
is "wrong_protocol" "$(echo $good | sed s/^12340000/12340001/) open " "$(mfault wrong_protocol=1)"
is "length" "$(echo $good | sed s/0007030304/000c030304/) open " "$(mfault length=5)"
is "twice" "$good$good open " "$(mfault twice=1)"
is "truncate" "$(echo $good | cut -c1-12) open " "$(mfault truncate=1)"
got=$(mfault junk=1)
is "junk" "$good $((${#good} + 16 + 6))" "$(echo "$got" | cut -c1-${#good}) ${#got}"
is "close" "fin " "$(mfault close=1)"
is "rst" "rst " "$(mfault rst=1)"
# On a busy machine several pieces arrive as one, but never all.
control plc "unit 3 fault dribble=20 count=1"
"$sim/wire" tcp "$plc" $ask 1500 | grep -v open >"$dir/dribble"
is "dribble: the answer in pieces" "$good several" "$(awk '{ all = all $2 }
	END { print all, (NR > 3 ? "several" : NR) }' "$dir/dribble")"
control plc "unit 3 fault delay=60 count=1"
got=$("$sim/wire" tcp "$plc" $ask$(echo $ask | sed s/^1234/1235/) 300 2000 | tr '\n' ' ')
second=$(echo $good | sed s/^1234/1235/)
is "a late answer comes after the next" "$second $good" "$(echo "$got" | awk '{ print $2, $4 }')"
control plc flush
is "... and the second request is logged as pipelined" 1 "$(grep -c ' pipelined$' "$dir/plc.log")"
is "two requests in one piece" "$good$second open " "$(mwire 100 $ask$(echo $ask | sed s/^1234/1235/) | sed 's/ 1235/1235/')"
is "43/14" "000100000020032b0e01810000030008706f6c6c7765726b01077061747465726e0203312e30 open " \
	"$(mwire 100 000100000005032b0e0100)"
is "a broken header closes" "fin " "$(mwire 100 123400010006030300050002)"
control plc "agent 1 fault serial=1" "unit 3 fault delay=120 exception=11 count=1"
got=$("$sim/wire" tcp "$plc" ${ask}567800000006020400050001 400 2000)
is "serial: a slow unit holds up its neighbour" "12340000000303830b567800000003028402" \
	"$(echo "$got" | sed '/open/d; s/.* //' | tr -d '\n')"
holds "... until it has answered, after ${got%% *} ms" "${got%% *}" -ge 119
control plc flush
holds "... and the log knows when that was" \
	"$(sed -n 's/.* sent after=//p' "$dir/plc.log" | tail -1)" -ge 119
control plc "agent 1 clear" "agent 1 fault silent=1"
is "silent" "open " "$(mwire)"
control plc "agent 1 clear" "agent 1 fault close_after_accept=1"
is "close_after_accept" "fin " "$(mwire 100 "" | tr -d '\n')"
control plc "agent 1 clear" "agent 1 fault rst_after_accept=1"
is "rst_after_accept" "rst " "$(mwire 100 "" | sed 's/Connection reset by peer/rst/')"
control plc "agent 1 clear" "agent 1 stop"
is "stopped" "Connection refused " "$(mwire)"
control plc "agent 1 start"
is "back again" "$good open " "$(mwire)"
control plc "agent 1 fault max_connections=1"
control plc flush
opened=$(grep -c ' open ' "$dir/plc.log")
"$sim/wire" tcp "$plc" $ask 20000 >"$dir/holder" &
holder=$!
pids="$pids $holder"
held() { control plc flush; [ "$(grep -c ' open ' "$dir/plc.log")" -gt "$opened" ]; }
wait_for 30 held
got=$(mwire 100 "")
is "one connection too many" "fin " "$got"
stop $holder
control plc flush
holds "the log knows who closed by FIN" "$(grep -c ' close fin$' "$dir/plc.log")" -ge 30
is "... and that nobody closed by RST" 0 "$(grep -c ' close rst$' "$dir/plc.log")"
stop $plc_pid
is "no violation: exit 0" 0 $status

start write modbus_sim
is "a write is refused with exception 1" "error Illegal function" \
	"$("$sim/modbus_client" "$address" 1 6 100 7)"
stop $pid
is "a write is a violation: exit 3" 3 $status
is "... and is in the log" 1 "$(grep -c 'function=6 .*violation' "$dir/write.log")"

finish
