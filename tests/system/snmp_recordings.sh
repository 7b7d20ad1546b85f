#!/bin/sh
# snmp_recordings.sh - the SNMP driver against recordings of real devices, played by snmpsimd:
# the interface tables as Net-SNMP's snmpbulkwalk sees them, and every record in a walk.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"

recordings=$src/../shared/recordings
[ -d "$recordings" ] || recordings=$PW_RECORDINGS
if [ ! -d "$recordings" ]; then
	skip "no recordings of devices in ../shared/recordings"
	finish
fi
for program in snmpsimd snmpbulkwalk snmpwalk snmpgetnext; do
	command -v $program >/dev/null && continue
	skip "$program is not installed"
	finish
done

dir=$(mktemp -d) || exit 1
server=
trap 'kill $server 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
mkdir "$dir/data" "$dir/cache"
cp "$recordings"/*.snmprec "$dir/data"
chmod 755 "$dir" "$dir/data"
chmod 644 "$dir"/data/*
chmod 777 "$dir/cache"
user=
[ "$(id -u)" -ne 0 ] || user='--process-user=nobody --process-group=nogroup'

# A port that nobody has, as far as a look can tell; the next one if it was taken meanwhile.
start()
{
	for port in $(seq $((20000 + $$ % 10000)) 7 $((20100 + $$ % 10000))); do
		grep -qi ":$(printf %04X "$port") " /proc/net/udp && continue
		# shellcheck disable=SC2086
		snmpsimd --data-dir="$dir/data" --cache-dir="$dir/cache" $user \
			--agent-udpv4-endpoint=127.0.0.1:"$port" >"$dir/log" 2>&1 &
		server=$!
		for _ in $(seq 100); do
			snmpgetnext -v2c -c comtrol-es8510 -m '' -t 0.3 -r 0 127.0.0.1:"$port" 1.3 \
				>/dev/null 2>&1 && return 0
			kill -0 $server 2>/dev/null || break
			sleep 0.1
		done
		kill $server 2>/dev/null
	done
	return 1
}
if ! start; then
	not_ok "snmpsimd plays the recordings"
	sed 's/^/    /; 10q' "$dir/log"
	finish
fi

# expected COMMUNITY VERSION PROGRAM: what the driver should tell of the interfaces, from
# snmpbulkwalk's lines: rows by index,
# named by ifName, else ifDescr, else the index; later ones of a name get "#INDEX".
expected()
{
	for column in 31.1.1.1.1 2.2.1.2 31.1.1.1.6 2.2.1.10 31.1.1.1.10 2.2.1.16 2.2.1.5 \
		31.1.1.1.15 2.2.1.7 2.2.1.8 2.2.1.13 2.2.1.14; do
		$3 "-v$2" -c "$1" -m '' -Onq -t 2 127.0.0.1:"$port" 1.3.6.1.2.1.$column |
			grep -v 'No Such' | sed -n "s/^\.1\.3\.6\.1\.2\.1\.$column\./$column /p"
	done | awk '
		{
			column = $1; index_ = $2 + 0; value = $0
			sub(/^[^ ]* [^ ]* ?/, "", value)
			gsub(/"/, "", value); gsub(/^ +| +$/, "", value)
			cell[column, index_] = value; has[column, index_] = 1
			if (!(index_ in seen)) { seen[index_] = 1; all[++n] = index_ }
		}
		function put(key, point, a, b, i) {
			if ((a, i) in has) print key "|" point "|" cell[a, i]
			else if (b != "" && (b, i) in has) print key "|" point "|" cell[b, i]
			else print key "|" point "|no-such-object"
		}
		END {
			for (i = 2; i <= n; i++)
				for (k = i; k > 1 && all[k - 1] > all[k]; k--) {
					t = all[k]; all[k] = all[k - 1]; all[k - 1] = t
				}
			for (k = 1; k <= n; k++) {
				i = all[k]
				key = cell["31.1.1.1.1", i]
				if (key == "") key = cell["2.2.1.2", i]
				if (key == "") key = i ""
				if (key in taken) key = key "#" i
				taken[key] = 1
				put(key, "in", "31.1.1.1.6", "2.2.1.10", i)
				put(key, "in32", "2.2.1.10", "", i)
				put(key, "out", "31.1.1.1.10", "2.2.1.16", i)
				put(key, "out64", "31.1.1.1.10", "", i)
				put(key, "speed", "2.2.1.5", "", i)
				put(key, "high_speed", "31.1.1.1.15", "", i)
				put(key, "admin", "2.2.1.7", "", i)
				put(key, "oper", "2.2.1.8", "", i)
				put(key, "discards", "2.2.1.13", "", i)
				put(key, "errors", "2.2.1.14", "", i)
			}
		}' | sort
}

# same SENTENCE WANTED IS: two sorted files are the same.
same()
{
	diff "$2" "$3" >"$dir/diff" 2>&1 && [ -s "$2" ] && ok "$1" && return
	not_ok "$1"
	sed 's/^/    /; 12q' "$dir/diff"
}

poll()
{
	"$build/tests/system/snmp_poll" 127.0.0.1 "$port" "$@"
}

for file in "$recordings"/*.snmprec; do
	name=$(basename "$file" .snmprec)
	rows=$(grep -cE '^1\.3\.6\.1\.2\.1\.(2\.2\.1\.(2|5|7|8|10|13|14|16)|31\.1\.1\.1\.(1|6|10|15))\.' "$file")
	if [ "$rows" -gt 0 ]; then
		expected "$name" 2c snmpbulkwalk >"$dir/wanted"
		poll "$name" 2 interfaces 2>"$dir/errors" | sort >"$dir/is"
		same "$name: $(wc -l <"$dir/wanted") cells of its interfaces as snmpbulkwalk reads them" \
			"$dir/wanted" "$dir/is"
	fi
	# Every record, by OID and type; numbers by value as well.
	awk -F '|' 'BEGIN {
			split("2 INTEGER,4 OCTET STRING,5 NULL,6 OBJECT IDENTIFIER,64 IpAddress," \
				"65 Counter32,66 Gauge32,67 TimeTicks,68 Opaque,70 Counter64", t, ",")
			for (i in t) { n = index(t[i], " "); type[substr(t[i], 1, n - 1)] = substr(t[i], n + 1) }
		}
		{
			tag = $2; hex = sub(/x$/, "", tag)
			print $1 "|" (tag == 68 && $3 ~ /^9f7[89]/ ? "Opaque float" : type[tag]) "|" \
				(tag ~ /^(2|65|66|67|70)$/ && !hex ? $3 : "")
		}' "$file" | sort >"$dir/wanted"
	for root in 1.0 1.3; do
		poll "$name" 2 walk $root 2>"$dir/errors"
	done | awk -F '|' '
		{ print $1 "|" $2 "|" ($2 ~ /^(INTEGER|Counter32|Gauge32|TimeTicks|Counter64)$/ ? $3 : "") }' |
		sort >"$dir/is"
	same "$name: a walk returns all $(wc -l <"$dir/wanted") records, types and numbers" \
		"$dir/wanted" "$dir/is"
done

# Version 1, which has no Counter64: the 32-bit columns are all there is.
expected comtrol-es8510 1 snmpwalk >"$dir/wanted"
poll comtrol-es8510 1 interfaces 2>"$dir/errors" | sort >"$dir/is"
same "comtrol-es8510: the same with version 1" "$dir/wanted" "$dir/is"
finish
