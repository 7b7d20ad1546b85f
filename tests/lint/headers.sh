#!/bin/sh
# headers.sh - every header compiles alone, and guards itself.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$src" || exit 1

flags=${PW_CPPFLAGS:-"-D_GNU_SOURCE -Isrc $(pkg-config --cflags netsnmp libmodbus \
	libevent_core librrd libconfig jansson cmocka)"}
headers=$(find src tests -name '*.h' | sort)
none "every header compiles alone" \
	"$(${CC:-gcc} $flags -Itests -fsyntax-only -Wall -x c $headers 2>&1)"

findings=$(for header in $headers; do
	awk -v file="$header" '
		/^#ifndef [A-Z][A-Z0-9_]+_H$/ && !guard { guard = $2 }
		$1 == "#define" && $2 == guard { defined = 1 }
		END { if (!defined) print file ": no guard ..._H" }' "$header"
	sed -n 's/^#ifndef \([A-Z][A-Z0-9_]*_H\)$/\1/p' "$header" | head -n 1
done | sort | uniq -c | awk '$2 ~ /:$/ { $1 = ""; print } $2 !~ /:$/ && $1 > 1 { print $2 ": guards " $1 " headers" }')
none "every header has a guard of its own" "$findings"
finish
