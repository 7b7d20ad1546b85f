#!/bin/sh
# discover.sh - recordings of devices, played by snmpsimd, that nobody has configured: discover
# proposes, check takes the proposal, and after a poll each point has the recording's value or a
# reason. With ALL=yes every recording of the folder, else a few.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
. "$src/tests/system/plant.sh"
judge=$src/tests/system/templates_judge.py

recordings=$src/../shared/recordings
[ -d "$recordings" ] || recordings=$PW_RECORDINGS
if [ ! -d "$recordings" ]; then
	skip "discover proposes what fits recorded devices (no recordings in ../shared/recordings)"
	finish
fi
for program in snmpsimd snmpgetnext; do
	command -v $program >/dev/null && continue
	skip "discover proposes what fits recorded devices ($program is not installed)"
	finish
done

# Parameters from the sysObjectID, a template that inherits, NULL for values, numbers in texts.
names="moxa-eds-g516e delta-ups-minisnmp wut-web-thermograph-57605"
interval=3s
if [ "${ALL:-no}" = yes ]; then
	interval=10s
	names=$(for file in "$recordings"/*.snmprec; do basename "$file" .snmprec; done)
fi
mkdir "$work/data" "$work/cache" "$work/conf.d" "$work/mibs"
port=$(free_port)
endpoints=
number=1
for name in $names; do
	[ -e "$recordings/$name.snmprec" ] || continue
	cp "$recordings/$name.snmprec" "$work/data"
	number=$((number + 1))
	echo "127.0.0.$number $name" >>"$work/list"
	endpoints="$endpoints --agent-udpv4-endpoint=127.0.0.$number:$port"
done
# A router with the firmware of before RutOS 7; lines as in LibreNMS's recording rutos-2xx.
cat >"$work/data/rut240.snmprec" <<'END'
1.3.6.1.2.1.1.1.0|4|Linux Teltonika-RUT240.com 3.18.44
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10
1.3.6.1.2.1.1.3.0|67|96174
1.3.6.1.4.1.2021.10.1.5.1|2|34
1.3.6.1.4.1.48690.1.7.0|4|RUT240
1.3.6.1.4.1.48690.2.2.0|4|READY
1.3.6.1.4.1.48690.2.3.0|4|registered (home)
1.3.6.1.4.1.48690.2.4.0|4|-97
1.3.6.1.4.1.48690.2.9.0|2|390
END
# Thermometers of W&T's: one whose second sensor is missing, one whose second sensor is humidity; lines
# and what stands for a missing one as in LibreNMS's recording wut_57613.
cat >"$work/data/wut-8x.snmprec" <<'END'
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.5040.1.2.6
1.3.6.1.4.1.5040.1.2.6.1.3.1.1.1|4|21,0
1.3.6.1.4.1.5040.1.2.6.1.3.1.1.2|4|------
1.3.6.1.4.1.5040.1.2.6.1.4.1.1.1|2|210
1.3.6.1.4.1.5040.1.2.6.1.4.1.1.2|2|327670
END
cat >"$work/data/wut-hygro.snmprec" <<'END'
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.5040.1.2.9
1.3.6.1.2.1.1.3.0|67|3919670816
1.3.6.1.4.1.5040.1.2.9.1.1.0|2|3
1.3.6.1.4.1.5040.1.2.9.1.4.1.1.1|2|210
1.3.6.1.4.1.5040.1.2.9.1.4.1.1.2|2|356
END
for name in rut240 wut-8x wut-hygro; do
	number=$((number + 1))
	echo "127.0.0.$number $name" >>"$work/list"
	endpoints="$endpoints --agent-udpv4-endpoint=127.0.0.$number:$port"
done
chmod 755 "$work" "$work/data"
chmod 644 "$work"/data/*
chmod 777 "$work/cache"
user=
[ "$(id -u)" -ne 0 ] || user='--process-user=nobody --process-group=nogroup'
# shellcheck disable=SC2086
snmpsimd --data-dir="$work/data" --cache-dir="$work/cache" $user $endpoints \
	>"$work/snmpsimd.log" 2>&1 &
started="$started $!"
# The first question for a recording has it indexed, which takes a while.
plays_all()
{
	while read -r address name; do
		snmpgetnext -v2c -c "$name" -m '' -t 1 -r 0 "$address:$port" 1.3 || return 1
	done <"$work/list"
}
if ! wait_for 60 plays_all; then
	not_ok "snmpsimd plays the recordings"
	sed 's/^/    /; 10q' "$work/snmpsimd.log"
	finish
fi

first=$(awk 'NR == 1 { print $2 }' "$work/list")
# A name of a MIB in the place of an OID; nobody has this file but the check.
cat >"$work/mibs/RECORDED-MIB" <<'END_OF_MIB'
RECORDED-MIB DEFINITIONS ::= BEGIN
recordedNumber OBJECT IDENTIFIER ::= { iso 3 6 1 2 1 2 1 }
END
END_OF_MIB
{
	echo "poller: { interval = \"$interval\"; state_dir = \"$work/state\"; run_dir = \"$work/run\";
rrd_dir = \"$work/rrd\"; templates = [ \"$src/conf/templates\" ]; mibs = [ \"mibs\" ];
include = [ \"conf.d/*.conf\" ]; };
store: { profile = \"short\"; };
profiles: ("
	comma=
	while read -r _ name; do
		echo "$comma{ name = \"$name\"; snmp = { version = \"2c\"; port = $port;
community = \"$name\"; timeout = \"5s\"; }; }"
		comma=,
	done <"$work/list"
	echo ');'
	echo "devices: ( { name = \"by-name\"; address = \"127.0.0.2\"; snmp = { port = $port;
source = \"any\"; community = \"$first\"; timeout = \"5s\"; };
points = ( { name = \"interfaces\"; oid = \"RECORDED-MIB::recordedNumber.0\"; } ); } );"
} >"$work/pollwerk.conf"
check "a MIB name may stand in the place of an OID" $pollwerk check
check "what is wrong behind a name is told of that name" eval "$pollwerk walk by-name \
	RECORDED-MIB::recordedNumber.x 2>&1 | grep -q '\"RECORDED-MIB::recordedNumber.x\": expected numbers'"
# The same address is polled already: then discover says so and proposes nothing for it.
$pollwerk discover --timeout 5s --profile "$first" 127.0.0.2 \
	>"$work/again" 2>&1
check "what is polled already is told in a comment" \
	grep -q '^  # polled already as "by-name"; not used yet: .*if-mib' "$work/again"
mv "$work/pollwerk.conf" "$work/whole.conf"
sed '/^devices:/,$d' "$work/whole.conf" >"$work/pollwerk.conf"

# One after the other, so that each sees the names that are taken.
refused=
while read -r address name; do
	$pollwerk discover --timeout 5s --profile "$name" --json "$address" \
		>"$work/$name.json" 2>"$work/errors"
	$pollwerk discover --timeout 5s --profile "$name" "$address" >"$work/fragment" \
		2>>"$work/errors" || refused="$refused $name"
	grep -v ' addresses answer' "$work/errors"
	mv "$work/fragment" "$work/conf.d/$name.conf"
done <"$work/list" >"$work/said"
none "discover proposes templates for $(wc -l <"$work/list") recordings, which the check takes" \
	"$refused$(cat "$work/said")"
check "silent addresses are passed over, and nobody found is a negative result" \
	eval "$pollwerk discover --profile '$first' --timeout 100ms 127.0.9.0/28 >'$work/nobody' 2>&1
[ \$? -eq 1 ] && grep -q '^pollwerk: 0 of 14 addresses answer' '$work/nobody'"
check "a large net is refused unless it is meant" \
	eval "$pollwerk discover --profile '$first' 10.0.0.0/21 >'$work/large' 2>&1
[ \$? -eq 2 ] && grep -q '2046 addresses are more than a /22 has' '$work/large'"
# Device, recording, templates with parameters, from the JSON.
python3 - "$work/list" "$work" >"$work/devices" <<'END'
import json, sys
for line in open(sys.argv[1]):
    name = line.split()[1]
    found, = json.load(open('%s/%s.json' % (sys.argv[2], name)))
    given = ''.join(',%s=%s' % pair for pair in found['parameters'].items())
    print(found['name'], name, *[template + given for template in found['templates']])
END
none "an old router of Teltonika's gets what fits its firmware, and no other" \
	"$(sed -n 's/^[^ ]* rut240 //p' "$work/devices" | grep -vx 'system teltonika-rut9 ucd')"
none "humidity is not proposed as a temperature" \
	"$(sed -n 's/^[^ ]* wut-hygro //p' "$work/devices" | grep -vx system)"
mv "$work/whole.conf" "$work/pollwerk.conf"
check "the configuration with all proposals is right" $pollwerk check
begin_daemon
rm -r "$work/mibs"

# What is not as the recordings say goes to $work/NAME.judged; counters take two polls.
all_right()
{
	status=0
	$pollwerk --json values >"$work/values" || return 1
	while read -r device name uses; do
		# shellcheck disable=SC2086
		python3 "$judge" judge "$src/conf/templates" "$work/data/$name.snmprec" \
			"$work/values" "$device" $uses >"$work/$name.judged" || status=1
	done <"$work/devices"
	return $status
}
wait_for 100 all_right
good=0
rest=0
while read -r device name uses; do
	none "$name: the points of $(echo "$uses" | sed 's/,[^ ]*//g') have the recording's values" \
		"$(grep -v ' points good, ' "$work/$name.judged")"
	set -- $(awk '/ points good, / { good += $2; rest += $5 } END { print good + 0, rest + 0 }' \
		"$work/$name.judged")
	good=$((good + $1))
	rest=$((rest + $2))
done <"$work/devices"
none "of $((good + rest)) points $good have the recording's value, $rest a reason" \
	"$([ $good -gt 0 ] || echo 'no point at all')"
device=$(awk '$2 == "wut-8x" { print $1 }' "$work/devices")
check "a sensor that is not there has no temperature" python3 -c "
import json
found = {v['path']: v for v in json.load(open('$work/values'))}
assert found['$device/sensor[2]/temperature']['reason'] == 'invalid-value', found
assert found['$device/sensor[1]/temperature']['value'] == 21"
check "a point by its MIB name is polled, without a MIB" python3 -c "
import json
found, = [v for v in json.load(open('$work/values')) if v['path'] == 'by-name/interfaces']
assert found['quality'] == 'good' or found['reason'] == 'no-such-object', found"
end_daemon
finish
