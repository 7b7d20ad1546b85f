#!/bin/sh
# hostile.sh - the daemon among agents and servers that lie, stutter, fall silent and come back,
# all at the same time and each beside healthy ones. Afterwards every value in the RRDs is held
# against the formula of the simulators, and every lost slot against the reason for it.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
if ! command -v rrdtool >/dev/null; then
	skip "hostile devices: what the RRDs hold (apt-get install rrdtool)"
	finish
fi

work=$(mktemp -d) || exit 1
agents= plcs= daemon= timer=
trap 'kill $daemon $agents $plcs $timer 2>/dev/null; wait; rm -rf "$work"' EXIT
pollwerk="./pollwerk -c $work/pollwerk.conf"
step=2
before=12 during=26 after=14

# ---- who does what ----
# One agent a line: device, snmp settings ("-": none of its own), what is done to it, reasons
# that must come, reasons that may come as well ("-": none; "good": not one slot is lost).
# "reason<=N": of at most N slots. Names that change places inside a walk hide one row of 15 points, at each of two turns.
# Several lines of "do" are parted by ";", those of the end by "|".
# A machine that wakes a bare timer 100 ms late and more has polls of its own making that do not
# come to their end: then some slots may be lost as overrun, timeout and the like, see below.
cat >"$work/snmp" <<'END'
well-1       -                fault                       good  -
drop         -                fault drop=0.3              -     timeout
well-2       -                fault                       good  -
late         -                fault delay=900             timeout -
duplicate    -                fault duplicate=1           good  -
wrong-id     -                fault wrong_id=1            timeout -
community    -                fault wrong_community=1     timeout -
version      -                fault wrong_version=1       timeout -
port         -                fault wrong_port=1          wrong-source -
address      -                fault wrong_address=1       wrong-source -
well-3       -                fault                       good  -
wrong-oid    -                fault wrong_oid=1           bad-reply no-such-row,no-such-object
sometimes    -                fault wrong_oid=0.3 wrong_type=0.3 - bad-reply,no-such-row,no-such-object,invalid-value
reorder      -                fault reorder=1             bad-reply -
short        -                fault short=1               bad-reply no-such-row
wrong-type   -                fault wrong_type=1          -     bad-reply,invalid-value
wide         -                fault counter64=1           good  -
truncate     -                fault truncate=1            bad-reply timeout
junk         -                fault junk=1                bad-reply timeout
garbage      -                fault garbage=1             timeout -
oversize     -                fault oversize=1            bad-reply timeout
few          -                fault toobig=5              good  -
one-by-one   -                fault toobig=1              good  -
generr       -                fault generr=1              bad-reply -
backwards    -                fault nonincreasing=1       bad-reply -
endless      -                fault endless=1             timeout bad-reply
reboot       -                reboot                      good  -
reset        -                reset                       good  -
quiet-reset  -                reset|quiet                 good  -
remove       -                remove|2                    no-such-row -
add          -                add|9                       good  -
renumber     -                renumber                    good  -
rotate       -                rotate                      -     no-such-row<=30
dead         -                dead                        timeout -
v1-well      version="1";     fault                       good  -
v1-drop      version="1";     fault drop=0.3              -     timeout
v1-generr    version="1";     fault generr=1              bad-reply no-such-row,no-such-object
v1-few       version="1";     fault toobig=4              good  -
v1-back      version="1";     fault nonincreasing=1       bad-reply -
v1-junk      version="1";     fault junk=1                bad-reply timeout
v1-reboot    version="1";     reboot                      good  -
END
# One unit a line: device, server, unit id, what is done, reasons as above. Several units of
# one server share one line. "agent": the whole server.
cat >"$work/modbus" <<'END'
m-well-1     1  3  -                           good        -
m-tid        2  3  fault wrong_tid=1           bad-reply   unreachable
m-unit       3  3  fault wrong_unit=1          bad-reply   unreachable
m-function   4  3  fault wrong_function=1      bad-reply   unreachable
m-count      5  3  fault wrong_count=1         bad-reply   unreachable
m-fewer      6  3  fault fewer=1               bad-reply   unreachable
m-protocol   7  3  fault wrong_protocol=1      bad-reply   unreachable
m-long       8  3  fault length=2              timeout     bad-reply,unreachable
m-short      9  3  fault length=-1             bad-reply   unreachable
m-junk       10 3  fault junk=1                -           bad-reply,unreachable,timeout,overrun
m-twice      11 3  fault twice=1               good        -
m-once-late  12 3  fault delay=900|count=1     timeout     -
m-late       13 3  fault delay=1100            timeout     unreachable
m-dribble    14 3  fault dribble=2             good        -
m-crawl      15 3  fault dribble=150           timeout     unreachable
m-truncate   16 3  fault truncate=1            timeout     unreachable
m-garbage    17 3  fault garbage=1             bad-reply   timeout,unreachable
m-close      18 3  fault close=1               unreachable -
m-rst        19 3  fault rst=1                 unreachable -
m-silent     20 3  agent|silent=1              timeout     unreachable
m-shut       21 3  agent|close_after_accept=1  unreachable -
m-slam       22 3  agent|rst_after_accept=1    unreachable -
m-gone       23 3  stop                        unreachable -
m-drop       24 3  fault drop=0.3              timeout     unreachable
gw-no-path   25 3  fault exception=10          gateway     -
gw-well-1    25 4  -                           good        -
gw-no-target 25 5  fault exception=11          gateway     breaker
gw-well-2    25 6  -                           good        -
range        26 3  exception|2|3|11|11         exception-2 -
range-well   26 4  -                           good        -
one-slot-1   27 3  agent|max_connections=1     good        -
one-slot-2   27 4  -                           good        -
one-slot-3   27 5  -                           good        -
bus-well-1   28 3  -                           good        -
bus-dead     28 4  dead                        timeout     breaker,overrun
bus-well-2   28 5  -                           good        -
serial-slow  29 3  fault delay=250             good        -
serial-well  29 4  agent|serial=1              good        -
refuses      30 3  fault exception=2           exception-2 -
busy         31 3  fault exception=6           exception-6 overrun<=26
m-mixed      32 3  fault drop=0.1|wrong_tid=0.1|wrong_unit=0.1|truncate=0.1|junk=0.2|twice=0.2|delay=0|jitter=400 - timeout,bad-reply,unreachable,overrun
m-well-2     33 3  -                           good        -
m-reset      34 1  -                           good        -
END

