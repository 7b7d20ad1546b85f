#!/bin/sh
# keys.sh - every key that the configuration takes is explained in the manual page and
# shown in the example.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$src" || exit 1

if ! ls src/config/schema*.c >/dev/null 2>&1; then
	skip "every key of the configuration is documented (there is no schema yet)"
	finish
fi
# An entry of the table is S("SECTION", "KEY", TYPE, ...). LATER is refused with a sentence,
# so it needs no page of the manual.
keys=$(sed -n 's/^[[:space:]]*S("\([a-z_]*\)", *"\([a-z][a-z0-9_]*\)", *\([A-Z]*\).*/\1 \2 \3/p' \
	src/config/schema*.c | awk '$NF != "LATER" { print $(NF - 1) }' | sort -u)
count=$(echo "$keys" | grep -c .)
if [ "$count" -lt 50 ]; then
	not_ok "the keys are found in the schema ($count, are its lines still S(\"section\", \"key\", TYPE?)"
	finish
fi

page=man/pollwerk.conf.5
if [ -e $page ]; then
	# A word of its own: "interval" is not explained by "intervals".
	none "$page explains each of the $count keys" "$(for key in $keys; do
		sed 's/\\-/-/g; s/\\&//g' $page | grep -qwF -e "$key" || echo "$key"
	done)"
else
	skip "$page explains each of the $count keys (it does not exist yet)"
fi
example=conf/pollwerk.conf.example
if [ -e $example ]; then
	none "$example shows each of the $count keys" "$(for key in $keys; do
		grep -qE "(^|[^A-Za-z0-9_])$key *[=:]" $example || echo "$key"
	done)"
else
	skip "$example shows each of the $count keys (it does not exist yet)"
fi
finish
