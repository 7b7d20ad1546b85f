#!/bin/sh
# disks.sh - the disk below the RRD files fails while a daemon runs: I/O errors on ext4 and xfs,
# pages that cannot be read, a SIGBUS under librrd's mapping. The poller polls on, alarms go on, health is degraded
# within 10 s and told by a notice; the disk can be unmounted; when it is back, everything is
# written and right. Full and read-only disks: daemon.sh.
#   LONG=yes tests/system/disks.sh    on xfs as well, with more checks; make powercut does that
. "${PW_SRC:-$(dirname "$0")/../..}/tests/report.sh"
cd "$build" || exit 1
PATH=$PATH:/usr/sbin:/sbin
for tool in rrdtool python3 snmptrapd mkfs.ext4 filefrag; do
	if ! command -v $tool >/dev/null; then
		skip "failing disks (apt-get install rrdtool python3 snmptrapd e2fsprogs xfsprogs)"
		finish
	fi
done
if [ -z "$PW_OWN_MOUNTS" ] && [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	PW_OWN_MOUNTS=yes exec unshare -m "$0"
fi
if [ -z "$PW_OWN_MOUNTS" ]; then
	skip "failing disks (needs root and mounts)"
	finish
fi
. "$src/tests/system/plant.sh"
mount --make-rprivate / 2>/dev/null

begin_receiver notices
trap_port=$port
epoch=$(($(date +%s) - 1000))
begin_sim plc modbus_sim --listen 127.0.0.1:0 --agents 2 --base 127.20.23.1 --epoch $epoch
{
	cat <<-END
	poller: { name = "test"; interval = "1s"; state_dir = "$work/state"; run_dir = "$work/run";
	          rrd_dir = "$work/disk/rrd"; };
	store: { flush = "1s"; profile = "short"; };
	receivers: ( { name = "nms"; address = "127.0.0.1:$trap_port"; community = "public"; kind = "inform"; } );
	thresholds: ( { name = "oil-hot"; on = "*/oil_temp"; above = 70.0; clear = 65.0; severity = "major"; } );
	devices: (
	END
	for i in 1 2; do
		echo "  { name = \"p$i\"; address = \"127.20.23.$i\"; modbus = { port = $port; unit_id = 1; timeout = \"500ms\"; };"
		echo "    points = ( { name = \"life\"; function = 3; pdu = 110; type = \"u16\"; }," \
			"{ name = \"oil_temp\"; modicon = 30013; type = \"s16\"; scale = 0.1; unit = \"C\"; } ); }$([ $i = 2 ] || echo ,)"
	done
	echo ");"
} >"$work/pollwerk.conf"
check "the configuration is right" $pollwerk check
# The disks' images lie where they cannot grow when told so.
mkdir "$work/disk" "$work/backing"
mount -t tmpfs -o size=400m none "$work/backing"

all_good()
{
	is_good p1/life && is_good p2/life
}
told()
{
	grep -c "notice.*$1" "$work/notices"
}
more_told()
{
	[ "$(told "$1")" -gt "$2" ]
}
files_are_there()
{
	[ -e "$work/disk/rrd/p1/points.rrd" ] && [ -e "$work/disk/rrd/p2/points.rrd" ]
}
# written_since FROM: each second since then is in both files, is as old as a poll of it may be,
# and the ledger has it as good; or it was lost by a busy machine.
written_since()
{
	to=$(($(date +%s) - 2))
	[ "$to" -gt "$1" ] || return 1
	for press in 1 2; do
		as_ledger p$press/life "$work/disk/rrd/p$press/points.rrd" life "$1" "$to" since:$epoch || return 1
	done
}
fail_all()
{
	python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 1))' "$work/disk"
}
hot_and_cool()
{
	before=$(told oil-hot)
	simctl plc "agent 1 unit 1 set input 12 800"
	check "$1: an alarm is raised and told all the same" wait_for 40 more_told oil-hot "$before"
	simctl plc "agent 1 unit 1 set input 12 452"
}
# Drops what is in memory until the store has died of what is on the disk.
# Of a row that librrd writes, or it says so: most rows are written without a mapping.
store_felt_it()
{
	for file in "$work"/disk/rrd/p?/points.rrd; do
		dd of="$file" oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null
	done
	# A sanitizer tells of the signal and ends the process itself.
	grep -qE 'store.*was ended by signal 7|AddressSanitizer: BUS' "$work/out" || status_is degraded
}
goes_and_comes_back()
{
	what=$1
	check "$what: status says degraded within 10 s" wait_for 10 status_is degraded
	check "$what: polling goes on" wait_for 20 all_good
	[ -z "$LONG" ] || hot_and_cool "$what"
	check "$what: the disk can be unmounted beneath the daemon" wait_for 30 umount "$work/disk"
	sleep 1
	[ -z "$2" ] || mount -o remount,size=400m "$work/backing"
	[ -z "$2" ] || mv "$2" "$work/backing/$fs.img"
	check "$what: and mounted again" mount -o loop "$work/backing/$fs.img" "$work/disk"
	check "$what: status says ok again" wait_for 60 status_is ok
	check "$what: everything is there" wait_for 30 written_since "$from"
}

