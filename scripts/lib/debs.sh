# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # some of what is set is for the caller
#
# Debian packages fetched into the cache without installing them. Sourced.
#
# The machine's own apt is asked first. What it does not offer comes from
# another suite through an apt configuration of our own below the cache; the
# mirror is the machine's.
#
# In:  DEBIAN_MIRROR  URI of a Debian mirror, for machines whose apt has none

# Options that make apt use another suite; empty: the machine's own setup.
APT_OPTIONS=()

# runs_debian13 - whether this machine's C library can run Debian 13's programs,
# those of its kernels' headers at least
runs_debian13()
{
	printf 'glibc %s\n' 2.38 "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)" | sort -VC
}

# deb_newest REGEX SUITE - the name, by version the newest, of the package that
# matches; sets PACKAGE, and APT_OPTIONS to where it was found.
deb_newest()
{
	command -v apt-cache >/dev/null ||
		die "fetching Debian's kernels needs apt; for your own kernel: make KDIR=..."
	APT_OPTIONS=()
	PACKAGE=$(deb_match "$1") && return
	[ -z "$(ls /var/lib/apt/lists/*Packages* 2>/dev/null)" ] && apt_update &&
		PACKAGE=$(deb_match "$1") && return
	use_suite "$2" && PACKAGE=$(deb_match "$1") && return
	die "no package matches $1, neither in this machine's apt nor in suite $2"
}

deb_match()
{
	apt-cache "${APT_OPTIONS[@]}" pkgnames | grep -xE "$1" | sort -V | tail -n 1 | grep .
}

use_suite()
{
	local dir=$CACHE/apt/$1 mirror keyring

	mirror=$(mirror_of "$1") || exit
	keyring=$(keyring) || exit
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$1" >"$dir/sources.list"
	APT_OPTIONS=(-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=-
		-o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache"
		-o APT::Sandbox::User=root -o Acquire::Languages=none)
	say "reading the package list of $1"
	apt-get "${APT_OPTIONS[@]}" -q update >"$CACHE/logs/apt.log" 2>&1 ||
		die "apt cannot read suite $1; its log: $CACHE/logs/apt.log"
}

# keyring - prints which file has Debian's keys. Other distributions have the package.
keyring()
{
	keyrings >/dev/null || install_packages debian-archive-keyring
	keyrings | head -n 1 | grep . ||
		die "Debian's keys are not in /usr/share/keyrings: reinstall the package debian-archive-keyring"
}

# The same keys have had either ending, or both.
keyrings()
{
	compgen -G '/usr/share/keyrings/debian-archive-keyring.[gp][gp][gp]'
}

# mirror_of SUITE - prints the URI of a mirror that has it
mirror_of()
{
	local uri security='' keys=''

	uri=${DEBIAN_MIRROR:-$(apt_mirror debian)}
	keyrings >/dev/null || keys='install the package debian-archive-keyring, and '
	[ -n "$uri" ] || die "this machine's apt names no mirror of Debian: ${keys}set DEBIAN_MIRROR=<URI of one>"
	if [[ $1 = *-security ]]; then
		[ "${DEBIAN_MIRROR-}" ] || security=$(apt_mirror debian-security)
		uri=${security:-${uri%/}-security}
	fi
	printf '%s\n' "${uri%/}"
}

# apt_mirror debian|debian-security - prints the one that the machine's apt uses, if
# any. Before its first update apt does not know whose it is, and the name has to do.
apt_mirror()
{
	local sources uri

	# shellcheck disable=SC2016 # apt fills that in
	sources=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)')
	# shellcheck disable=SC2016
	[ -n "$sources" ] ||
		sources=$(apt-get indextargets --no-release-info --format '||$(REPO_URI)')
	uri=$(awk -F '|' -v label="$1" '
		$3 !~ /^cdrom:/ && ($1 == "Debian" && tolower($2) == label ||
				    $1 == "" && $3 ~ "/" label "(.list)?/?$") {
			sub("/$", "", $3)
			print $3
			exit
		}' <<<"$sources")
	case $uri in
	mirror+file:*) awk '!/^#/ && NF { print $1; exit }' "/${uri#mirror+file:}" ;;
	*) printf '%s\n' "$uri" ;;
	esac
}

# deb_version PACKAGE
deb_version()
{
	apt-cache "${APT_OPTIONS[@]}" show "$1" | sed -n 's/^Version: //p' | head -n 1
}

# deb_depends PACKAGE REGEX - those direct dependencies that match
deb_depends()
{
	apt-cache "${APT_OPTIONS[@]}" depends "$1" | sed -n 's/^ *|*Depends: //p' | grep -xE "$2"
}

# deb_fetch DIR PACKAGE... - downloads into DIR
deb_fetch()
{
	local dir=$1

	shift
	mkdir -p "$dir"
	rm -f "$dir"/*.deb
	if ! deb_download "$dir" "$@"; then
		# Lists that are older than the mirror name packages that are gone.
		[ ${#APT_OPTIONS[@]} = 0 ] || return 1
		apt_update && deb_download "$dir" "$@"
	fi
}

deb_download()
{
	local dir=$1

	shift
	(cd "$dir" && with_progress "downloading $*" "$CACHE/logs/download.log" downloaded \
		apt-get "${APT_OPTIONS[@]}" -o APT::Sandbox::User=root download "$@")
}

downloaded()
{
	du -cm ./* | awk 'END { print $1 " MB so far" }'
}

# deb_unpack FROM TO
deb_unpack()
{
	local deb

	for deb in "$1"/*.deb; do
		dpkg-deb -x "$deb" "$2" || return
	done
}

# headers_complete DIR - whether all is below DIR that DIR/build takes from other
# packages: what its Makefile includes, and the tools that links lead to
headers_complete()
{
	local included

	included=$(sed -n 's/^include //p' "$1/build/Makefile" 2>/dev/null) &&
		[ -e "$included" ] && [ -e "$1/build/scripts/Makefile.build" ]
}

# headers_link DIR RELEASE - makes DIR/build a directory to build modules in, of
# the headers that were unpacked below DIR. They expect to live below /.
headers_link()
{
	local headers=usr/src/linux-headers-$2

	ln -sfn "$headers" "$1/build"
	# 7.3's has its own place as KBUILD_OUTPUT, too.
	replace "/usr/src/linux-headers-" "$1/usr/src/linux-headers-" "$1/$headers/Makefile"
	# It serves BTF alone, for which the build would need pahole. 7.3's warns of
	# another pahole than the kernel's all the same.
	rm -f "$1/$headers/vmlinux"
	# shellcheck disable=SC2016 # make fills that in
	echo 'override PAHOLE_VERSION = $(CONFIG_PAHOLE_VERSION)' >>"$1/$headers/.kernelvariables"
}
