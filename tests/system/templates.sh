#!/bin/sh
# templates.sh - every template loads in a configuration of its own; where a recording of such a
# device exists, the daemon polls snmpsimd that plays it, and each point has the recording's
# value, or a reason why it has none.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
. "$src/tests/system/plant.sh"
judge=$src/tests/system/templates_judge.py
templates=$src/conf/templates

# head: the configuration up to the devices
head()
{
	echo "poller: { interval = \"6s\"; state_dir = \"$work/state\"; run_dir = \"$work/run\";
rrd_dir = \"$work/rrd\"; templates = [ \"$templates\" ]; };
store: { profile = \"short\"; };"
}
python3 "$judge" list "$templates" >"$work/list"
none "no template without a source" "$(awk '$3 != "yes"' "$work/list")"
while read -r name protocol _ parameters; do
	ask='modbus = { unit_id = 1; watchdog_checked = true; }'
	[ "$protocol" = modbus ] || ask='snmp = { version = "2c"; }'
	set -- $parameters
	given=
	for parameter; do given="$given $parameter = 1;"; done
	{
		head
		echo "devices: ( { name = \"d\"; address = \"127.0.0.1\"; $ask;
templates = [ \"$name\" ]; alarms = \"standard\"; parameters = { $given }; } );"
	} >"$work/pollwerk.conf"
	$pollwerk check >"$work/check" 2>&1 || echo "$name: $(cat "$work/check")"
done <"$work/list" >"$work/refused"
none "all $(wc -l <"$work/list") templates load, each in a configuration of its own" \
	"$(cat "$work/refused")"

recordings=$src/../shared/recordings
[ -d "$recordings" ] || recordings=$PW_RECORDINGS
if [ ! -d "$recordings" ]; then
	skip "points have the values of recorded devices (no recordings in ../shared/recordings)"
	finish
fi
for program in snmpsimd snmpgetnext; do
	command -v $program >/dev/null && continue
	skip "points have the values of recorded devices ($program is not installed)"
	finish
done

# device, recording, templates with their parameters. Two of one device may not have tables of
# the same name.
cat >"$work/devices" <<'END'
hirschmann hirschmann-powermice-ms4128 hirschmann-classic bridge-rstp lldp
scalance siemens-scalance-xc206 siemens-scalance bridge-rstp tcp
moxa moxa-eds-g516e moxa-eds,arc=71 bridge-rstp tcp
cisco cisco-ie1000 cisco-ie lldp
westermo westermo-ddw225 westermo-weos ucd entity-sensor
comtrol comtrol-es8510 comtrol system
opengear opengear-console-server opengear ucd tcp
wut wut-web-thermograph-57605 wut-thermograph
teltonika teltonika-rut956 teltonika ucd
apc apc-smtl1000-nmc3 apc tcp
eaton eaton-93e eaton-ups-mib
ups eaton-93e ups-mib
delta delta-ups-minisnmp delta-ups
janitza janitza-umg96 janitza-umg96-snmp
rittal rittal-cmciii-pu-compact rittal-cmc3
linux linux-netsnmp-slackware ucd tcp host-resources
printer hp-jetdirect-m130nw printer
END
mkdir "$work/data" "$work/cache"
cp "$recordings"/*.snmprec "$work/data"
# One more, with a supply that is no longer there, and a fan that stands still.
sed 's/^\(1.3.6.1.4.1.248.14.1.2.1.3.1.2|2|\)1$/\12/
	s/^1.3.6.1.4.1.248.14.1.10.1.0|/1.3.6.1.4.1.248.14.1.3.1.3.1.1|2|2\n&/' \
	"$recordings/hirschmann-powermice-ms4128.snmprec" >"$work/data/broken.snmprec"
# A large APC: volts of the battery in whole numbers, a word of the newer firmware.
cat >"$work/data/galaxy.snmprec" <<'END'
1.3.6.1.4.1.318.1.1.1.2.2.8.0|2|542
1.3.6.1.4.1.318.1.1.1.4.1.1.0|2|25
END
# ROS by RUGGEDCOM-SYS-INFO-MIB: a fan that failed, one that runs.
cat >"$work/data/ros.snmprec" <<'END'
1.3.6.1.4.1.15004.4.2.2.1.0|2|123
1.3.6.1.4.1.15004.4.2.2.10.0|2|2
1.3.6.1.4.1.15004.4.2.2.11.0|2|5
END
# And a ring that is open, by the standard's MIB: a value of type BITS.
cat >"$work/data/ring.snmprec" <<'END'
1.0.62439.1.1.1.1.7.1|2|3
1.0.62439.1.1.1.1.9.1|2|4
1.0.62439.1.1.1.1.10.1|4x|20
END
chmod 755 "$work" "$work/data"
chmod 644 "$work"/data/*
chmod 777 "$work/cache"
user=
[ "$(id -u)" -ne 0 ] || user='--process-user=nobody --process-group=nogroup'
port=$(free_port)
# shellcheck disable=SC2086
snmpsimd --data-dir="$work/data" --cache-dir="$work/cache" $user \
	--agent-udpv4-endpoint=127.0.0.1:"$port" >"$work/snmpsimd.log" 2>&1 &
started="$started $!"
if ! wait_for 20 snmpgetnext -v2c -c comtrol-es8510 -m '' -t 1 -r 0 127.0.0.1:"$port" 1.3; then
	not_ok "snmpsimd plays the recordings"
	finish
fi
{
	head
	echo 'devices: ('
	comma=
	while read -r device recording uses; do
		names=
		parameters=
		for use in $uses; do
			names="$names${names:+, }\"${use%%,*}\""
			[ "$use" = "${use#*,}" ] || parameters="$parameters ${use#*,};"
		done
		rows=
		[ "$device" != linux ] ||
			rows='rows = { conn = { remote = [ "194.67.1.250:993", "194.67.1.250:994" ]; }; };'
		echo "$comma{ name = \"$device\"; address = \"127.0.0.1\"; snmp = { version = \"2c\";
port = $port; community = \"$recording\"; }; templates = [ $names ]; alarms = \"standard\";
parameters = { $parameters }; $rows }"
		comma=,
	done <"$work/devices"
	echo ",{ name = \"broken\"; address = \"127.0.0.1\"; snmp = { version = \"2c\"; port = $port;
community = \"broken\"; }; templates = [ \"hirschmann-classic\" ]; alarms = \"standard\"; },
{ name = \"ring\"; address = \"127.0.0.1\"; snmp = { version = \"2c\"; port = $port;
community = \"ring\"; }; templates = [ \"iec-mrp\" ]; }"
	for pair in galaxy,apc ros,ruggedcom-ros; do
		echo ",{ name = \"${pair%,*}\"; address = \"127.0.0.1\"; snmp = { version = \"2c\";
port = $port; community = \"${pair%,*}\"; }; templates = [ \"${pair#*,}\" ]; alarms = \"standard\"; }"
	done
	echo ');'
} >"$work/pollwerk.conf"
check "the configuration of all recorded devices is right" $pollwerk check
begin_daemon

# all_right: what is not as the recordings say goes to $work/DEVICE.judged; counters take two
# polls.
all_right()
{
	status=0
	$pollwerk --json values >"$work/values" || return 1
	while read -r device recording uses; do
		# shellcheck disable=SC2086
		python3 "$judge" judge "$templates" "$recordings/$recording.snmprec" \
			"$work/values" "$device" $uses >"$work/$device.judged" || status=1
	done <"$work/devices"
	return $status
}
sleep 7
tries=15
while ! all_right && [ $tries -gt 0 ]; do
	tries=$((tries - 1))
	sleep 3
done
while read -r device recording uses; do
	none "$recording: the points of $uses have the recording's values" \
		"$(grep -v ' points good, ' "$work/$device.judged")"
	sed 's/^/    /' "$work/$device.judged" | grep ' points good, '
done <"$work/devices"
# The judge believes the templates; these numbers were read off the recordings by hand: volts are
# volts, a supply that gives power is active, what cannot be told is not 65535.
sed 's/  */\t/' <<'END' | sed 's/~/ /g' >"$work/known"
hirschmann/temperature 36
hirschmann/psu[1.2]/state 1
hirschmann/sfp[1.1]/tx_power -5.7
scalance/psu1 2
scalance/psu2 1
scalance/temperature[Chassis]/value 35
scalance/sfp[1]/rx_power invalid-value
moxa/power2 0
moxa/cpu_30s 17
moxa/fibre[13]/temperature 43.3
moxa/fibre[13]/rx_power invalid-value
moxa/fibre[15]/rx_power -5.7
westermo/entity[1000]/raw 31
westermo/mem_total 62304256
comtrol/stp[1]/state 5
comtrol/version 2
opengear/sensor[Internal~environmental~sensor]/temperature 32
opengear/modem[MC7304]/rssi_4g -67
opengear/load[1]/average 0
wut/sensor[Sensor~1]/temperature 19.8
teltonika/modem[1-1.4]/rssi -58
teltonika/modem[1-1.4]/temperature 42
teltonika/io[adc0]/analog 0
apc/in_voltage 118
apc/time_left 1522
apc/temperature 28
apc/load 37.8
apc/output 2
apc/probe[Equipment~Room]/humidity 32
apc/probe[Equipment~Cabinet]/humidity invalid-value
eaton/time_left invalid-value
eaton/input[1]/voltage 227
eaton/in_frequency 50
eaton/source 3
eaton/on_battery 0
eaton/minutes_left 1092
eaton/input[1]/frequency 50
eaton/output[1]/load 21
ups/minutes_left 1092
ups/battery_voltage 521
delta/input[1]/voltage 236
delta/output[1]/voltage 230
delta/battery_voltage 55.4
delta/battery_current no-such-object
janitza/u_l1 229.7
janitza/i_l1 16.295
janitza/p_sum 10041
janitza/cosphi_l1 0.903
janitza/frequency 50
rittal/var[Temperature.Value]/value 20.9
linux/load[Load-1]/average 0.05
linux/established 9
linux/conn[194.67.1.250:993]/state 5
linux/conn[194.67.1.250:994]/state 1
printer/supply[Black~Cartridge~HP~CF217A]/level 28
printer/tray[Tray~1]/level invalid-value
ring/mrp[1]/ring 2
ring/mrp[1]/port_2 4
galaxy/battery_voltage 542
galaxy/output 25
ros/cpu 12.3
ros/fan2 5
END
none "$(wc -l <"$work/known") numbers are what a person reads off the recordings" \
	"$(python3 "$judge" known "$work/values" <"$work/known")"
# The thresholds of the templates are on: devices that are well raise nothing.
$pollwerk --json alarms >"$work/alarms"
check "of all thresholds only those of the broken supply and fans are breached" python3 -c "
import json
found = sorted(a['text'] for a in json.load(open('$work/alarms')))
assert found == ['MAJOR psu-lost broken/psu[1.2]/state: failed, power supply lost',
    'MINOR fan-failed broken/fan[1.1]/state: failed, fan failed',
    'MINOR fan-failed ros/fan1: failed, fan failed'], found"
end_daemon
finish
