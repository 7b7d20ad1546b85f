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
	ask='modbus = { unit_id = 1; }'
	[ "$protocol" = modbus ] || ask='snmp = { version = "2c"; }'
	set -- $parameters
	given=
	for parameter; do given="$given $parameter = 1;"; done
	{
		head
		echo "devices: ( { name = \"d\"; address = \"127.0.0.1\"; $ask;
templates = [ \"$name\" ]; parameters = { $given }; } );"
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
eaton eaton-93e eaton
ups eaton-93e ups-mib
delta delta-ups-minisnmp delta-ups
janitza janitza-umg96 janitza-umg96-snmp
rittal rittal-cmciii-pu-compact rittal-cmc3
linux linux-netsnmp-slackware ucd tcp host-resources
printer hp-jetdirect-m130nw printer
END
mkdir "$work/data" "$work/cache"
cp "$recordings"/*.snmprec "$work/data"
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
		echo "$comma{ name = \"$device\"; address = \"127.0.0.1\"; snmp = { version = \"2c\";
port = $port; community = \"$recording\"; }; templates = [ $names ];
parameters = { $parameters }; }"
		comma=,
	done <"$work/devices"
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
tries=5
while ! all_right && [ $tries -gt 0 ]; do
	tries=$((tries - 1))
	sleep 3
done
while read -r device recording uses; do
	none "$recording: the points of $uses have the recording's values" \
		"$(grep -v ' points good, ' "$work/$device.judged")"
	sed 's/^/    /' "$work/$device.judged" | grep ' points good, '
done <"$work/devices"
end_daemon
finish
