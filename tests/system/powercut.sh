#!/bin/sh
# powercut.sh - the power goes at random instants while a daemon polls and stores: at most one
# commit interval of samples is lost and said to be, no row is wrong, no file is half made.
#   CUTS=50 SEED=1 tests/system/powercut.sh    cuts for each of ext4 and xfs (2); make
#   powercut takes 50
# The power cut is the file system's own shutdown: what it had not written is gone, whatever
# the page cache says. Before some of them single pages of RRD files are written, so that
# newer pages stand beside older ones. Then all processes are killed, the disk is mounted
# again, RUN_DIR is empty and the machine has a new boot id (a file over the kernel's in a
# mount namespace of our own), as after a real one.
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
PATH=$PATH:/usr/sbin:/sbin
for tool in rrdtool python3 mkfs.ext4; do
	if ! command -v $tool >/dev/null; then
		skip "power cuts (apt-get install rrdtool python3 e2fsprogs xfsprogs)"
		finish
	fi
done
if [ -z "$PW_OWN_MOUNTS" ] && [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	PW_OWN_MOUNTS=yes exec unshare -m "$0"
fi
if [ -z "$PW_OWN_MOUNTS" ]; then
	skip "power cuts (needs root and mounts)"
	finish
fi
. "$src/tests/system/plant.sh"
mount --make-rprivate / 2>/dev/null
cuts=${CUTS:-2}
seed=${SEED:-$(date +%s)}
echo "# $cuts cuts for each file system, seed $seed"

begin_sim snmp snmp_sim --listen 127.0.0.1:0 --agents 2 --base 127.10.21.1 --ifs 3
snmp_port=$port
epoch=$(($(date +%s) - 1000))
begin_sim plc modbus_sim --listen 127.0.0.1:0 --agents 3 --base 127.20.21.1 --epoch $epoch
plc_port=$port
{
	cat <<-END
	poller: { name = "test"; interval = "1s"; state_dir = "$work/disk/state"; run_dir = "$work/run";
	          rrd_dir = "$work/disk/rrd"; };
	store: { flush = "1s"; profile = "short"; };
	templates: ( { name = "ports"; protocol = "snmp"; tables = ( { name = "if";
	  key = [ "1.3.6.1.2.1.31.1.1.1.1" ]; discontinuity = "1.3.6.1.2.1.31.1.1.1.19";
	  points = ( { name = "in_octets";  kind = "counter"; unit = "B/s"; oid = "1.3.6.1.2.1.31.1.1.1.6"; } ); } ); } );
	devices: (
	END
	for i in 1 2; do
		echo "  { name = \"s$i\"; address = \"127.10.21.$i\"; templates = [ \"ports\" ];" \
			"snmp = { port = $snmp_port; timeout = \"500ms\"; }; },"
	done
	for i in 1 2 3; do
		echo "  { name = \"p$i\"; address = \"127.20.21.$i\"; modbus = { port = $plc_port; unit_id = 1; timeout = \"500ms\"; };"
		echo "    points = ( { name = \"pieces\"; function = 3; pdu = 100; type = \"u32\"; }," \
			"{ name = \"life\"; function = 3; pdu = 110; type = \"u16\"; } ); }$([ $i = 3 ] || echo ,)"
	done
	echo ");"
} >"$work/pollwerk.conf"
check "the configuration is right" $pollwerk check
mkdir "$work/disk"

# can_mount FS: an empty file system in a file, mounted once
can_mount()
{
	# That the file itself has no holes: a disk's own metadata shall not be measured.
	if [ "$cuts" -gt 5 ]; then
		head -c 320m /dev/zero >"$work/$1.img" && sync "$work/$1.img" || return 1
	fi
	truncate -s 320m "$work/$1.img"
	case $1 in
	ext4) mkfs.ext4 -q -E nodiscard "$work/$1.img" ;;
	xfs) mkfs.xfs -q -K "$work/$1.img" ;;
	esac >"$work/mkfs" 2>&1 && mount -o loop "$work/$1.img" "$work/disk" && umount "$work/disk"
}
for fs in ext4 xfs; do
	if ! can_mount $fs 2>/dev/null; then
		skip "power cuts on $fs (mkfs.$fs, or a loop device, does not work here)"
		continue
	fi
	python3 "$src/tests/system/powercut.py" "$work" "$fs" "$cuts" "$seed" "$epoch" >"$work/judged" 2>&1
	judged=$?
	cat "$work/judged"
	report_passed=$((report_passed + $(grep -c '^ok' "$work/judged")))
	[ $judged -eq 0 ] || report_failed=$((report_failed + 1))
	rm -f "$work/$fs.img"
done
finish
