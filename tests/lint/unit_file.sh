#!/bin/sh
# unit_file.sh - the systemd unit is one, and gives the daemon little.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"

unit=$build/contrib/systemd/pollwerk.service
[ -e "$unit" ] || not_ok "$unit is built"
none "the unit has no place left to fill in" "$(grep -n '@[a-z]*dir@' "$unit")"
if ! command -v systemd-analyze >/dev/null; then
	skip "systemd-analyze accepts the unit (apt-get install systemd)"
	finish
fi

# verify wants the programs to be where they will be installed, and the manual installed.
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
sed -e 's,^ExecStart=[^ ]*,ExecStart=/bin/true,' -e '/^Documentation=/d' "$unit" \
	>"$work/pollwerk.service"
none "systemd-analyze accepts the unit" \
	"$(systemd-analyze verify "$work/pollwerk.service" 2>&1 | grep -F pollwerk.service)"
check "systemd-analyze calls the exposure small (at most 2.0 of 10)" systemd-analyze \
	security --no-pager --offline=true --threshold=20 "$work/pollwerk.service"
finish