# ---- simulators, configuration, daemon ----
count=$(wc -l <"$work/snmp")
stations=$(awk '$2 > most { most = $2 } END { print most }' "$work/modbus")
start=$(date +%s)
tests/sim/snmp_sim --listen 127.10.77.1:0 --base 127.10.77.1 --agents "$count" --ifs 4 \
	--rate 10000000 --epoch "$start" --control "$work/snmp.ctl" --log "$work/snmp.log" \
	>"$work/snmp.ready" 2>&1 &
agents=$!
tests/sim/modbus_sim --listen 127.20.77.1:0 --base 127.20.77.1 --agents "$stations" \
	--units 1,3:pattern,4:pattern,5:pattern,6:pattern --epoch "$start" \
	--control "$work/modbus.ctl" --log "$work/modbus.log" >"$work/modbus.ready" 2>&1 &
plcs=$!
wait_for 30 eval "grep -q '^ready' '$work/snmp.ready' && grep -q '^ready' '$work/modbus.ready'"
snmp_port=$(sed -n 's/^ready .*://p' "$work/snmp.ready")
modbus_port=$(sed -n 's/^ready .*://p' "$work/modbus.ready")

{
	cat <<-END
	poller: { name = "test"; interval = "${step}s"; state_dir = "$work/state"; run_dir = "$work/run";
	          rrd_dir = "$work/rrd"; templates = [ "$src/conf/templates" ]; };
	store: { flush = "1s"; profile = "short"; };
	templates: ( { name = "numbers"; protocol = "snmp"; points = (
	  { name = "battery"; oid = "1.3.6.1.2.1.33.1.2.4.0"; },
	  { name = "voltage"; oid = "1.3.6.1.2.1.33.1.2.5.0"; },
	  { name = "alarms"; oid = "1.3.6.1.2.1.33.1.2.7.0"; } ); },
	  { name = "plain"; protocol = "modbus"; points = (
	END
	awk 'BEGIN {
		for (pdu = 10; pdu < 14; pdu++)
			for (f = 3; f < 5; f++)
				printf "{ name = \"f%d_%d\"; function = %d; pdu = %d; type = \"u16\"; },\n", f, pdu, f, pdu
		for (pdu = 20; pdu < 23; pdu++)
			printf "{ name = \"f1_%d\"; function = 1; pdu = %d; },\n", pdu, pdu
		print "{ name = \"f2_20\"; function = 2; pdu = 20; },"
		print "{ name = \"f3_14_u32\"; function = 3; pdu = 14; type = \"u32\"; } ); } );"
	}'
	echo 'devices: ('
	awk -v port="$snmp_port" '{
		own = $2 == "-" ? "" : $2
		printf "{ name = \"%s\"; address = \"127.10.77.%d\"; templates = [ \"system\", \"if-mib\", \"numbers\" ];\n", $1, NR
		printf "  snmp = { port = %d; timeout = \"700ms\"; retries = 1; %s }; },\n", port, own
	}' "$work/snmp"
	# The same address and port as the first one, but another community.
	echo "{ name = \"stranger\"; address = \"127.10.77.1\"; templates = [ \"system\", \"numbers\" ];"
	echo "  snmp = { port = $snmp_port; timeout = \"700ms\"; retries = 1; community = \"private\"; }; },"
	awk -v port="$modbus_port" '{
		printf "%s{ name = \"%s\"; address = \"127.20.77.%d\";", (NR > 1 ? ",\n" : ""), $1, $2
		printf " modbus = { port = %d; unit_id = %d; timeout = \"600ms\"; };", port, $3
		if ($3 == 1)
			printf " points = ( { name = \"pieces\"; function = 3; pdu = 100; type = \"u32\"; kind = \"counter\"; } ); }"
		else
			printf " templates = [ \"plain\" ]; }"
	} END { print ");" }' "$work/modbus"
} >"$work/pollwerk.conf"
if ! $pollwerk check >"$work/check" 2>&1; then
	not_ok "the configuration is right"
	cat "$work/check"
	finish
