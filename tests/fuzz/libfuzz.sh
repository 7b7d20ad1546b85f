#!/bin/sh
# libfuzz.sh - the readers of Modbus, the decoder of SNMP and the opener of its version 3, under
# libFuzzer with ASan and UBSan, side by side.
#
#   libfuzz.sh [SECONDS]     60; of each target: fuzz_mbap, fuzz_rtu, fuzz_regs, fuzz_adu, fuzz_fast,
#                            fuzz_seal
#
# Begins with what stands in corpus/; what it finds beside that stays in the folder PW_CORPUS,
# if one is given, for the next time. FUZZ_SEED (1): 0 takes another one each time. Skipped where clang cannot link -fsanitize=fuzzer
# (Debian: clang and libclang-rt-dev).
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

seconds=${1:-60}
work=$(mktemp -d) || exit 1
jobs=
trap 'kill $jobs 2>/dev/null; wait; rm -rf "$work"' EXIT
flags="-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -D_GNU_SOURCE
	-I$src/src -I$src/tests -I. $(pkg-config --cflags libmodbus 2>/dev/null)"

echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return n > 1 && d[0] == 0; }' \
	>"$work/try.c"
if ! clang $flags "$work/try.c" -o "$work/try" >"$work/log" 2>&1; then
	skip "the readers under libFuzzer: clang with -fsanitize=fuzzer is not here"
	finish
fi

line="$src/tests/fuzz/line_target.c $src/tests/fake/loop_sim.c $src/tests/fake/net_sim.c
	$src/src/modbus/line.c $src/src/modbus/owed.c $src/src/modbus/pace.c $src/src/modbus/release.c
	$src/src/modbus/serial.c $src/src/base/addr.c $src/src/base/cert.c $src/src/base/clock.c
	$src/src/base/tls.c"
pure="$src/src/modbus/adu.c $src/src/modbus/regs.c $src/src/base/fail.c $src/src/base/mem.c
	$src/src/base/log.c $src/src/base/str.c"
decoder="$src/src/snmp/ber.c $src/src/snmp/fast.c $src/src/snmp/oid.c $src/src/base/fail.c
	$src/src/base/mem.c $src/src/base/log.c $src/src/base/str.c"
targets="fuzz_mbap fuzz_rtu fuzz_regs fuzz_adu fuzz_fast fuzz_seal"
for target in $targets; do
	case $target in
	fuzz_mbap | fuzz_rtu) sources="$line $pure" ;;
	fuzz_fast) sources="$src/tests/fuzz/snmp_targets.c $decoder" ;;
	fuzz_seal) sources="$src/tests/fuzz/seal_target.c $src/src/snmp/seal.c $src/src/snmp/usm.c $decoder" ;;
	*) sources="$src/tests/fuzz/modbus_targets.c $pure" ;;
	esac
	if clang $flags -Wno-everything -DFUZZ_TARGET=$target "$src/tests/fuzz/entry.c" $sources -lmodbus -lssl -lcrypto \
		-lm -o "$work/$target" >"$work/$target.log" 2>&1; then
		mkdir -p "$work/new-$target" "${PW_CORPUS:-$work/found}/$target"
		(cd "$work/new-$target" && exec "$work/$target" -max_total_time="$seconds" -timeout=60 -seed="${FUZZ_SEED:-1}" \
			-rss_limit_mb=1500 -print_final_stats=1 "${PW_CORPUS:-$work/found}/$target" \
			"$src/tests/fuzz/corpus/$target") >"$work/$target.log" 2>&1 &
		jobs="$jobs $!"
		eval "pid_$target=$!"
	else
		eval "pid_$target="
	fi
done
for target in $targets; do
	eval "pid=\$pid_$target"
	if [ -n "$pid" ] && wait "$pid"; then
		ok "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log") inputs" \
			"in $seconds s, no crash, no hang"
	else
		not_ok "$target: $(grep -m 1 'ERROR\|error' "$work/$target.log")"
		tail -n 30 "$work/$target.log" | sed 's/^/    /'
		# the input, to be repeated
		find "$work/new-$target" -type f 2>/dev/null | head -n 3 | while read -r file; do
			echo "    $(basename "$file"): $(od -An -v -tx1 "$file" | tr -d '\n')"
		done
	fi
done
jobs=
finish
