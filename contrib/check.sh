#!/bin/sh
# check.sh - everything that make check needs, and make check: on a fresh Debian 12, as root
# or with sudo.
#
#   sh contrib/check.sh               builds in build/, runs all tests
#   sh contrib/check.sh --sanitize    and again with ASan and UBSan in build-asan/
#   sh contrib/check.sh --all         and make distcheck, and short benchmarks
#   --no-install                      leaves the packages alone
#   --count DIR                       only counts what the last make check in DIR said
#
# CI=true in the environment means --sanitize. The last line is the count of all tests that
# ran, "N passed, N failed, N skipped"; the exit status is 0 only without a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
. contrib/lib.sh

sanitize=no
all=no
install=yes
[ "${CI:-}" != true ] || sanitize=yes
count_only=
[ "${1:-}" != --count ] || { count_only=${2:-build}; set --; }
for option in "$@"; do
	case $option in
	--sanitize) sanitize=yes ;;
	--all) all=yes sanitize=yes ;;
	--no-install) install=no ;;
	*) say "usage: sh contrib/check.sh [--sanitize] [--all] [--no-install] | --count DIR"; exit 2 ;;
	esac
done

passed=0
failed=0
skipped=0
pid=
test_limit=900 # seconds; a test that hangs is a failure and not a night
jobs=$(nproc 2>/dev/null || echo 1)
began=$(date +%s)
step() { say "== $(($(date +%s) - began)) s: $*"; }

# finish: the count, as the last line, whatever happened before.
finish()
{
	[ "$skipped" -eq 0 ] || { echo "$passed passed, $failed failed, $skipped skipped"; exit $1; }
	echo "$passed passed, $failed failed"
	exit "$1"
}

# stop SENTENCE [LOG]: for what leaves nothing to go on with; counts as one failure.
stop()
{
	[ -z "${2:-}" ] || tail -n 40 "$2" >&2
	say "check.sh: $1"
	failed=$((failed + 1))
	finish 1
}

# one SENTENCE COMMAND...: a step that is a test of its own.
one()
{
	one_name=$1
	shift
	step "$one_name"
	if "$@" >build/step.log 2>&1; then
		passed=$((passed + 1))
		say "ok - $one_name"
	else
		failed=$((failed + 1))
		tail -n 40 build/step.log >&2
		say "not ok - $one_name"
	fi
}

# count DIR: adds what the test logs below DIR say. A program that reports no failure of its
# own and still ends badly (a crash, a leak found at its end, a time-out) is one failure.
count()
{
	counted=$(find "$1" -name '*.trs' | sort | while read -r trs; do
		result=$(sed -n 's/^:test-result: *//p' "$trs" | head -n 1)
		tr -d '\r' <"${trs%.trs}.log" | awk -v result="$result" -v name="${trs%.trs}" '
			/^\[       OK \] / || /^ok( |$)/ { good++ }
			/^\[ RUN      \] / { run++ }
			/^\[  FAILED  \] [A-Za-z_]/ && !seen[$4]++ { bad++ }
			/^\[  SKIPPED \] [A-Za-z_]/ && !seen[$4]++ { skip++ }
			/^not ok( |$)/ { bad++ }
			/^skip( |$)/ { skip++ }
			END {
				if (result ~ /^(FAIL|ERROR|XPASS)/ && !bad) bad++
				if (result ~ /^(PASS|XFAIL)/ && !good && !bad && !skip) good++
				if (result ~ /^SKIP/ && !skip) skip++
				print good + 0, bad + 0, skip + 0
			}'
	done | awk '{ good += $1; bad += $2; skip += $3 } END { print good + 0, bad + 0, skip + 0 }')
	set -- $counted
	run_passed=$1 run_failed=$2 run_skipped=$3
}