fi
tests/bench/bare_timer "$work/timer" &
timer=$!
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 &
daemon=$!

# What is done to each, and how it ends, as lines for the simulators.
awk '{
	n = split($0, field, / +/)
	what = field[3]
	for (i = 4; i <= n - 2; i++)
		what = what " " field[i]
	gsub(/\|/, " ", what)
	if (what != "fault")
		print "agent " NR " " what
}' "$work/snmp" >"$work/snmp.begin"
awk '{
	n = split($0, field, / +/)
	what = field[4]
	for (i = 5; i <= n - 2; i++)
		what = what " " field[i]
	gsub(/\|/, " ", what)
	if (sub(/^agent /, "", what)) {
		if (what ~ /after_accept/) # who is there already has to come again
			print "agent " $2 " stop\nagent " $2 " start"
		print "agent " $2 " fault " what
	}
	else if (what == "stop")
		print "agent " $2 " stop"
	else if (what != "-")
		print "agent " $2 " unit " $3 " " what
}' "$work/modbus" >"$work/modbus.begin"
awk '$3 == "fault" || $3 == "dead" { print "agent " NR " clear"; print "agent " NR " alive" }
	$3 == "remove|2" { print "agent " NR " add 2" }
	$3 == "reboot" || $3 == "renumber" || $3 == "rotate" || /reset/ { sub(/\|/, " ", $3); print "agent " NR " " $3 }' \
	"$work/snmp" >"$work/snmp.end"
awk '{ print "agent " $2 " unit " $3 " clear"; print "agent " $2 " unit " $3 " exception 0"
	print "agent " $2 " clear" }
	$4 == "stop" { print "agent " $2 " start" }' "$work/modbus" >"$work/modbus.end"
