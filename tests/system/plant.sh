# plant.sh - what the tests with a whole daemon share: peers on free ports, a daemon, waiting.
#
# Source it after report.sh, in the build directory. It makes $work and takes everything down
# at the end of the script: what begin_* started, by its pid.

work=$(mktemp -d) || exit 1
started=
daemon=
trap 'end_all' EXIT
trap 'exit 1' INT TERM
pollwerk="./pollwerk -c $work/pollwerk.conf"
export SNMPCONFPATH=/nonexistent SNMP_PERSISTENT_DIR="$work/persistent" MIBS= MIBDIRS=
mkdir -p "$work/persistent/cert_indexes" "$work/persistent/mib_indexes"

end_all()
{
	[ -z "$daemon$started" ] || kill $daemon $started 2>/dev/null
	wait
	rm -rf "$work"
}

# Below those that the kernel gives to everybody who asks for none, so that it stays free.
free_port()
{
	python3 -c 'import random, socket
while True:
    s = socket.socket(2, 2)
    try:
        s.bind(("127.0.0.1", random.randint(10000, 32000)))
        break
    except OSError:
        pass
print(s.getsockname()[1])'
}

# begin_sim NAME PROGRAM OPTION...: logs to $work/NAME.log, listens to simctl at
# $work/NAME.ctl, sets $port.
begin_sim()
{
	name=$1
	program=$2
	shift 2
	: >"$work/$name.ready"
	"tests/sim/$program" --log "$work/$name.log" --control "$work/$name.ctl" "$@" \
		>"$work/$name.ready" 2>&1 &
	started="$started $!"
	wait_for 30 grep -q '^ready' "$work/$name.ready"
	port=$(sed -n 's/^ready .*://p' "$work/$name.ready")
}
simctl()
{
	name=$1
	shift
	tests/sim/simctl "$work/$name.ctl" "$@"
}

# begin_receiver NAME: a real snmptrapd; one line "notice ..." for each into $work/NAME; sets
# $port. A TRAP that comes before its socket is there is gone for ever, so it is waited for.
begin_receiver()
{
	port=$(free_port)
	echo 'disableAuthorization yes' >"$work/snmptrapd.conf"
	: >"$work/$1"
	snmptrapd -f -Lf "$work/$1" -n -m '' -C -c "$work/snmptrapd.conf" -OnQ \
		-F 'notice %v\n' "udp:127.0.0.1:$port" >"$work/$1.errors" 2>&1 &
	started="$started $!"
	wait_for 30 grep -q "$(printf '0100007F:%04X ' "$port")" /proc/net/udp
}

# Until it answers: values are there without a daemon, too.
daemon_answers()
{
	$pollwerk --json status
	[ $? -ne 3 ]
}
begin_daemon()
{
	./pollwerkd -c "$work/pollwerk.conf" -f >>"$work/out" 2>&1 &
	daemon=$!
	wait_for 30 daemon_answers
}
# is_good POINT: its newest value is
is_good()
{
	$pollwerk --json values "$1" | grep -q '"quality":"good"'
}
# status_is ok|degraded
status_is()
{
	$pollwerk --json status | grep -q "\"health\":\"$1\""
}
# noticed COUNT PATTERN: so many notices at least match
noticed()
{
	[ "$(grep -c "$2" "$work/notices")" -ge "$1" ]
}
# missing_numbers: of notices, which are numbered from 1 on (pwNotifySeq); the first one
missing_numbers()
{
	sed -n 's/.*32473\.7\.1\.8\.1\.0 = \([0-9]*\).*/\1/p' "$work/notices" | sort -n | uniq |
		awk '$1 != NR { print "number", NR, "is missing"; exit }'
}
# as_ledger PATH FILE DS FROM TO VALUE: what is stored in that second and up to before this one is
# what the ledger says, see slots.py
as_ledger()
{
	$pollwerk where "$1" >/dev/null && $pollwerk --json gaps --from "$4" --to "$5" "$1" >"$work/slots.json" &&
		python3 "$src/tests/system/slots.py" "$work/slots.json" "$@"
}
# Its exit status is that of the daemon.
end_daemon()
{
	kill "$daemon"
	wait "$daemon"
	set -- $?
	daemon=
	return "$1"
}
# role_pid store|poller
role_pid()
{
	for child in $(cat "/proc/$daemon/task/$daemon/children"); do
		[ "$(cat "/proc/$child/comm")" != "pollwerk-$1" ] || echo "$child"
	done
}