# check_build DIR CONFIGURE-OPTION...: configure, make, make check in DIR.
check_build()
{
	dir=$1
	shift
	mkdir -p "$dir" || stop "$dir: cannot be made"
	step "configure in $dir/ $*"
	(cd "$dir" && ../configure -q --enable-werror "$@") >"$dir/configure.out" 2>&1 ||
		stop "configure failed" "$dir/configure.out"
	step "make in $dir/"
	make -C "$dir" -s -j"$jobs" all check-programs >"$dir/make.out" 2>&1 ||
		stop "make failed" "$dir/make.out"
	step "make check in $dir/"
	find "$dir" -name '*.trs' -exec rm -f {} +
	if sh contrib/base-mibs.sh "$dir/base-mibs" 2>"$dir/base-mibs.out"; then :; else
		say "$(head -n 1 "$dir/base-mibs.out"): tests that translate traps are skipped"
	fi
	# A session of its own, so that an interrupt finds all that it started.
	setsid make -C "$dir" -k check TEST_WRAPPER="timeout -k 10 $test_limit" \
		>"$dir/check.out" 2>&1 </dev/null &
	pid=$!
	# Both in the background: only wait lets an interrupt through at once.
	tail -f --pid=$pid -n +1 "$dir/check.out" |
		grep --line-buffered -E '^(PASS|FAIL|ERROR|SKIP|XPASS|XFAIL): ' >&2 &
	shown=$!
	wait $pid
	status=$?
	wait $shown
	pid=
	count "$dir"
	if [ $status -ne 0 ] && [ "$run_failed" -eq 0 ]; then
		tail -n 30 "$dir/check.out" >&2
		run_failed=1
	fi
	show_failures "$dir"
	say "$dir: $run_passed tests good, $run_failed bad, $run_skipped left out"
	passed=$((passed + run_passed))
	failed=$((failed + run_failed))
	skipped=$((skipped + run_skipped))
}

# What went wrong and what was left out, so that nobody has to look for logs.
show_failures()
{
	find "$1" -name '*.trs' | sort | while read -r trs; do
		log=${trs%.trs}.log
		grep '^skip ' "$log"
		grep -qE '^:test-result: *(FAIL|ERROR)' "$trs" || continue
		echo "---- $log"
		# A script shows what it found below its "not ok", set in.
		awk '/^not ok|^\[  FAILED  \]/ { found = 1; print; next } !/^    / { found = 0 } found' \
			"$log" | head -n 60
		echo "----"
		tail -n 40 "$log"
	done >&2
}

interrupted()
{
	[ -z "$pid" ] || kill $(ps -o pid= --sid "$pid") 2>/dev/null
	stop "interrupted"
}
trap interrupted HUP INT TERM

if [ -n "$count_only" ]; then
	count "$count_only"
	passed=$run_passed failed=$run_failed skipped=$run_skipped
	[ "$failed" -eq 0 ] && finish 0
	finish 1
fi
if [ $install = yes ]; then
	step "packages"
	(packages_install build run check) || stop "packages are missing"
	[ $all = no ] || (packages_install all) || say "what they are for is skipped"
fi
if [ -e config.status ]; then
	stop "the tree itself is configured, which hides build/: make distclean first"
fi
step "autoreconf"
mkdir -p build
autoreconf -fi >build/autoreconf.out 2>&1 || stop "autoreconf failed" build/autoreconf.out

check_build build
[ $sanitize = no ] || check_build build-asan --enable-sanitizers
if [ $all = yes ]; then
	one "make distcheck, with the quick tests" make -C build distcheck-quick
	step "libFuzzer on the readers of Modbus and SNMP"
	PW_BUILD="$PWD/build" sh tests/fuzz/libfuzz.sh 60 >build/libfuzz.log 2>&1
	cat build/libfuzz.log >&2
	passed=$((passed + $(grep -c '^ok ' build/libfuzz.log)))
	failed=$((failed + $(grep -c '^not ok ' build/libfuzz.log)))
	skipped=$((skipped + $(grep -c '^skip ' build/libfuzz.log)))
	if [ -x tests/bench/run ]; then
		one "a short benchmark runs to its end, no cycle late" \
			env PW_BUILD="$PWD/build" tests/bench/run --short
		sed 's/^/    /' build/step.log >&2
	fi
	if [ -x tests/bench/store ]; then
		one "a short benchmark of the store: cost, growth, waiting rows" \
			env PW_BUILD="$PWD/build" tests/bench/store --short
		sed 's/^/    /' build/step.log >&2
	fi
fi

step "done"
[ "$failed" -eq 0 ] && finish 0
finish 1
