#!/bin/sh
# bus.sh - serial buses: every fault of the simulator with RTU framing (and with TCP) on real
# sockets, and no wrong value among the answers. TRIALS of each kind: 6, make bus does 100.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

work=$(mktemp -d) || exit 1
sim=
trap 'kill $sim 2>/dev/null; wait; rm -rf "$work"' EXIT
trials=${TRIALS:-6}

# start FRAMING BASE COUNT: the simulator as a fleet of so many, $port is theirs
start()
{
	: >"$work/ready"
	tests/sim/modbus_sim --listen "$2:0" --base "$2" --agents "$3" --framing "$1" \
		--control "$work/ctl" --log "$work/$1.log" >"$work/ready" 2>&1 &
	sim=$!
	wait_for 30 grep -q '^ready' "$work/ready"
	port=$(sed -n 's/^ready .*://p' "$work/ready")
}

try()
{
	timeout 300 tests/system/bus_trials "$framing" "$port" "$base" "$work/ctl" \
		"$work/$framing.log" "$trials" "$@" >"$work/out"
}

# campaign FRAMING BASE KIND=FAULTS...
campaign()
{
	framing=$1 base=$2
	shift 2
	start "$framing" "$base" $#
	check "$framing: $trials trials of each of $# faults, no wrong value, all lines come back" \
		try "$@"
	sed 's/^/    /' "$work/out"
	kill $sim
	wait $sim
	check "$framing: the simulator saw nothing but reading" [ $? -eq 0 ]
	sim=
	none "$framing: no connection was torn down by RST" "$(grep 'close rst$' "$work/$framing.log")"
	none "$framing: no request was malformed" "$(grep 'malformed' "$work/$framing.log" | grep -v '^#')"
}

campaign rtu 127.30.77.1 wrong_unit='wrong_unit=0.5' wrong_function='wrong_function=0.5' \
	wrong_count='wrong_count=0.5' fewer='fewer=0.5' wrong_crc='wrong_crc=0.5' \
	late='delay=0 jitter=400' joined='hold=0.5' dribble='dribble=2' noise='noise=0.5' \
	echo='echo=0.5' told-echo='echo=1' truncate='truncate=0.5' junk='junk=0.5' \
	twice='twice=0.5' garbage='garbage=0.5' foreign='foreign=0.5' lost='drop=0.5' \
	busy='exception=6' close='close=0.2' rst='rst=0.2' split='split=20' cut='cut=0.2' \
	gateway-late='exception=11 jitter=400' gateway-anyone='exception=11 jitter=400 @anyone=1' \
	late-anyone='drop=0.2 jitter=400 @anyone=1' silent='@silent=1' \
	any='drop=0.1 wrong_crc=0.1 hold=0.1 noise=0.1 junk=0.1 twice=0.1 truncate=0.1 jitter=200'
campaign tcp 127.31.77.1 wrong_tid='wrong_tid=0.5' wrong_unit='wrong_unit=0.5' \
	wrong_function='wrong_function=0.5' wrong_count='wrong_count=0.5' fewer='fewer=0.5' \
	wrong_protocol='wrong_protocol=0.5' length='length=3' late='delay=0 jitter=400' \
	joined='hold=0.5' dribble='dribble=2' noise='noise=0.5' echo='echo=0.5' \
	truncate='truncate=0.5' junk='junk=0.5' twice='twice=0.5' garbage='garbage=0.5' \
	lost='drop=0.5' close='close=0.2' rst='rst=0.2' split='split=20' cut='cut=0.2' \
	cut-rst='cut_rst=0.2' odd-exception='exception=2 length=-1' busy='exception=6' \
	gateway-late='exception=11 jitter=400' silent='@silent=1' black-hole='@deaf=1' \
	one-only='@max_connections=1' close-after='@close_after=3' \
	accept-close='@close_after_accept=1' accept-rst='@rst_after_accept=1'
finish
