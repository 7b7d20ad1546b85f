#!/bin/sh
# base-mibs.sh DIR - puts the SNMPv2 base modules into DIR, one file per module, named as
# the module: what smilint, snmptranslate and a snmptrapd that translates POLLWERK-MIB need.
#
# Debian ships no IETF module with its SNMP tools. They are taken from the first place that
# has them: DIR itself, the directory named by PW_BASE_MIBS, an installed
# snmp-mibs-downloader or erlang-snmp, and at last the package erlang-snmp, downloaded and
# unpacked without installing it. Without network and without all of these it says so and
# ends with 1. A receiver then translates with
#   snmptrapd -f -Lo -n -M DIR:mibs -m POLLWERK-MIB -C -c CONF udp:127.0.0.1:1162
# (-C: only CONF, which needs "disableAuthorization yes" or "authCommunity log NAME").
# Several runs on one DIR at a time are fine: DIR appears whole or not at all.
set -eu

modules="SNMPv2-SMI SNMPv2-TC SNMPv2-CONF SNMPv2-MIB"
[ $# -eq 1 ] || { echo "usage: base-mibs.sh DIR" >&2; exit 2; }
wanted=$1

# complete DIR: whether DIR has every module under its plain name.
complete()
{
	for module in $modules; do
		[ -s "$1/$module" ] || return 1
	done
}

# collect FROM: copies what FROM has, whatever the files are called there.
collect()
{
	for module in $modules; do
		for file in "$1/$module" "$1/$module.mib" "$1/$module.txt" "$1/$module.my"; do
			[ -s "$file" ] || continue
			cp "$file" "$work/mibs/$module"
			break
		done
	done
	complete "$work/mibs"
}

fetch() { (cd "$work/deb" && apt-get -q download erlang-snmp); }

# The version is left to apt; the .deb is only unpacked, nothing gets installed.
download()
{
	mkdir "$work/deb"
	chmod 755 "$work" "$work/deb"
	if ! fetch >"$work/apt.log" 2>&1; then
		# Without package lists, as in a fresh container, no package is known.
		[ "$(id -u)" -eq 0 ] || return 1
		apt-get -q -o DPkg::Lock::Timeout=60 update >>"$work/apt.log" 2>&1
		fetch >>"$work/apt.log" 2>&1 || return 1
	fi
	dpkg -x "$work"/deb/erlang-snmp_*.deb "$work/deb" || return 1
	collect "$(echo "$work"/deb/usr/lib/erlang/lib/snmp-*/mibs)"
}

complete "$wanted" && exit 0
mkdir -p "$(dirname "$wanted")"
work=$(mktemp -d "$(dirname "$wanted")/base-mibs.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/mibs"

found=no
for place in "${PW_BASE_MIBS:-}" /var/lib/mibs/ietf /usr/share/snmp/mibs \
	/usr/share/mibs/ietf /usr/lib/erlang/lib/snmp-*/mibs; do
	if [ -d "$place" ] && collect "$place"; then found=yes; break; fi
done
if [ $found = no ] && command -v apt-get >/dev/null && download; then found=yes; fi
if [ $found = no ]; then
	echo "base-mibs.sh: no SNMPv2-SMI and friends on this machine, and the package" \
		"erlang-snmp cannot be downloaded (PW_BASE_MIBS=DIR names a directory" \
		"that has them)" >&2
	[ ! -s "$work/apt.log" ] || sed 's/^/base-mibs.sh: apt-get: /' "$work/apt.log" >&2
	exit 1
fi
# A directory that somebody else has completed in the meantime is as good as ours.
if ! mv -T "$work/mibs" "$wanted" 2>/dev/null && ! complete "$wanted"; then
	mkdir -p "$wanted"
	cp "$work"/mibs/* "$wanted/"
fi
