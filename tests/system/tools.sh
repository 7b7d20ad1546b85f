#!/bin/sh
# tools.sh - the commands that look at a Modbus device: on the daemon's own line while it runs,
# of a server that has room for one connection only; without a daemon on one of their own.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

work=$(mktemp -d) || exit 1
sim= daemon=
trap 'kill $daemon $sim 2>/dev/null; wait; rm -rf "$work"' EXIT
pollwerk="./pollwerk -c $work/pollwerk.conf"

tests/sim/modbus_sim --listen 127.0.0.1:0 --units 1:press,2:meter,3:pattern \
	--control "$work/sim.ctl" >"$work/ready" 2>&1 &
sim=$!
wait_for 20 grep -q '^ready' "$work/ready"
port=$(sed -n 's/^ready .*://p' "$work/ready")
tell()
{
	tests/sim/simctl "$work/sim.ctl" "$@"
}
cat >"$work/pollwerk.conf" <<END
poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
          rrd_dir = "$work/rrd"; templates = [ ]; };
store: { flush = "1s"; profile = "short"; };
devices: (
  { name = "press"; address = "127.0.0.1"; modbus = { port = $port; unit_id = 1; };
    points = ( { name = "life"; function = 3; pdu = 110; type = "u16"; },
      { name = "oil"; function = 4; pdu = 12; type = "s16"; scale = 0.1; unit = "C"; } ); },
  { name = "meter"; address = "127.0.0.1"; modbus = { port = $port; unit_id = 2; };
    points = ( { name = "u"; function = 3; pdu = 19000; type = "f32"; unit = "V"; } ); },
  { name = "pattern"; address = "127.0.0.1"; modbus = { port = $port; unit_id = 3; };
    points = ( { name = "a"; function = 4; pdu = 7; type = "u16"; } ); } );
thresholds: ( { name = "plc-stop"; on = "press/life"; frozen_for = "3s"; marks = [ "press/*" ]; } );
END
# A list that has the words the wrong way round, and texts that somebody may want to run.
cat >"$work/list.csv" <<'END'
name;register;function;type;order;unit;text
u_l1;19001;3;f32;CDAB;V;=cmd|'/C calc'!A0
u_l2;19003;3;f32;CDAB;V;<script>alert(1)</script>
u_l3;19005;3;f32;CDAB;V;
i_l1;19013;3;f32;CDAB;A;
freq;19051;3;f32;CDAB;Hz;
hole;5000;3;u16;;;
END

# ---- with a daemon, which has the only connection ----
tell "fault max_connections=1"
./pollwerkd -c "$work/pollwerk.conf" -f >"$work/log" 2>&1 &
daemon=$!
polled()
{
	$pollwerk --json values >"$work/values" && [ "$(grep -o '"quality":"good"' "$work/values" |
		wc -l)" -ge 10 ]
}
check "three units of one connection are polled" wait_for 40 polled
$pollwerk probe --identify pattern 100 >"$work/probe" 2>&1
check "probe reads over the daemon's connection" eval "[ $? -eq 0 ] &&
	grep -q '^=> pdu 100 = register 101 = modicon 400101: ' '$work/probe'"
check "and asks who it is" grep -q '^server id (17)' "$work/probe"
$pollwerk probe --reference pattern 100 >"$work/probe" 2>&1
check "--reference is refused while the daemon has the line" eval \
	"[ $? -eq 1 ] && grep -q 'pollwerk pause pattern first' '$work/probe'"
$pollwerk pause --for 120s pattern >"$work/pause" 2>&1
check "pause makes the daemon leave the line" eval \
	"[ $? -eq 0 ] && grep -q 'closed and left alone until' '$work/pause'"
check "nobody is asked then, and the reason says so" wait_for 15 eval \
	"$pollwerk --json values press/oil | grep -q '\"reason\":\"paused\"'"
check "devices and status show it" eval "$pollwerk devices press | grep -q ' paused ' &&
	$pollwerk status | grep -q '1 left alone for a while'"
$pollwerk probe --reference pattern 100 >"$work/probe" 2>&1
check "then --reference reads beside the daemon" eval \
	"[ $? -eq 0 ] && [ \$(grep -c '^    libmodbus the same' '$work/probe') -eq 3 ]"
$pollwerk pause --end pattern >"$work/pause" 2>&1
check "and the daemon takes the line again" eval "[ $? -eq 0 ] && wait_for 15 polled"
$pollwerk probe --sunspec press >"$work/probe" 2>&1
check "a device without SunSpec says so" eval \
	"[ $? -eq 1 ] && grep -q 'no \"SunS\" at 40000, 50000 or 0' '$work/probe'"
$pollwerk adopt --max-rate 50 --record "$work/first" "$work/list.csv" meter >"$work/adopt" 2>&1
check "adopt reads over the daemon's connection, and finds the swapped words" eval \
	"[ $? -eq 1 ] && grep -q '^try the whole list with swapped words: 5 of 5' '$work/adopt'"
check "each row has its proposal" eval "grep -q '^u_l1 .*pdu 19000, order ABCD: 230\$' '$work/adopt' &&
	grep -q '^hole .*exception 2' '$work/adopt'"
