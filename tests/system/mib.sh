#!/bin/sh
# mib.sh - the MIB loads, is clean, and its numbers are those that receivers have learned.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"

mibs=$build/base-mibs
mib=$src/mibs/POLLWERK-MIB.txt
base=1.3.6.1.4.1.32473.7
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

if ! command -v smilint >/dev/null || ! command -v snmptranslate >/dev/null; then
	skip "the MIB is clean and translates (apt-get install smitools snmp)"
	finish
fi
if ! sh "$src/contrib/base-mibs.sh" "$mibs" 2>"$work/why"; then
	skip "the MIB is clean and translates ($(head -n 1 "$work/why"))"
	finish
fi
cp "$mibs"/* "$work/"
cp "$mib" "$work/POLLWERK-MIB"

# smilint ends with 0 even after errors: any output at all is a failure.
none "smilint finds nothing in POLLWERK-MIB at its strictest level" \
	"$(SMIPATH="$work" smilint -s -l 6 "$work/POLLWERK-MIB" 2>&1)"

# translates NAME OID: snmptranslate knows nothing but our directory.
translates()
{
	oid=$(MIBDIRS="$work" SNMPCONFPATH=/nonexistent SNMP_PERSISTENT_DIR="$work" \
		snmptranslate -m POLLWERK-MIB -On "POLLWERK-MIB::$1" 2>"$work/why")
	[ "$oid" = ".$base.$2" ] && ok "$1 is $base.$2" || not_ok "$1 is $base.$2, not $oid $(cat "$work/why")"
}
translates pwDeviceDown 0.1
translates pwDeviceUp 0.2
translates pwPathImpaired 0.3
translates pwPathRestored 0.4
translates pwThresholdRaised 0.5
translates pwThresholdCleared 0.6
translates pwDataStale 0.7
translates pwDataFresh 0.8
translates pwPollerImpaired 0.9
translates pwPollerNormal 0.10
translates pwStarted 0.20
translates pwStopping 0.21
translates pwHeartbeat 0.22
translates pwRoleChanged 0.23
translates pwNotifySeq 1.8.1
translates pwNotifyTransition 1.8.2
translates pwNotifyTime 1.8.3
translates pwPollerName 1.1.1
translates pwAlarmKey 1.6.5.1.2
translates pwAlarmText 1.6.5.1.13
translates pwAlarmRootHop 1.6.5.1.16
translates pwAlarmBudgetLeft 1.6.5.1.17
translates pwAlarmOwner 1.6.5.1.18
translates pwAlarmPlace 1.6.5.1.19

# The order is a promise to receivers that count: it is written down here a second time.
order="pwNotifySeq pwNotifyTransition pwAlarmKey pwAlarmSeverity pwAlarmCause pwAlarmDevice
pwAlarmAddress pwAlarmPath pwAlarmObject pwAlarmValue pwAlarmThreshold pwAlarmUnit
pwAlarmText pwNotifyTime pwPollerName pwAlarmRootHop pwAlarmBudgetLeft pwAlarmOwner
pwAlarmPlace"
lifecycle="pwNotifySeq pwPollerName pwPollerVersion pwPollerRole pwAlarmNumber pwAlarmWorst
pwNotifyTime pwNotifyLost"
objects_of()
{
	sed -n "/^$1 NOTIFICATION-TYPE/,/}/p" "$mib" | sed 's/.*OBJECTS//' |
		grep -o 'pw[A-Z][A-Za-z]*' | grep -v "^$1\$" | tr '\n' ' '
}
carries()
{
	[ "$(objects_of "$1")" = "$(echo $2) " ] && ok "$1 carries its objects in the frozen order" ||
		not_ok "$1 carries its objects in the frozen order: $(objects_of "$1")"
}
for name in pwDeviceDown pwDeviceUp pwPathImpaired pwPathRestored pwThresholdRaised \
	pwThresholdCleared pwDataStale pwDataFresh pwPollerImpaired pwPollerNormal; do
	carries $name "$order"
done
for name in pwStarted pwStopping pwHeartbeat pwRoleChanged; do
	carries $name "$lifecycle"
done

# Longest value of an object in bytes of BER content, from its SIZE or its type.
longest()
{
	syntax=$(sed -n "/^$1 OBJECT-TYPE/,/MAX-ACCESS/s/^ *SYNTAX *//p" "$mib")
	case $syntax in
	*SIZE*) echo "$syntax" | sed 's/.*\.\.\([0-9]*\).*/\1/' ;;
	PwName) echo 64 ;;
	PwNumber | PwIsoTime) echo 24 ;;
	*) echo 5 ;;
	esac
}
# 1,400 bytes fit one Ethernet frame with IP and UDP in front. A varbind costs its own and
# the value's header (3 bytes each) and an OID of 19 bytes with its header of 2; the message
# around them has at most 32 bytes of community, 60 of headers, sysUpTime and snmpTrapOID.
total=$((32 + 30 + 17 + 28))
for name in $order; do
	total=$((total + 3 + 21 + 3 + $(longest "$name")))
done
[ $total -le 1400 ] && ok "the longest alarm notification has $total bytes, 1400 are allowed" ||
	not_ok "the longest alarm notification has $total bytes, 1400 are allowed"

# A receiver as on a plant: snmptrapd with our MIB and the base modules, a trap by number.
if ! command -v snmptrapd >/dev/null || ! command -v snmptrap >/dev/null; then
	skip "snmptrapd shows our traps by name (apt-get install snmptrapd snmp)"
	finish
fi
port=$(python3 -c 'import socket; s = socket.socket(2, 2); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
echo 'disableAuthorization yes' >"$work/snmptrapd.conf"
export SNMPCONFPATH=/nonexistent SNMP_PERSISTENT_DIR="$work/state"
snmptrapd -f -Lo -n -M "$mibs:$src/mibs" -m POLLWERK-MIB -C -c "$work/snmptrapd.conf" \
	"udp:127.0.0.1:$port" >"$work/traps" 2>"$work/errors" &
receiver=$!
trap 'kill $receiver 2>/dev/null; wait $receiver; rm -rf "$work"' EXIT

# Sent again until it arrives: there is no sign of when the socket is open.
tries=0
until grep -q pwThresholdRaised "$work/traps" || [ $tries -ge 50 ]; do
	snmptrap -v 2c -c public -M "$mibs" -m '' "127.0.0.1:$port" 100 .$base.0.5 \
		.$base.1.8.1.0 u 7 .$base.1.8.2.0 i 1 .$base.1.6.5.1.2.9 s oil-hot/press-3/oil_temp \
		.$base.1.6.5.1.3.9 i 4 .$base.1.6.5.1.13.9 s 'Öl zu heiß' 2>>"$work/errors"
	tries=$((tries + 1))
	sleep 0.1
done
shows()
{
	grep -qF "$2" "$work/traps" && ok "$1" ||
		{ not_ok "$1"; sed 's/^/    /' "$work/traps" "$work/errors" | head -n 20; }
}
shows "snmptrapd shows the notification by name" 'POLLWERK-MIB::pwThresholdRaised'
shows "snmptrapd shows severity and transition as words" 'pwAlarmSeverity.9 = INTEGER: major(4)'
shows "snmptrapd shows the key as text" 'pwAlarmKey.9 = STRING: oil-hot/press-3/oil_temp'
shows "snmptrapd shows umlauts in the text" 'pwAlarmText.9 = STRING: Öl zu heiß'
finish
