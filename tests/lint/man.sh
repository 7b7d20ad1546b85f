#!/bin/sh
# man.sh - the manual pages are clean.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$src" || exit 1

pages=$(find man -name '*.[1-8]' | sort)
if [ -z "$pages" ]; then
	skip "mandoc finds nothing in the manual pages (there are none yet)"
elif ! command -v mandoc >/dev/null; then
	skip "mandoc finds nothing in the manual pages (apt-get install mandoc)"
else
	none "mandoc finds nothing in the manual pages" \
		"$(mandoc -T lint -W warning $pages 2>&1 | grep -vE 'referenced manual not found')"
fi
finish
