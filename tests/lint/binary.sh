#!/bin/sh
# binary.sh - what the linked programs are, whatever the sources say.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

for tool in readelf nm; do
	command -v $tool >/dev/null && continue
	skip "the programs are hardened ($tool is missing: apt-get install binutils)"
	finish
done
has() { readelf -lhdW "$1" 2>/dev/null | grep -qE "$2"; }

programs=
for program in pollwerkd pollwerk pollwerk-agentx; do
	[ ! -x $program ] || programs="$programs $program"
done
[ -n "$programs" ] || not_ok "there is a program to look at in $build"

# Two of one name, and the linker would silently take ours for the library's.
library=$(ldd pollwerkd 2>/dev/null | sed -n 's/.*libmodbus[^ ]* => \([^ ]*\).*/\1/p')
[ -z "$library" ] || none "no function of ours has the name of one of libmodbus" \
	"$(nm -D --defined-only "$library" | sed 's/.* //' | sort >names.modbus
	nm libpollwerk.a 2>/dev/null | awk '$2 == "T" { print $3 }' | sort -u | comm -12 - names.modbus
	rm -f names.modbus)"

for program in $programs; do
	none "$program has no function that writes to a PLC" \
		"$(nm "$program" | grep -E 'modbus_(write|mask_write)|modbus_send_raw_request')"
	[ "$program" != ./pollwerkd ] && [ "$program" != pollwerkd ] ||
		none "the daemon reads nothing by libmodbus, which blocks" \
			"$(nm "$program" | grep -E 'modbus_(read|report|receive)')"
	none "$program exports nothing of its own" \
		"$(nm -D --defined-only "$program" | grep -vE ' (_init|_fini|_IO_stdin_used|__[a-z_]*|_edata|_end|data_start|environ|std(in|out|err)|opt(arg|ind|err|opt)|asan|ubsan)|@' |
			grep -E ' [TDR] ')" # B: data of a library, copied here by the linker
	if ! grep -q '^S\["enable_hardening"\]="yes"' config.status; then
		skip "$program is hardened (configured without hardening)"
		continue
	fi
	check "$program is position independent" has "$program" 'Type: +DYN'
	check "$program has its relocations read-only" has "$program" 'GNU_RELRO'
	check "$program binds all symbols at start" has "$program" 'BIND_NOW|Flags:.*NOW'
	check "$program has no executable stack" has "$program" 'GNU_STACK.* RW +0x'
	check "$program loads its libraries from the system only" \
		eval "! has $program 'RPATH|RUNPATH'"
	check "$program has no writable code" eval "! has $program 'TEXTREL|LOAD .* RWE '"
done
if grep -q '^S\["enable_hardening"\]="yes"' config.status; then
	check "the code is built with stack protection" \
		eval "nm libpollwerk.a | grep -q ' U __stack_chk_fail'"
	if grep -q '^S\["CFLAGS"\]=".*-O[1-9s]' config.status; then
		check "the code is built with checked string functions" \
			eval "nm libpollwerk.a | grep -qE ' U __[a-z]+_chk$'"
	fi
fi
finish
