#!/bin/sh
# functions.sh - no function over 120 lines, the return type on a line of its own.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$src" || exit 1

# The style is what makes this simple: a name at the left edge, then "{" and "}" alone there.
findings=$(find src tests -name '*.c' | sort | xargs awk '
	FNR == 1 { name = ""; inside = 0 }
	/^[A-Za-z_][A-Za-z0-9_]*\(/ && !inside { name = $0; sub(/\(.*/, "", name); start = FNR }
	/^{/ && name != "" { inside = 1 }
	/^}/ {
		if (inside && FNR - start + 1 > 120)
			print FILENAME ":" start ": " name " has " FNR - start + 1 " lines"
		inside = 0
		name = ""
	}' /dev/null)
none "no function has more than 120 lines" "$findings"

findings=$(find src -name '*.c' | sort | xargs grep -nE \
	'^(static |const |struct |enum |unsigned |void |int |bool |char |double |u?int[0-9]+_t |s?size_t )[^=;]*\)( \{)?$' /dev/null |
	grep -vE '__attribute__|^[^:]*:[0-9]*:[^(]*\(\*')
none "the name of a function stands at the left edge, so that grep finds it" "$findings"
finish
