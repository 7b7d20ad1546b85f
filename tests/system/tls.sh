#!/bin/sh
# tls.sh - the daemon on lines over TLS, to servers of Python's ssl in front of a server built on
# libmodbus, and to pymodbus' own: with the right certificates values come, else it is said what
# is wrong with them, and a line beside them is never late. Certificates are made by openssl.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
for tool in openssl python3; do
	if ! command -v $tool >/dev/null; then
		skip "lines over TLS (apt-get install $tool)"
		finish
	fi
done
. "$src/tests/system/plant.sh"
umask 077

# ---- certificates ----
# made NAME SUBJECT SIGNER OPTION...: $work/NAME.pem and .key.
made()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$1.key" \
		-out "$work/$1.csr" -subj "/CN=$2" &&
		openssl x509 -req -in "$work/$1.csr" -CA "$work/$3.pem" -CAkey "$work/$3.key" \
			-extfile "$work/extensions" -extensions "$4" -out "$work/$1.pem" -days "$5"
}
authority()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$1.key" \
		-out "$work/$1.pem" -subj "/CN=$1" -days 3650
}
cat >"$work/extensions" <<'END'
[server]
subjectAltName = IP:127.0.0.1, DNS:plc.plant
[client]
extendedKeyUsage = clientAuth
1.3.6.1.4.1.50316.802.1 = ASN1:UTF8String:reader
END
{
	authority ca && authority other && made server plc ca server 365 &&
		made expired plc ca server -1 && made client pollwerk ca client 12 &&
		made renewed pollwerk-2 ca client 365
} >"$work/openssl.log" 2>&1 || not_ok "certificates are made: $(tail -n 3 "$work/openssl.log")"

# ---- servers ----
: >"$work/ready"
tests/sim/libmodbus_server --listen 127.0.0.1:0 --log "$work/log" >"$work/ready" 2>&1 &
started="$started $!"
wait_for 10 grep -q '^ready' "$work/ready"
python3 "$src/tests/system/tls_peers.py" "$work" "$(sed -n 's/^ready .*://p' "$work/ready")" \
	>"$work/peers.out" 2>&1 &
started="$started $!"
for python in python3 /usr/bin/python3 none; do
	! "$python" -c 'import pymodbus' 2>/dev/null || break
done
if [ "$python" != none ]; then
	"$python" "$src/tests/system/pymodbus_server.py" "$work/pymodbus" "$work/server.pem" \
		"$work/server.key" "$work/ca.pem" >"$work/pymodbus.out" 2>&1 &
	started="$started $!"
	wait_for 30 [ -s "$work/pymodbus" ] || python=none
fi
if ! wait_for 30 [ -s "$work/ports" ]; then
	not_ok "the servers are there: $(tail -n 1 "$work/peers.out")"
	finish
fi

# ---- the plant ----
ours='certificate = "client.pem"; key = "client.key";'
separator=
# device NAME PORT MORE: with one register.
device()
{
	cat <<-END
	$separator { name = "$1"; address = "127.0.0.1"; interval = "1s"; modbus = { port = $2; unit_id = 1;
	  connect_timeout = "500ms"; timeout = "2s"; $3 };
	  points = ( { name = "p"; function = 3; pdu = 100; type = "u16"; } ); }
	END
	separator=,
}
# secure NAME WHAT: over TLS with that group.
secure()
{
	device "$1" "$(sed -n "s/^$1 //p" "$work/ports")" "transport = \"tls\"; tls = { $2 };"
}
{
	cat <<-END
	poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
	          rrd_dir = "$work/rrd"; templates = [ ]; };
	store: { flush = "1s"; profile = "short"; };
	devices: (
	END
	device healthy "$(sed -n 's/^healthy //p' "$work/ports")"
	secure good "ca = \"ca.pem\"; $ours"
	secure older "ca = \"ca.pem\"; server_name = \"plc.plant\"; $ours"
	secure open "ca = \"ca.pem\";"
	secure expired "ca = \"ca.pem\"; $ours"
	secure wrong-ca "ca = \"other.pem\"; $ours"
	secure wrong-name "ca = \"ca.pem\"; server_name = \"plc-2.plant\"; $ours"
	secure demands "ca = \"ca.pem\";"
	secure strict "ca = \"ca.pem\"; $ours"
	secure plain "ca = \"ca.pem\"; $ours"
	secure silent "ca = \"ca.pem\"; $ours"
	secure reset "ca = \"ca.pem\"; $ours"
	[ "$python" = none ] || device pymodbus "$(cut -d ' ' -f 1 "$work/pymodbus")" \
		"transport = \"tls\"; tls = { ca = \"ca.pem\"; $ours };"
	echo ');'
} >"$work/pollwerk.conf"

