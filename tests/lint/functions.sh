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

# A definition whose first line has type and name, or whose body opens at the end of a line.
findings=$(find src tests -name '*.c' | sort | xargs awk '
	function report(line) { print FILENAME ":" line ": " text }
	FNR == 1 { text = "" }
	/^[A-Za-z_].*\) *\{$/ && !/=/ { text = $0; report(FNR) }
	/^\{/ && text ~ /^[a-z]/ { report(at) }
	/^[A-Za-z_][A-Za-z0-9_ ]* \*?[a-z_][a-z0-9_]*\(/ && !/;$/ { text = $0; at = FNR; next }
	/^[^\t ]|^$/ { text = "" }' /dev/null)
none "the name of a function stands at the left edge, so that grep finds it" "$findings"
finish