# say SOCKET FILE: every line of it.
say()
{
	tr '\n' '\0' <"$2" | xargs -0 -n 40 tests/sim/simctl "$1"
}

# Who closes what it accepts is tried once a minute: m-shut and m-slam may take that long.
all_good()
{
	$pollwerk values >"$work/values" && [ "$(wc -l <"$work/values")" -gt 2000 ] &&
		! grep -v "^stranger/$1" "$work/values" | grep -q 'first\|timeout\|unknown'
}
sleep $before
check "before anything happens all is well" wait_for 40 all_good
settled=$(($(date +%s) - 2 * step)) # a slot is polled until its end
check "faults are set at all agents" say "$work/snmp.ctl" "$work/snmp.begin"
check "and at all servers" say "$work/modbus.ctl" "$work/modbus.begin"
faulty_from=$(date +%s)
sleep $during
# A table that were to end in the middle of a walk would really have had all those rows: this
# agent falls silent first.
endless=$(awk '$1 == "endless" { print NR }' "$work/snmp")
tests/sim/simctl "$work/snmp.ctl" "agent $endless dead"
sleep 3
$pollwerk devices >"$work/devices" 2>&1
check "faults are ended" eval "say '$work/snmp.ctl' '$work/snmp.end' && say '$work/modbus.ctl' '$work/modbus.end'"
faulty_to=$(date +%s)
sleep $after
check "afterwards all is well again" wait_for 40 all_good '\|^m-shut/\|^m-slam/'
grep -v '^stranger/' "$work/values" | grep 'first\|timeout\|unknown' | sed 's/^/    /; 10q'
end=$(date +%s)
kill $daemon
wait $daemon
check "the daemon ends well" [ $? -eq 0 ]
daemon=
kill $timer
wait $timer
timer=
busy=$(sed -n 's/^max //p' "$work/timer" | awk '{ print ($1 > 100) }')
echo "    a bare timer beside it was late by $(sed -n 's/^max //p' "$work/timer") ms at most"
none "it had nothing to complain about itself" "$(grep -i 'assert\|sanitizer\|runtime error\|ended by signal' "$work/out")"

# ---- every value against the formula ----
find "$work/rrd" -name '*.rrd' | while read -r file; do
	rrdtool fetch "$file" AVERAGE -r $step -s "$start" -e "$end" |
		awk -v file="${file#"$work/rrd/"}" 'NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i }
			/:/ { for (i = 2; i <= NF; i++)
				if ($i !~ /nan/) printf "%s %s %d %.12g\n", file, name[i - 1], $1, $i }'
