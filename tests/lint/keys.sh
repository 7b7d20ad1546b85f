#!/bin/sh
# keys.sh - every key that the configuration takes is explained in the manual page and
# shown in the example.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$src" || exit 1

schema=src/config/schema.c
if [ ! -e $schema ]; then
	skip "every key of the configuration is documented ($schema does not exist yet)"
	finish
fi
# A key is the first text of an entry of the schema tables.
keys=$(sed -n 's/^[[:space:]]*\({\|[A-Z_]*(\) *"\([a-z][a-z0-9_]*\)" *,.*/\2/p' $schema | sort -u)
if [ -z "$keys" ]; then
	not_ok "the keys are found in $schema"
	finish
fi
for page in man/pollwerk.conf.5 conf/pollwerk.conf.example; do
	if [ ! -e $page ]; then
		skip "$page has every key (it does not exist yet)"
		continue
	fi
	# A word of its own: "interval" is not explained by "intervals".
	none "$page has every key" "$(for key in $keys; do
		sed 's/\\-/-/g; s/\\&//g' $page | grep -qwF "$key" || echo "$key"
	done)"
done
finish
