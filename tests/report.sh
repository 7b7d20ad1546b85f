# report.sh - what a test script says: one line per promise, counted by contrib/check.sh.
#
# Source it, call ok, not_ok and skip with a sentence (or check with a command), and end
# with finish. Lines on stdout: "ok - sentence", "not ok - sentence", "skip - sentence".

src=${PW_SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${PW_BUILD:-$PWD}
report_passed=0
report_failed=0
report_skipped=0

ok()
{
	report_passed=$((report_passed + 1))
	echo "ok - $*"
}

not_ok()
{
	report_failed=$((report_failed + 1))
	echo "not ok - $*"
}

skip()
{
	report_skipped=$((report_skipped + 1))
	echo "skip - $*"
}

# check SENTENCE COMMAND...: ok when the command succeeds; its output is shown if not.
check()
{
	report_sentence=$1
	shift
	if report_output=$("$@" 2>&1); then
		ok "$report_sentence"
	else
		not_ok "$report_sentence"
		printf '%s\n' "$report_output" | sed 's/^/    /'
	fi
}

# none SENTENCE FINDINGS: ok when there are no findings; the first are shown if there are.
none()
{
	if [ -z "$2" ]; then
		ok "$1"
	else
		not_ok "$1"
		printf '%s\n' "$2" | sed 's/^/    /; 30q'
	fi
}

# wait_for SECONDS COMMAND...: until the command succeeds; 1 when it never did.
wait_for()
{
	wait_tries=$(($1 * 5))
	shift
	while ! "$@" >/dev/null 2>&1; do
		wait_tries=$((wait_tries - 1))
		[ $wait_tries -gt 0 ] || return 1
		sleep 0.2
	done
}

# lost_slots: of the lines of pollwerk gaps those that lost a slot as something else than time-out
# or overrun, which a busy machine has of its own, or more than a quarter as these.
lost_slots()
{
	awk '{
		busy = 0
		for (i = 8; i < NF; i += 3)
			if ($i == "timeout" || $i == "overrun")
				busy += $(i + 1)
		if ($3 - $6 > busy || busy * 4 > $3)
			print
	}'
}

# Ends the script: 1 after a failure, 77 when everything was skipped.
finish()
{
	[ "$report_failed" -eq 0 ] || exit 1
	[ "$report_passed" -gt 0 ] || exit 77
	exit 0
}