for fs in ext4 ${LONG:+xfs}; do
	case $fs in
	ext4) truncate -s 64m "$work/backing/$fs.img" && mkfs.ext4 -q "$work/backing/$fs.img" ;;
	xfs) truncate -s 320m "$work/backing/$fs.img" && mkfs.xfs -q "$work/backing/$fs.img" ;;
	esac >"$work/mkfs" 2>&1
	if ! mount -o loop "$work/backing/$fs.img" "$work/disk" 2>/dev/null; then
		skip "failing disks on $fs (mkfs.$fs, or a loop device, does not work here)"
		continue
	fi
	rm -rf "$work/state"
	begin_daemon
	check "$fs: values come" wait_for 20 all_good
	check "$fs: files are made" wait_for 20 files_are_there
	from=$(date +%s)
	sleep 1
	notices=$(told rrd)
	fail_all
	check "$fs fails: a notice says so" wait_for 20 more_told rrd "$notices"
	goes_and_comes_back "$fs fails"
	# A page of a mapped file that has to be read again, and cannot be, is a SIGBUS.
	none "$fs: no store died of it, unless of a page that cannot be read" \
		"$(grep 'store.*was ended by signal' "$work/out" | grep -v 'signal 7 ')"
	none "$fs: no file was taken for a damaged one" "$(grep -E 'quarantin|left alone|not written any more' "$work/out")"
	if [ $fs = ext4 ]; then
		# A copy of the disk as it is just now is what will be mounted when it is repaired. Then
		# it ends before the file's blocks and what the kernel has of them is dropped: the next
		# update has a page that cannot be read: an error, or in librrd's mapping a SIGBUS.
		kill -USR1 "$(role_pid store)"
		sleep 2
		fsfreeze -f "$work/disk" && cp --sparse=always "$work/backing/$fs.img" "$work/whole.img"
		fsfreeze -u "$work/disk"
		from=$(date +%s)
		block=$(filefrag -v "$work/disk/rrd/p1/points.rrd" | awk '$1 == "0:" { sub(/\.\.$/, "", $4); print $4; exit }')
		unit=$(stat -f -c %S "$work/disk")
		truncate -s $((block * unit)) "$work/backing/$fs.img"
		mount -o remount,size="$(du -k "$work/backing/$fs.img" | cut -f 1)k" "$work/backing"
		check "SIGBUS: the store dies of it, or says so" wait_for 30 store_felt_it
		goes_and_comes_back "SIGBUS" "$work/whole.img"
		none "SIGBUS: no file was taken for a damaged one" "$(grep -E 'quarantin|left alone|not written any more' "$work/out")"
	fi
	end_daemon
	check "$fs: the daemon ends well" [ $? -eq 0 ]
	umount "$work/disk"
	rm -f "$work/backing/$fs.img"
done
umount "$work/backing"
finish
