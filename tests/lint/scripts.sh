#!/bin/sh
# scripts.sh - the tree is whole: every test runs, every script can, every shell text is one.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$src" || exit 1

lists=$(cat Makefile.am $(find src conf mibs man contrib tests -name '*.am'))

findings=$(for test in ${PW_SYSTEM_TESTS:-$(ls tests/lint/*.sh)}; do
	[ ! -e "$test" ] || [ -x "$test" ] || echo "$test"
done)
none "every test script is executable" "$findings"

findings=$(for test in tests/unit/*/test_*.c; do
	echo "$lists" | grep -qF "${test%.c}" || echo "$test"
done)
none "every unit test is built" "$findings"

findings=$(for file in $(find src tests -name '*.[ch]') $(find tests contrib mibs conf man \
	-type f ! -name '*.[cho]' ! -name '*.am' ! -name '.*' ! -name '*.log' ! -name '*.trs' \
	! -name '*.pyc' ! -perm -u+x) $(find tests contrib -name '*.sh' -o -name '*.py'); do
	case $file in tests/unit/*/test_* | */__pycache__/*) continue ;; esac
	echo "$lists" | grep -qF "$file" && continue
	echo "$lists" | grep -qF "${file%/*}/\$" && continue
	echo "$lists" | grep -qxF "EXTRA_DIST += ${file%/*}" && continue # a whole directory
	echo "$file"
done | sort -u)
none "make dist leaves no file behind" "$findings"

findings=$(find tests contrib .ci -type f 2>/dev/null | while read -r file; do
	case $(head -c 64 "$file" | head -n 1 | tr -d '\0') in
	'#!/bin/sh'*) sh -n "$file" 2>&1 ;;
	'#!/bin/bash'*) bash -n "$file" 2>&1 ;;
	esac
done)
none "every shell script can be parsed" "$findings"

findings=$(find src tests -name '*.[ch]' -exec grep -nE '[ 	]+$' {} + | head -n 20)
none "no line of code ends in blanks" "$findings"
finish