check "the record's texts are no formulas and no script" eval \
	"grep -qF \"\\\"'=cmd|'/C calc'!A0\\\"\" '$work/first.csv' &&
	grep -qF '&lt;script&gt;' '$work/first.html' && ! grep -q '<script' '$work/first.html'"
$pollwerk adopt --record "$work/first" "$work/list.csv" meter >"$work/adopt" 2>&1
check "a record is not written over" eval "[ $? -eq 1 ] && grep -q 'File exists' '$work/adopt'"

cat >"$work/known.conf" <<END
templates: ( { name = "our-press"; protocol = "modbus"; source = "the simulator"; function = 3;
  identify = ( { object = 1; is = "pattern"; }, { pdu = 100; type = "u16"; is = "0..65535"; } );
  points = ( { name = "a"; pdu = 7; type = "u16"; } ); } );
END
sed -e "s,templates = \[ \];,templates = [ ]; include = [ \"known.conf\" ];," \
	-e '/name = "pattern"/,$d' -e 's/unit = "V"; } ); },/unit = "V"; } ); } );/' \
	"$work/pollwerk.conf" >"$work/without.conf"
./pollwerk -c "$work/without.conf" discover --modbus --rate 20 --units 3-4 "127.0.0.1:$port" \
	>"$work/found" 2>"$work/silent"
check "discover finds who is there, over the daemon's connection" eval "[ $? -eq 0 ] &&
	grep -q '# ProductCode: pattern' '$work/found' && grep -q 'unit id 4: exception 11' '$work/silent'"
check "and proposes the template that knows it" eval \
	"grep -q 'templates = \[ \"our-press\" \]; }' '$work/found'"
echo 'poller: { templates = [ ]; include = [ "known.conf", "found" ]; };' >"$work/then.conf"
check "in words that can be included" ./pollwerk -c "$work/then.conf" check
sed -i 's/source = "the simulator";/& output_watchdog = "register 7 sets it";/' "$work/known.conf"
./pollwerk -c "$work/without.conf" discover --modbus --rate 20 --units 3 "127.0.0.1:$port" \
	>"$work/found" 2>"$work/silent"
check "what reads could hold up is proposed with the why, and refused until it was looked at" eval \
	"grep -q '^    # (register 7 sets it), then take this line in:' '$work/found' &&
	! ./pollwerk -c '$work/then.conf' check >'$work/out2' 2>&1 &&
	grep -q 'output watchdog that reads can retrigger' '$work/out2'"
sed -i 's/# watchdog_checked = true;/watchdog_checked = true;/' "$work/found"
check "then it is taken" ./pollwerk -c "$work/then.conf" check
./pollwerk -c "$work/without.conf" discover --modbus 127.0.0.0/24 >"$work/found" 2>&1
check "a net is refused" [ $? -eq 2 ]
./pollwerk -c "$work/without.conf" discover --modbus --units 0-3 127.0.0.1 >"$work/found" 2>&1
check "and so is unit id 0" [ $? -eq 2 ]

# ---- a PLC in STOP ----
frozen()
{
	$pollwerk --json values 'press/*' >"$work/values"
	[ "$(grep -o '"reason":"frozen"' "$work/values" | wc -l)" -eq 2 ] &&
		$pollwerk alarms | grep -q 'plc-stop press/life: has not changed for 3s'
}
moves()
{
	tell "unit 1 set holding 110 $(date +%S | sed 's/^0//')"
	! $pollwerk --json values 'press/*' | grep -q '"reason":"frozen"' &&
		! $pollwerk alarms | grep -q plc-stop
}
tell "unit 1 set holding 110 77"
check "a life counter that stands makes its PLC's values unknown, and an alarm" wait_for 40 frozen
check "which ends when it counts again" wait_for 40 moves
kill $daemon
wait $daemon
check "the daemon ends well" [ $? -eq 0 ]
check "the ledger has the reason" eval "$pollwerk gaps press/oil | grep -q frozen"
daemon=

# ---- without ----
$pollwerk probe --reference pattern 100 >"$work/probe" 2>&1
check "libmodbus reads the same" eval \
	"[ $? -eq 0 ] && [ \$(grep -c '^    libmodbus the same' '$work/probe') -eq 3 ]"
check "also in JSON" eval "$pollwerk --json probe --reference --function 1 pattern 40 |
	grep -o '\"same\":true' | wc -l | grep -qx 3"
tell "unit 3 set holding 40000 21365" "unit 3 set holding 40001 28243" \
	"unit 3 set holding 40002 103" "unit 3 set holding 40003 50" \
	"unit 3 set holding 40054 65535" "unit 3 set holding 40055 0"
$pollwerk probe --sunspec pattern >"$work/probe" 2>&1
check "the models of a SunSpec device are listed to their end" eval \
	"[ $? -eq 0 ] && grep -q '^model   103  length    50  pdu 40002 ' '$work/probe' &&
	! grep -q cut '$work/probe'"
tell "unit 3 set holding 40054 7" "unit 3 set holding 40055 65000"
$pollwerk probe --sunspec pattern >"$work/probe" 2>&1
check "a chain that leads nowhere is cut" eval \
	"[ $? -eq 1 ] && grep -q '^the chain is cut: model 7 would go beyond' '$work/probe'"
kill $sim
wait $sim
check "nothing but functions 1 to 4, 17 and 43 was asked" [ $? -eq 0 ]
sim=
finish
