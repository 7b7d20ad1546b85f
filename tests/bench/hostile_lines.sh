#!/bin/sh
# hostile_lines.sh - 2,000 Modbus TCP lines, 40 of them to hostile servers: do the others wait?
#
#   hostile_lines.sh [--seconds T] [--interval SECONDS] [--lines N]
#
# All lines live in one process on the real loop, with file descriptors above 1,024 (lines.c).
# The hostile ones do all that the simulator can: silence, black holes, one octet at a time,
# lies about lengths, answers of others, FIN and RST everywhere. Without options: a short run
# for make check; make hostile-lines polls each second for a minute.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

seconds=2 interval=2 lines=2000
while [ $# -gt 1 ]; do
	case $1 in
	--seconds) seconds=$2 ;;
	--interval) interval=$2 ;;
	--lines) lines=$2 ;;
	*) echo "hostile_lines.sh: $1: unknown option" >&2; exit 2 ;;
	esac
	shift 2
done
hostile=40

if [ "$(ulimit -H -n)" != unlimited ] && [ "$(ulimit -H -n)" -lt $((2 * lines + 1100)) ]; then
	skip "$lines lines: a process may have only $(ulimit -H -n) files"
	finish
fi
work=$(mktemp -d) || exit 1
sim= timer=
trap 'kill $sim $timer 2>/dev/null; wait; rm -rf "$work"' EXIT

# Two servers of each kind.
kinds='unit 1 fault dribble=20
unit 1 fault length=3
unit 1 fault length=-1
unit 1 fault wrong_count=1
unit 1 fault wrong_tid=1
unit 1 fault wrong_unit=1
unit 1 fault wrong_function=1
unit 1 fault wrong_protocol=1
unit 1 fault garbage=1
unit 1 fault junk=1
unit 1 fault truncate=1
unit 1 fault delay=2500
unit 1 fault cut=1
unit 1 fault cut_rst=1
unit 1 fault exception=11 delay=1200
unit 1 fault rst=1
fault silent=1
fault deaf=1
fault rst_after_accept=1
fault close_after_accept=1'

set -- --listen 127.36.0.1:0 --base 127.36.0.1 --agents "$lines" --profile pattern
number=$((lines - hostile))
for round in 1 2; do
	while read -r kind; do
		number=$((number + 1))
		set -- "$@" --do "agent $number $kind"
	done <<-END
	$kinds
	END
done
tests/sim/modbus_sim "$@" >"$work/ready" 2>&1 &
sim=$!
if ! wait_for 20 grep -q '^ready' "$work/ready"; then
	not_ok "a fleet of $lines starts: $(cat "$work/ready")"
	finish
fi
port=$(sed -n 's/^ready .*://p' "$work/ready")
tests/bench/bare_timer "$work/timer" &
timer=$!
poll()
{
	timeout 300 tests/bench/lines --base 127.36.0.1 --port "$port" --servers "$lines" \
		--hostile $hostile --regs 20 --interval $((interval * 1000)) --timeout 1000 \
		--seconds "$seconds" --fds-from 1025 >"$work/figures"
}
check "$lines lines are polled each $interval s, $hostile of them hostile" poll
kill $timer
wait $timer
timer=
kill $sim
wait $sim
check "the servers saw nothing but reading" [ $? -eq 0 ]
sim=

figure() { sed -n "s/^$1 //p" "$work/figures"; }
at_most() { awk -v is="$1" -v most="$2" 'BEGIN { exit !(is != "" && is + 0 <= most) }'; }
timer_max=$(sed -n 's/^max //p' "$work/timer")
echo "$((lines - hostile)) good lines beside $hostile hostile ones, each $interval s, for $seconds s:" \
	"$(figure exchanges) exchanges, $(figure values) values, lost $(figure lost) of the good," \
	"$(figure hostile_lost) of the hostile"
echo "worst start $(figure worst_late_ms) ms late, worst answer after $(figure worst_answer_ms) ms;" \
	"longest stall $(figure stall_ms) ms (with waits for a processor $(figure waited_ms) ms)," \
	"a bare timer beside it $timer_max ms"

# A machine that wakes a bare timer late cannot show how punctual a program is.
judge()
{
	sentence=$1
	shift
	if "$@"; then
		ok "$sentence"
	elif at_most "$timer_max" 20; then
		not_ok "$sentence"
	else
		skip "$sentence: the machine is busy, a bare timer is up to $timer_max ms late"
	fi
}
judge "no poll of a good line was lost or late" [ "$(figure lost)" = 0 ]
judge "the loop never stalls over 50 ms" at_most "$(figure stall_ms)" 50
check "the hostile ones were hostile" eval "[ 0$(figure hostile_lost) -ge $hostile ]"
finish
