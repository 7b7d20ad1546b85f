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
entries=$(sed -n 's/^[[:space:]]*S("\([a-z_]*\)", *"\([a-z][a-z0-9_]*\)", *\([A-Z]*\).*/\1.\2 \3/p' \
	src/config/schema*.c | awk '$2 != "LATER" { print $1 }' | sort -u)
keys=$(echo "$entries" | sed 's/.*\.//' | sort -u)
count=$(echo "$keys" | grep -c .)
if [ "$count" -lt 50 ]; then
	not_ok "the keys are found in the schema ($count, are its lines still S(\"section\", \"key\", TYPE?)"
	finish
fi

page=man/pollwerk.conf.5
if [ -e $page ]; then
	# Explained is a tag of its own below the heading of its section, which may be in the
	# plural: "receiver" and its key "name" below "receivers".
	explained=$(awk '
		/^\.Ss / { section = $2 == "Sections" ? "" : $2 }
		/^\.It Ic / { for (i = 3; i <= NF; i++) print section "." $i }' $page)
	none "$page explains each key in its section" "$(for entry in $entries; do
		section=${entry%.*} key=${entry#*.}
		echo "$explained" | grep -qxF -e "$section.$key" -e "${section}s.$key" ||
			echo "${section:-(top level)}: $key"
	done)"
else
	skip "$page explains each key in its section (it does not exist yet)"
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
