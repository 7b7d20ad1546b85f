# lib.sh - what quickstart.sh and check.sh share: messages and Debian packages.
#
# Source it from the top of the tree. Messages go to stderr, one line each.

say() { echo "$*" >&2; }
die() { say "$*"; exit 1; }

# packages SECTION...: the packages of these sections of contrib/packages, one a line.
packages()
{
	for packages_section in "$@"; do
		sed -n "s/^$packages_section://p" contrib/packages
	done | tr -s ' \t' '\n\n' | sed '/^$/d' | sort -u
}

# packages_missing SECTION...: those of them that are not installed, on one line.
packages_missing()
{
	for packages_name in $(packages "$@"); do
		case $(dpkg-query -W -f '${db:Status-Status}' "$packages_name" 2>/dev/null) in
		installed) ;;
		*) printf '%s ' "$packages_name" ;;
		esac
	done
}

# as_root COMMAND...: as it is for root, else by sudo; without a terminal sudo may not ask.
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# packages_install SECTION...: installs what is missing, and nothing else happens when
# nothing is. Ends the script with a sentence when it cannot.
packages_install()
{
	command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
		die "this is no Debian: install what contrib/packages lists, then use --no-install"
	packages_todo=$(packages_missing "$@")
	[ -n "$packages_todo" ] || return 0
	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		die "packages are missing and you are not root, as root: apt-get install $packages_todo"
	fi
	say "installing: $packages_todo"
	packages_log=$(mktemp) || die "no room for a temporary file"
	if ! as_root apt-get -q -o DPkg::Lock::Timeout=300 update >"$packages_log" 2>&1; then
		say "apt-get update failed, going on with the package lists that are here"
	fi
	if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 --no-install-recommends install $packages_todo \
		>>"$packages_log" 2>&1; then
		tail -n 15 "$packages_log" >&2
		rm -f "$packages_log"
		die "apt-get could not install the packages above: is there a network, and may you" \
			"become root? By hand: apt-get install $packages_todo"
	fi
	rm -f "$packages_log"
}
