#!/bin/sh
# count.sh - the count that contrib/check.sh ends with is right, for bad ends too.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# counts SENTENCE LINE: what the logs made by result so far must come to.
counts()
{
	line=$(sh "$src/contrib/check.sh" --count "$work")
	[ "$line" = "$2" ] && ok "$1" || not_ok "$1: \"$line\" instead of \"$2\""
	rm -f "$work"/*
}
# result NAME VERDICT LOG-LINE...: what automake leaves behind of one test program.
result()
{
	echo ":test-result: $2" >"$work/$1.trs"
	log=$work/$1.log
	shift 2
	printf '%s\n' "$@" >"$log"
}

result unit PASS '[ RUN      ] a' '[       OK ] a' '[ RUN      ] b' '[       OK ] b' \
	'[==========] 2 test(s) run.' '[  PASSED  ] 2 test(s).'
result script PASS 'ok - one' 'ok - two' 'skip - three'
counts "unit tests and lines of scripts are added up" "4 passed, 0 failed, 1 skipped"

result unit FAIL '[ RUN      ] a' '[       OK ] a' '[ RUN      ] b' '[  FAILED  ] b' \
	'[==========] 2 test(s) run.' '[  PASSED  ] 1 test(s).' \
	'[  FAILED  ] 1 test(s), listed below:' '[  FAILED  ] b' ' 1 FAILED TEST(S)'
counts "a failed unit test counts once, though cmocka names it twice" "1 passed, 1 failed"

result crash FAIL '[ RUN      ] a' '[       OK ] a' '[ RUN      ] b' 'Segmentation fault'
counts "a crash counts as a failure beside what passed before it" "1 passed, 1 failed"

result leak FAIL 'ok - one' 'ERROR: LeakSanitizer: detected memory leaks'
counts "a program that passes all and still ends badly is a failure" "1 passed, 1 failed"

result error ERROR 'cannot run'
counts "a test that could not run is a failure" "0 passed, 1 failed"

result silent PASS 'nothing in particular'
result gone SKIP 'nothing in particular'
counts "a test without lines of its own counts as one" "1 passed, 0 failed, 1 skipped"

result words PASS 'okay' 'not okay' 'skipping' 'ok - one'
counts "words that only begin alike do not count" "1 passed, 0 failed"
finish