done >"$work/stored"
cat >"$work/judge.awk" <<'END'
# judge.awk - prints what lies beside the formula: device, fault, slot, value, expected
BEGIN { OFMT = CONVFMT = "%.12g" }
FILENAME == ARGV[2] { agent[$1] = FNR; fault[$1] = $3 " " $4; next }
FILENAME == ARGV[3] { server[$1] = $2; unit[$1] = $3; fault[$1] = $4 " " $5; next }
function octets(a, n, out) { return (out ? 2 : 1) * 10000000 * (n + 1) + a - 1 }
function modbus(dev, ds, p, v) {
	split(substr(ds, 2), p, "_")
	v = 31 * p[2] + 257 * unit[dev] + 4099 * p[1] + 10007 * (server[dev] - 1)
	if (p[1] < 3)
		return int(v / 16) % 2
	return p[3] == "u32" ? v % 65536 * 65536 + (v + 31) % 65536 : v % 65536
}
{
	split($1, part, "/")
	file = $1; dev = part[1]; ds = $2; t = $3; v = $4
	low = high = ""
	share["ucast"] = 500; share["mcast"] = 5000; share["bcast"] = 10000
	share["octets"] = 1; share["discards"] = 500000; share["errors"] = 1000000
	if (part[2] == "if") {
		n = part[3]; sub(/^ge-1%2F/, "", n); sub(/\.rrd$/, "", n)
		split(ds, half, "_")
		if (n !~ /^[0-9]+$/)
			low = high = "no such row"
		else if (half[1] == "in" || half[1] == "out") {
			rate = octets(agent[dev], n, half[1] == "out") / share[half[2]]
			# Counts are whole, and a repeated question makes the gap to the next one
			# shorter by its time-out. Where datagrams are lost again and again an
			# answer may come at the end of its poll, after 0.9 of the interval.
			gap = fault[dev] ~ /drop|delay/ ? step / 10 : step - 0.75
			# A reading older than ten seconds is none to count from.
			held((file ds) in last ? last[file ds] : t - 10, t)
			low = rate * 0.995 * least - 1 / gap
			high = rate * 1.005 * most + 1 / gap
			last[file ds] = t
		} else
			low = high = ds == "speed" ? 1000000000 : 1
	} else if (part[2] == "device.rrd") {
		# An answer that waits behind the poller as long as a bare timer waited is read all the same.
		low = 0; high = ds == "loss" ? 100 : ds == "rtt" ? 0.9 + late / 1000 : 1
	} else if (ds == "uptime") {
		low = t - start - 1; high = t - start + 2 * step
		if (v < low && (fault[dev] ~ /^reboot/)) { low = 0; high = t - from + 2 * step }
	} else if (ds == "pieces") {
		low = 2 - 1.02 / step; high = 2 + 1.02 / step
	} else if (dev in server)
		low = high = modbus(dev, ds)
	else {
		constant["battery"] = 100; constant["voltage"] = 546; constant["alarms"] = 24
		low = high = constant[ds]
	}
	seen[dev]++
	# 12 digits are what is printed
	if (low == "" || low == "no such row" || v < low - 1e-9 * (low < 0 ? -low : low) || v > high + 1e-9 * high)
		print dev " (" fault[dev] "): " $1 " " ds " slot " t ": " v " instead of " \
			(low == high ? low : low " to " high)
}
END
tests/sim/simctl "$work/snmp.ctl" flush >/dev/null
grep '^# held-up' "$work/snmp.log" >"$work/held"
none "every value that is stored is the simulators' own" "$(awk -v step=$step -v start="$start" \
	-v from="$faulty_from" -v late="$(sed -n 's/^max //p' "$work/timer")" -f "$src/tests/system/held_up.awk" -f "$work/judge.awk" \
	"$work/held" "$work/snmp" "$work/modbus" "$work/stored")"
echo "    $(wc -l <"$work/stored") values compared, the agents were held up $(wc -l <"$work/held") times"

# A restart must not pass for a very fast or a very slow interface: one rate is unknown.
awk '$2 == "in_octets" { sub(/\/.*/, "", $1); n[$1]++ }
	END {
		if (n["well-1"] == 0) print "well-1: no value at all"
		split("reboot reset quiet-reset v1-reboot", dev, " ")
		for (i in dev)
			if (n[dev[i]] >= n["well-1"]) print dev[i] ": " n[dev[i]] " rates, well-1 has " n["well-1"]
	}' "$work/stored" >"$work/restarts"
none "a restart leaves a hole" "$(cat "$work/restarts")"

