#!/bin/sh
# layers.sh - who may include whom: the table of rooms in src/README, held.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$src/src" || exit 1

# The table is the one that people read, in src/README: ROOM, two blanks or more, what the
# room may include beside itself and base ("-" for nothing, "all of the above", room/file for
# one header), two blanks, words. A room that is not in it is a finding: decide first what it
# may know. The files of src/ itself wire the rooms together and may include all.
table=$(sed -n '/^Rooms, and what each may include/,/^[A-Z].*:$/p' README | awk -F '   *' '
	/^  [a-z]/ {
		if ($3 == "all of the above") $3 = above
		if ($3 == "-") $3 = ""
		print $2 ":" $3
		above = above " " $2
	}')
[ "$(echo "$table" | wc -l)" -ge 10 ] && ok "the table of rooms is in src/README" ||
	not_ok "the table of rooms is in src/README"
# Stricter than their room: the client half of control knows nothing of the daemon.
files='
control/client.c:
control/client.h:
'
# Libraries: a header or a call as an extended regular expression, "@", and the places that
# may have it.
libraries='
<rrd\.h>@store/ graph/
<libconfig\.h>@config/
<modbus(/modbus)?\.h>@modbus/serial modbus/reference cli/cmd_probe
<net-snmp/@snmp/ notify/ agentx/
<openssl/@base/ backup/ snmp/usm
<event2/http@web/
<event2/(event|thread|buffer|util|dns|listener)@base/ web/
<pthread\.h>@base/
<(ncurses|curses)\.h>@cli/
\<pthread_[a-z_]+ *\(@base/
\<event_(base_)?new[a-z_]* *\(@base/ web/
\<event_base_(loop|dispatch)@base/ web/
\<socket *\(@base/
'

includes=$(find . -name '*.[ch]' | sed 's,^\./,,' | sort |
	xargs awk -v keep=1 -f "$src/tests/lint/strip.awk" /dev/null |
	sed -n 's/^\([^:]*\):\([0-9]*\):[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1 \2 \3/p')

# may FROM-ROOM TO-ROOM HEADER RULE...: whether one of the rules lets it in.
may()
{
	from=$1 to=$2 header=$3
	shift 3
	[ "$to" != "$from" ] && [ "$to" != base ] || return 0
	for rule in "$@"; do
		case $rule in
		"$to" | "$header" | "${header%.h}") return 0 ;;
		esac
	done
	return 1
}
findings=$(echo "$includes" | while read -r file line header; do
	[ -n "$file" ] || continue
	case $file in
	*/*) room=${file%%/*} ;;
	*) continue ;;
	esac
	case $header in
	*/*) to=${header%%/*} ;;
	*) echo "$file:$line: \"$header\": include it as \"room/file.h\""; continue ;;
	esac
	rules=$(echo "$files" | sed -n "s,^$file:,-,p")
	[ -n "$rules" ] || rules=$(echo "$table" | sed -n "s,^$room:,-,p")
	if [ -z "$rules" ]; then
		echo "$file:$line: room \"$room\" is not in the table of src/README"
	elif ! may "$room" "$to" "$header" ${rules#-}; then
		echo "$file:$line: $room/ must not include \"$header\""
	fi
done)
none "every room includes only what the table of layers allows" "$findings"

code=$(find . -name '*.[ch]' | sed 's,^\./,,' | sort |
	xargs awk -f "$src/tests/lint/strip.awk" /dev/null)
findings=$(echo "$libraries" | while IFS='@' read -r what places; do
	[ -n "$what" ] || continue
	echo "$code" | grep -E "^[^:]*:[0-9]+:.*$what" | while read -r hit; do
		allowed=no
		for place in $places; do
			case $hit in "$place"*) allowed=yes ;; esac
		done
		[ $allowed = yes ] || echo "$hit   (only in: $places)"
	done
done 2>&1)
none "each library and primitive stays in the rooms that own it" "$findings"

cd "$src/tests" || exit 1
findings=$(find sim -name '*.[ch]' -exec grep -nE '^ *# *include *"(snmp|modbus)/' {} +)
none "the simulators share no code with the engines that they test" "$findings"
findings=$(cd "$src/src" && grep -rnE '^ *# *include *"(\.\.|tests)/' .)
none "no file of src/ reaches into tests/ or out of the tree" "$findings"
finish