# ---- before it starts ----
$pollwerk check >"$work/check" 2>&1
check "check takes the configuration" [ $? -eq 0 ]
check "check shows the role in our certificate" \
	grep -q 'client.pem (CN = pollwerk): role "reader", ends on 20' "$work/check"
check "check warns of a certificate that ends in 12 days" \
	grep -q 'warning: certificate "client.pem": expires in 1[12] days, on 20' "$work/check"
chmod 0644 "$work/client.key"
$pollwerk check >"$work/check" 2>&1
check "check refuses a key that everybody may read" \
	grep -q 'key ".*client.key": is a private key, and others' "$work/check"
chmod 0600 "$work/client.key"

# ---- while it runs ----
# said DEVICE WORDS: the last error of that device has these words, an extended expression.
said()
{
	$pollwerk devices | grep -qE "^$1 +down .*($2)"
}
value() { $pollwerk values | awk -v path="$1/p" '$1 == path && $NF == "good" { print $2 }'; }
same() { [ -n "$(value healthy)" ] && [ "$(value "$1")" = "$(value healthy)" ]; }

begin_daemon
for name in good older open; do
	check "values come over TLS: $name" wait_for 20 same $name
done
sentence="values come over TLS from pymodbus, with a client certificate"
if [ "$python" = none ]; then
	skip "$sentence: python3-pymodbus is not here"
else
	expected=$(cut -d ' ' -f 2 "$work/pymodbus")
	pymodbus_right() { [ "$(value pymodbus)" = "$expected" ]; }
	check "$sentence" wait_for 20 pymodbus_right
fi
check "TLS 1.3 with our certificate" grep -q '^good: TLSv1.3 from pollwerk$' "$work/peers.log"
check "TLS 1.2 with our certificate" grep -q '^older: TLSv1.2 from pollwerk$' "$work/peers.log"
check "without one where none is asked for" grep -q '^open: TLSv1.. from nobody$' "$work/peers.log"

while read -r name words; do
	check "it is said: $words" wait_for 20 said "$name" "$words"
done <<'END'
expired certificate has expired: it ended on 20
wrong-ca not signed by our CA
wrong-name name does not match: the server.s certificate is for 127.0.0.1, plc.plant, not for plc-2.plant
demands asks for a client certificate|asked for a client certificate
strict does not accept our certificate: unknown CA|reset|closed
plain no answer to the TLS handshake|not TLS|in the TLS handshake
silent no answer to the TLS handshake
reset (reset|closed) by the other side in the TLS handshake
END

status_warns() { $pollwerk status | grep -q '^tls .*ours there, expires in '; }
check "status warns of the certificate that ends first" status_warns

# ---- a renewed certificate ----
mv "$work/renewed.pem" "$work/client.pem"
mv "$work/renewed.key" "$work/client.key"
check "a reload with renewed files is taken" $pollwerk reload
renewed() { grep -q '^good: TLSv1.3 from pollwerk-2$' "$work/peers.log"; }
check "the next connection is made with them" wait_for 20 renewed
check "and values come" wait_for 20 same good
status_fine() { ! $pollwerk status | grep -q '^tls '; }
check "status warns no more" wait_for 20 status_fine

# ---- the end ----
overruns() { $pollwerk gaps healthy 2>/dev/null | grep -E 'overrun|timeout|unreachable'; }
none "the plain line beside them lost nothing" "$(overruns)"
end_daemon
closed() { [ "$(grep -c '^good: close_notify, fin$' "$work/peers.log")" -ge 2 ]; }
check "each connection ended by close_notify and FIN" wait_for 10 closed
none "and none in another way" \
	"$(grep -E '^(good|older|open): [a-zA-Z]* *(close_notify|no close_notify|.*Error)' "$work/peers.log" |
		grep -v ': close_notify, fin$')"
finish
