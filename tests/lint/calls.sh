#!/bin/sh
# calls.sh - what the code must not call or name, and why.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$src" || exit 1

code=$(find src -name '*.[ch]' | sort | xargs awk -f tests/lint/strip.awk /dev/null)

# without SENTENCE REGEX: no code of src/ matches.
without()
{
	none "$1" "$(echo "$code" | grep -E "^[^:]*:[0-9]+:(.*[^A-Za-z0-9_])?($2)")"
}
without "SNMP uses single sessions and large fd sets only (fds above 1024, no global list)" \
	'(snmp_select_info|snmp_sess_select_info|snmp_read|snmp_sess_read|snmp_timeout|snmp_open|snmp_send|snmp_async_send|snmp_synch_[a-z_]+|snmp_sess_synch_[a-z_]+) *\('
without "nothing can write to a PLC: no call of a writing libmodbus function" \
	'(modbus_(write|mask_write)[a-z_]*|modbus_send_raw_request) *\('
without "nothing can write to a switch: SNMP SET is not even named" '(SNMP_MSG_SET|SNMP_MSG_INTERNAL_SET[A-Z_0-9]*)'
none "numbers do not depend on a locale: only base/str deals with one" \
	"$(echo "$code" | grep -vE '^src/base/str\.c:' | grep -E '(setlocale|newlocale|uselocale) *\(')"
without "nobody sets the locale of the process" 'setlocale *\('
without "no string function without a bound" '(sprintf|vsprintf|strcpy|strcat|stpcpy|gets|strtok) *\('
without "no shell is ever run" '(system|popen|wordexp|execlp|execvp|execvpe) *\('
without "no blocking name lookup, no blocking sleep, no select" \
	'(gethostbyname2?(_r)?|gethostbyaddr|select|pselect|sleep|usleep) *\('

none "no file names a place of the machine it was written on" \
	"$(grep -rnE '/(work|root)/|/home/[a-z]' src conf man mibs contrib tests README.md \
		--include='*' 2>/dev/null | grep -v '^tests/lint/calls.sh:' | grep -v '/home/user')"
none "no #ifdef outside base/" \
	"$(grep -rnE '^ *# *(ifdef|if) ' src --include='*.[ch]' | grep -v '^src/base/')"
finish
