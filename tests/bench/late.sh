#!/bin/sh
# late.sh - 500 simulated devices, half of them dead: how late do the living get their polls?
#
#   late.sh [--seconds T] [--interval SECONDS] [--devices N] [--ifs M] [--only snmp|modbus]
#
# Times are those of the kernel, from the simulator's log (lateness.c says how the due times
# are found). Without options: a short run for make check.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

seconds=10 interval=2 devices=500 ifs=4 only=
while [ $# -gt 1 ]; do
	case $1 in
	--seconds) seconds=$2 ;;
	--interval) interval=$2 ;;
	--devices) devices=$2 ;;
	--ifs) ifs=$2 ;;
	--only) only=$2 ;;
	*) echo "late.sh: $1: unknown option" >&2; exit 2 ;;
	esac
	shift 2
done

work=$(mktemp -d) || exit 1
sim= daemon= timer=
trap 'kill $daemon $sim $timer 2>/dev/null; wait; rm -rf "$work"' EXIT
pollwerk="./pollwerk -c $work/pollwerk.conf"

# address N: of agent N, from 127.31.0.1 on
address() { echo "127.31.$(($1 / 256)).$(($1 % 256))"; }

# conf DEVICE-LINE: every even agent is dead; its name says so. %s: name, address
# RRD files are left out, as some 2,000 of so short an interval take 16 GB: a file stands in
# the place of their folder. The store reads the journal and keeps the ledger all the same.
conf()
{
	: >"$work/no-folder"
	cat <<-END
	poller: { name = "late"; interval = "${interval}s"; state_dir = "$work/state";
	          run_dir = "$work/run"; rrd_dir = "$work/no-folder/rrd"; templates = [ "$src/conf/templates" ]; };
	store: { flush = "5s"; profile = "short"; };
	devices: (
	END
	i=1
	while [ $i -le "$devices" ]; do
		kind=live
		[ $((i % 2)) -eq 1 ] || kind=dead
		[ $i -eq 1 ] || echo ','
		printf "$1" $kind-$i "$(address $i)"
		i=$((i + 1))
	done
	echo ');'
}

figure() { sed -n "s/^$1 //p" "$work/figures"; }
counter() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$work/status.json"; }
now_ns() { date +%s%N; }
at_most() { awk -v is="$1" -v most="$2" 'BEGIN { exit !(is != "" && is + 0 <= most) }'; }

# start_fleet PROGRAM LINE OPTION...: a fleet in which LINE has struck every even agent
start_fleet()
{
	program=$1 line=$2
	shift 2
	: >"$work/ready"
	tests/sim/$program --listen 127.31.0.1:0 --base 127.31.0.1 --agents "$devices" \
		--log "$work/$program.log" --control "$work/control" "$@" >"$work/ready" &
	sim=$!
	if ! wait_for 30 grep -q '^ready' "$work/ready"; then
		not_ok "$program starts"
		finish
	fi
	port=$(sed -n 's/^ready .*://p' "$work/ready")
	set --
	i=2
	while [ $i -le "$devices" ]; do
		set -- "$@" "agent $i $line"
		i=$((i + 2))
	done
	tests/sim/simctl "$work/control" "$@" >"$work/deaths"
	check "$program: half of the fleet is dead" [ $? -eq 0 ]
}

# Linux shares processors between sessions first. As a service the daemon has a share of its
# own (CPUWeight= in its unit): here it gets a session, and as root the like of that weight.
own_share()
{
	exec setsid sh -c 'echo -10 >/proc/self/autogroup; exec "$@"' sh "$@" 2>&1
}

# A machine that wakes a bare timer late cannot show how punctual a program is.
judge_lateness()
{
	sentence="$format: p99 of (kernel send time - due) is at most 5 ms"
	if at_most "$(figure p99)" 5; then
		ok "$sentence"
	elif at_most "$machine" 1; then
		not_ok "$sentence"
	else
		skip "$sentence: the machine is busy, a bare timer is $machine ms late at p99"
	fi
}

# measure FORMAT PROGRAM: runs the daemon, then says what it did.
measure()
{
	format=$1 program=$2
	rm -rf "$work/state" "$work/run"
	own_share ./pollwerkd -c "$work/pollwerk.conf" -f >"$work/out" 2>&1 &
	daemon=$!
	# 1: not well, which it says because of the RRD files
	answers() { $pollwerk --json status >"$work/status.json"; [ $? -le 1 ]; }
	if ! wait_for 30 answers; then
		not_ok "$format: the daemon starts"
		cat "$work/out"
		finish
	fi
	# Every device has had its first turn.
	sleep $((interval + 1))
	own_share tests/bench/bare_timer "$work/timer" &
	timer=$!
	from=$(now_ns)
	sleep "$seconds"
	to=$(now_ns)
	kill $timer
	wait $timer
	timer=
	answers
	sleep 1.5
	$pollwerk gaps --from "${from%?????????}" 'live-*' >"$work/gaps"
	kill $daemon
	wait $daemon
	check "$format: the daemon ends well" [ $? -eq 0 ]
	daemon=
	kill $sim
	wait $sim
	check "$format: nothing forbidden was asked" [ $? -eq 0 ]
	sim=
	tests/bench/lateness --format "$format" --interval $((interval * 1000)) --from "$from" \
		--to "$to" "$work/$program.log" >"$work/figures"

	echo "$format: $(figure living) living, $(figure dead) dead, each ${interval} s, for $seconds s:" \
		"$(figure cycles) cycles, up to $(figure busiest_tick) devices on one tick"
	echo "$format: late p50 $(figure p50) p99 $(figure p99) p99.9 $(figure p99.9)" \
		"max $(figure max) ms; the poller says $(counter late) late," \
		"$(counter overruns) overruns, worst start $(counter worst_start) s"
	machine=$(sed -n 's/^p99 //p' "$work/timer")
	echo "$format: a bare timer beside it: p99 $machine" \
		"max $(sed -n 's/^max //p' "$work/timer") ms late"
	judge_lateness
	check "$format: half of the devices lived" [ "$(figure living)" -eq $(((devices + 1) / 2)) ]
	check "$format: no cycle was missed" eval \
		"[ $(figure missed) -eq 0 ] && [ $(figure cycles) -ge $((devices / 2 * (seconds / interval - 1))) ]"
	# Two requests that time out after 500 ms fill the second of a dead device once, until it
	# is known to be dead.
	overruns_most=0
	[ "$interval" -ge 2 ] || overruns_most=$(figure dead)
	check "$format: no overrun, and none late by half an interval" eval \
		"[ '$(counter overruns)' -le $overruns_most ] && [ '$(counter late)' = 0 ]"
	check "$format: the ledger has an account of the living" [ -s "$work/gaps" ]
	# A counter's first reading is good and has no rate.
	none "$format: and it says expected = good" "$(awk '{
		good = $6
		for (i = 8; i < NF; i += 3)
			if ($i == "first")
				good += $(i + 1)
		if ($3 != good) print
	}' "$work/gaps")"
	grep -E ' (error|warning): ' "$work/out" | grep -v 'no answer\|do not answer' | head -n 5
}

snmp()
{
	start_fleet snmp_sim dead --ifs "$ifs"
	conf "{ name = \"%s\"; address = \"%s\"; snmp = { port = $port; timeout = \"500ms\";
		retries = 1; }; templates = [ \"system\", \"if-mib\" ]; }" >"$work/pollwerk.conf"
	measure snmp snmp_sim
}

modbus()
{
	start_fleet modbus_sim 'fault silent=1'
	conf "{ name = \"%s\"; address = \"%s\"; modbus = { port = $port; unit_id = 1;
		timeout = \"500ms\"; }; points = ( { name = \"pieces\"; function = 3; pdu = 100;
		type = \"u32\"; kind = \"counter\"; }, { name = \"oil_temp\"; function = 4; pdu = 12;
		type = \"s16\"; scale = 0.1; } ); }" >"$work/pollwerk.conf"
	measure modbus modbus_sim
}

[ "$only" = modbus ] || snmp
devices=$((devices / 2))
[ "$only" = snmp ] || modbus
finish
