#!/bin/sh
# rights.sh - whose files they are: the daemon as root with a user to become, members of its
# group who only look, folders that somebody made beforehand.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1

if [ "$(id -u)" != 0 ] || ! id daemon >/dev/null 2>&1; then
	skip "the daemon gives up root's rights and says what is missing (only as root)"
	finish
fi
work=$(mktemp -d) || exit 1
daemon=
trap 'kill $daemon 2>/dev/null; wait; rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/bin" && cp pollwerk "$work/bin/"
printf 'nms = "hidden";\n' >"$work/secrets.conf"
chmod 400 "$work/secrets.conf"
# Nobody listens on port 1: a device that is down is enough.
cat >"$work/pollwerk.conf" <<END
poller: { name = "rights"; user = "daemon"; interval = "1s"; secrets = "secrets.conf";
  templates = [ ]; state_dir = "$work/var/state"; rrd_dir = "$work/var/rrd";
  run_dir = "$work/var/run"; };
receivers: ( { name = "nms"; address = "127.0.0.1:1"; community = "@cred:nms"; } );
devices: ( { name = "plc"; address = "127.0.0.1"; modbus = { transport = "tcp"; port = 1;
  unit_id = 1; }; points = ( { name = "x"; function = 3; pdu = 0; type = "u16"; } ); } );
END
as_member()
{
	setpriv --reuid=65534 --regid="$(id -g daemon)" --clear-groups \
		"$work/bin/pollwerk" -c "$work/pollwerk.conf" "$@" 2>&1
}
as_stranger()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$work/bin/pollwerk" -c "$work/pollwerk.conf" "$@" 2>&1
}

mkdir -p "$work/old/state"
sed "s,/var/,/old/,g" "$work/pollwerk.conf" >"$work/old.conf"
said=$(timeout 20 ./pollwerkd -f -c "$work/old.conf" 2>&1)
case $?:$said in
"1:$work/old/state: poller.user \"daemon\" may not write there: chown -R daemon $work/old/state")
	ok "a folder that is root's is named at the start, with the way out" ;;
*) not_ok "a folder that is root's is named at the start, with the way out" "$said" ;;
esac

./pollwerkd -f -c "$work/pollwerk.conf" >"$work/log" 2>&1 &
daemon=$!
tries=0
until as_member status >/dev/null || [ $tries -ge 100 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
said=$(as_member status) && ok "a member of the group sees the status" ||
	not_ok "a member of the group sees the status" "$said"
tries=0
until as_member values plc/up | grep -q good || [ $tries -ge 100 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
said=$(as_member values plc/up) && ok "and values, though the secrets are not for him" ||
	not_ok "and values, though the secrets are not for him" "$said"
said=$(as_member reload) && not_ok "but may not reload" "$said" || case $said in
*"needs the role operate"*) ok "but may not reload" ;;
*) not_ok "but may not reload" "$said" ;;
esac
said=$(as_stranger values)
case $?:$said in
1:*"Permission denied (be root, or in the group of poller.user)"*)
	ok "who is no member learns what to become" ;;
*) not_ok "who is no member learns what to become" "$said" ;;
esac
as_member values >/dev/full && not_ok "output that does not fit is no success" ||
	ok "output that does not fit is no success"
grep -q hidden "$work/log" && not_ok "no secret is in the log" || ok "no secret is in the log"
owners=$(ps -o user= --ppid $daemon | sort -u | tr -d ' ')
[ "$owners" = daemon ] && ok "both roles run as the user" ||
	not_ok "both roles run as the user" "$owners"
finish