# ---- every gap against its reason ----
$pollwerk gaps --from $settled >"$work/gaps" 2>&1
cat >"$work/reasons.awk" <<'END'
# reasons.awk - "PATH expected N = good M + WORD K ...": the sum, and which words a device has
{
	slash = index($0, "/"); dev = substr($0, 1, slash - 1)
	at = match($0, / expected [0-9]+ = good /); path = substr($0, 1, at - 1); sub(/ +$/, "", path)
	n = split(substr($0, at + 1), word, " ")
	sum = word[5]
	for (i = 7; i < n; i += 3) {
		sum += word[i + 1]
		if (path !~ /^[^\/]*\/(up|rtt|loss)$/)
			print "reason", dev, word[i], word[i + 1]
	}
	if (sum != word[2])
		print "sum", path, word[2], sum
	print "expected", dev, "-", word[2]
}
END
awk -f "$work/reasons.awk" "$work/gaps" | sort | awk '{
	key = $1 " " $2 " " $3
	total[key] += $4
	if ($1 == "sum") print
} END { for (key in total) if (key !~ /^sum/) print key, total[key] }' >"$work/reasons"
none "expected = good + reasons, everywhere" "$(grep '^sum' "$work/reasons")"
# A table of what must and what may come for each device.
awk '{ print $1, $(NF - 1), $NF }' "$work/snmp" "$work/modbus" >"$work/wanted"
echo "stranger timeout -" >>"$work/wanted"
cat >"$work/explain.awk" <<'END'
FILENAME == ARGV[1] { if ($1 == "reason") { got[$2] = got[$2] " " $3; n[$2 " " $3] = $4 }
	if ($1 == "expected") slots[$2] = $4; next }
{
	bad = ""
	count = split($2, must, ","); delete may
	split("", allowed)
	for (i = 1; i <= count; i++)
		if (must[i] != "-" && must[i] != "good") {
			allowed[must[i]] = 1
			if (!((($1) " " must[i]) in n))
				bad = bad ", no slot was lost as " must[i]
		}
	count = split($3, may, ",")
	for (i = 1; i <= count; i++) {
		most = split(may[i], part, "<=") > 1 ? part[2] : 1e9
		allowed[part[1]] = n[$1 " " part[1]] <= most
	}
	count = split(got[$1], word, " ")
	own = 0
	for (i = 1; i <= count; i++)
		if (busy && word[i] ~ /^(overrun|timeout|unreachable|breaker|bad-reply)$/ && !allowed[word[i]]) {
			own += n[$1 " " word[i]]
			# Of those that are well one in twenty, of the others any.
			if ($2 == "good" && own > slots[$1] / 20)
				bad = bad ", " own " as " word[i] " and the like on a busy machine"
		} else if (!allowed[word[i]])
			bad = bad ", " n[$1 " " word[i]] " lost as " word[i]
	if (slots[$1] == 0)
		bad = bad ", nothing was expected"
	if (bad != "")
		print ($2 == "good" ? "well" : "faulty") " " $1 ": " substr(bad, 3)
}
END
awk -v busy="$busy" -f "$work/explain.awk" "$work/reasons" "$work/wanted" >"$work/unexplained"
none "no slot was lost where nothing had to get lost" "$(sed -n 's/^well //p' "$work/unexplained")"
none "the others have the reasons of their faults" "$(sed -n 's/^faulty //p' "$work/unexplained")"
sort "$work/reasons" | awk '$1 == "reason" { text[$2] = text[$2] " " $3 " " $4 }
	END { for (dev in text) print "    " dev ":" text[dev] }' | sort

# ---- what the simulators saw ----
kill $agents $plcs
wait $agents
check "the agents saw no forbidden request" [ $? -eq 0 ]
wait $plcs
check "the servers saw nothing but reading" [ $? -eq 0 ]
agents= plcs=
# A server that dribbles, or answers late, may send the rest of an answer in the very moment in
# which it is given up: then its own octets meet a closed connection. Without a busy machine that
# is rare, or it is ours.
grep 'close rst$' "$work/modbus.log" >"$work/torn"
late='^[0-9]+ [0-9]+ (12|13|15|32) '
[ "$busy" = 0 ] && [ "$(grep -cE "$late" "$work/torn")" -gt 3 ] || sed -i -E "/$late/d" "$work/torn"
none "no connection was torn down by RST" "$(cat "$work/torn")"
# Where an answer comes after its time was up, the next question is on its way already.
none "no request was sent before the last was answered or given up" "$(grep 'pipelined$' "$work/modbus.log" |
	grep -Ev '^[0-9]+ [0-9]+ (12|13|32) ')"
none "and none was malformed" "$(grep -h 'malformed' "$work/modbus.log" "$work/snmp.log" | grep -v '^#')"
[ -z "$PW_KEEP" ] || cp -r "$work" "$PW_KEEP"
finish
