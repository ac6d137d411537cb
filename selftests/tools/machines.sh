#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The first run on machines that are set up in another way than this one: with the
# apt of another distribution, with Debian's mirrors in a file or without its keys,
# with an old QEMU; and with somebody at a terminal, who is asked before anything is
# installed. Runs on the host, as root, boots nothing and installs nothing.
#
# Output: KTAP.
# shellcheck disable=SC2016 # what is in quotes is for another shell
. "$(dirname "$0")/tools.bash"

URI=http://mirror.invalid/debian
# Of a package that no stable release has.
FIND='deb_newest "linux-source-7\.3" trixie-backports; echo "$PACKAGE"'

# apt_of SOURCE_LINE... - has apt, from here on, know these sources, and no packages
apt_of()
{
	mkdir -p "$TMP/lists/partial" "$TMP/cache/archives/partial"
	printf '%s\n' "$@" >"$TMP/sources"
	cat >"$TMP/apt.conf" <<-END
		Dir::Etc::sourcelist "$TMP/sources";
		Dir::Etc::sourceparts "-";
		Dir::State::Lists "$TMP/lists";
		Dir::Cache "$TMP/cache";
	END
	export APT_CONFIG=$TMP/apt.conf
}

# stub NAME - a program of that name, first in PATH, whose text is on stdin
stub()
{
	mkdir -p "$TMP/bin"
	{
		echo '#!/bin/bash'
		cat
	} >"$TMP/bin/$1"
	chmod +x "$TMP/bin/$1"
}

# scripts COMMAND - what a script does that knows the libraries of them all
scripts()
{
	XDG_CACHE_HOME=$TMP PATH=$TMP/bin:$PATH bash -c "set -euo pipefail
		. '$TOP/scripts/lib/common.sh'; . '$TOP/scripts/lib/debs.sh'; . '$TOP/scripts/lib/qemu.sh'; $1"
}

# says_one_line PATTERN COMMAND... - it fails, and says no more than that
says_one_line()
{
	fails_saying "$@" && [ "$(grep -vc '^\[' "$TMP/said")" = 1 ]
}

# prints TEXT COMMAND...
prints()
{
	local text=$1

	shift
	"$@" >"$TMP/printed"
	diff - "$TMP/printed" <<<"$text"
}

# --- apt -------------------------------------------------------------------

other_apt()
{
	apt_of 'deb http://mirror.invalid/other noble main' \
		'deb http://mirror.invalid/linux/other noble stable'
}

names_variable()
{
	other_apt
	says_one_line 'set DEBIAN_MIRROR=<URI' scripts "$FIND"
}

# in_namespace COMMAND... - where the machine has none of Debian's keys; they are in
# $TMP/keyrings
in_namespace()
{
	mkdir -p "$TMP/keyrings"
	cp /usr/share/keyrings/debian-archive-keyring.* "$TMP/keyrings/"
	export -f scripts other_apt apt_of stub
	export TMP TOP
	# shellcheck disable=SC2016 # for that shell
	unshare -m bash -c 'mount -t tmpfs none /usr/share/keyrings; "$@"' bash "$@"
}

names_package_too()
{
	other_apt
	says_one_line 'install the package debian-archive-keyring, and set DEBIAN_MIRROR=<URI' \
		in_namespace scripts "$FIND"
}

# documented WORDS... - by README and make help
documented()
{
	local word

	for word; do
		grep -qF -- "$word" "$TOP/README.md" || { echo "not in README: $word"; return 1; }
		make -s -C "$TOP" help | grep -F -- "$word" || { echo "not in make help: $word"; return 1; }
	done
}

find_at()
{
	DEBIAN_MIRROR=$1 scripts "$FIND"
}

# The machine's own mirror stands in for the one that the user names.
fetches_with_variable()
{
	local mirror

	mirror=$(unset APT_CONFIG; scripts 'mirror_of stable') || return
	other_apt
	prints linux-source-7.3 find_at "$mirror"
}

installs_keys()
{
	stub apt-get <<-END
		case "\$*" in
		*install*) echo "\$*" >'$TMP/installed'; cp '$TMP'/keyrings/* /usr/share/keyrings/ ;;
		*) exec /usr/bin/apt-get "\$@" ;;
		esac
	END
	in_namespace scripts keyring && grep ' install debian-archive-keyring$' "$TMP/installed"
	rc=$?
	rm "$TMP/bin/apt-get"
	return $rc
}

mirror_file()
{
	printf '# of a cloud\n\n%s\tpriority:1\nhttp://second.invalid/debian\n' "$URI" >"$TMP/debian.list"
	apt_of "deb mirror+file://$TMP/debian.list trixie main"
	prints "$URI" scripts 'mirror_of trixie-backports' &&
		prints "$URI-security" scripts 'mirror_of bookworm-security'
}

security_mirror()
{
	apt_of "deb $URI bookworm main" \
		"deb http://security.invalid/debian-security bookworm-security main"
	prints "$URI" scripts 'mirror_of bookworm' &&
		prints http://security.invalid/debian-security scripts 'mirror_of bookworm-security'
}

# updated_from HOST SUITE ORIGIN - apt has read the lists of that source
updated_from()
{
	local list=$TMP/lists/$1_debian_dists_$2

	: >"${list}_main_binary-amd64_Packages"
	cat >"${list}_Release" <<-END
		Origin: $3
		Label: $3
		Suite: $2
		Codename: $2
		Architectures: amd64
		Components: main
		SHA256:
		 $(sha256sum </dev/null | cut -d ' ' -f 1) 0 main/binary-amd64/Packages
	END
}

# Its path is that of a mirror of Debian, and apt knows that it is none.
third_party()
{
	apt_of 'deb [trusted=yes] http://third.invalid/debian stable main' \
		"deb [trusted=yes] $URI trixie main"
	updated_from third.invalid stable Third
	updated_from mirror.invalid trixie Debian
	prints "$URI" scripts 'mirror_of trixie'
	rc=$?
	rm "$TMP/lists"/*_debian_*
	return $rc
}

# --- A terminal ------------------------------------------------------------

# with_terminal ANSWER COMMAND - by a user, for whom apt and sudo note what they are to
# do; both print on what is a terminal
with_terminal()
{
	rm -f "$TMP/sudo"
	stub id <<<'echo 1000'
	stub sudo <<<"echo \"\$*\" >>'$TMP/sudo'"
	stub apt-get <<<"exit 1"
	declare -f scripts >"$TMP/function"
	export TMP TOP
	printf "%s" "$1" | SHELL=/bin/bash script -qec \
		"bash -c '. $TMP/function; scripts \"\$1\"' bash '$2'" /dev/null
	rc=$?
	rm "$TMP/bin"/{id,sudo,apt-get}
	return $rc
}

was_installed()
{
	grep -q ' install a-package another$' "$TMP/sudo"
}

question_no()
{
	local answer

	for answer in $'n\n' $'no\n' $'what\n' ''; do
		fails_saying 'nothing was installed; this needs the packages: a-package another' \
			with_terminal "$answer" 'install_packages a-package another' || return
		[ ! -e "$TMP/sudo" ] || return
	done
}

question_yes()
{
	local answer

	for answer in $'\n' $'y\n' $'Yes\n'; do
		with_terminal "$answer" 'install_packages a-package another' >"$TMP/said" || return
		cat "$TMP/said"
		grep -q 'a-package another \[Y/n\]' "$TMP/said" && was_installed || return
	done
}

question_of_called_script()
{
	with_terminal $'n\n' 'install_packages a-package another </dev/null | cat' >"$TMP/said" || true
	cat "$TMP/said"
	grep -q 'Y/n' "$TMP/said" && [ ! -e "$TMP/sudo" ]
}

# unasked VARIABLE
unasked()
{
	export "${1?}"
	with_terminal '' 'install_packages a-package another' >"$TMP/said"
	rc=$?
	unset "${1%%=*}"
	cat "$TMP/said"
	[ $rc = 0 ] && ! grep -q 'Y/n' "$TMP/said" && was_installed
}

root_unasked()
{
	stub apt-get <<<"echo \"\$*\" >>'$TMP/sudo'"
	rm -f "$TMP/sudo"
	SHELL=/bin/bash XDG_CACHE_HOME=$TMP PATH=$TMP/bin:$PATH script -qec \
		". '$TOP/scripts/lib/common.sh'; install_packages a-package another" /dev/null </dev/null >"$TMP/said"
	rc=$?
	rm "$TMP/bin/apt-get"
	cat "$TMP/said"
	[ $rc = 0 ] && ! grep -q 'Y/n' "$TMP/said" && was_installed
}

no_terminal()
{
	rm -f "$TMP/sudo"
	stub id <<<'echo 1000'
	stub sudo <<<"echo \"\$*\" >>'$TMP/sudo'"
	scripts 'install_packages a-package another' </dev/null 2>"$TMP/said"
	rc=$?
	rm "$TMP/bin"/{id,sudo}
	cat "$TMP/said"
	[ $rc = 0 ] && was_installed
}

# --- QEMU ------------------------------------------------------------------

# qemu FILE VERSION
qemu()
{
	mkdir -p "$(dirname "$1")"
	printf '#!/bin/sh\necho "QEMU emulator version %s"\n' "$2" >"$1"
	chmod +x "$1"
}

qemu_enough()
{
	rm -rf "$TMP/mmapdemo/qemu"
	qemu "$TMP/bin/qemu-system-x86_64" 8.1.0
	prints "$TMP/bin/qemu-system-x86_64" scripts 'ICOUNT=1 use_qemu x86_64; echo "$QEMU_PROGRAM"'
}

qemu_newer()
{
	local newer=$TMP/mmapdemo/qemu/qemu-system-x86/usr/bin/qemu-system-x86_64

	qemu "$newer" 10.0.0
	prints "$newer" scripts 'ICOUNT=1 use_qemu x86_64 9.1; echo "$QEMU_PROGRAM"'
	rc=$?
	rm -rf "$TMP/mmapdemo/qemu"
	return $rc
}

# The cache has nothing that could be built, or booted.
profile_says()
{
	other_apt
	XDG_CACHE_HOME=$TMP PATH=$TMP/bin:$PATH fails_saying 'this needs QEMU 9.1, and' \
		"$TOP/scripts/measure/profile.sh" && [ ! -e "$TMP/mmapdemo/kernels" ]
}

[ "$(id -u)" = 0 ] || skip_all "only root can take Debian's keys away from a script"
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || skip_all "install the package debian-archive-keyring"
need bsdutils:script util-linux:unshare make:make gcc:gcc
unset CI YES DEBIAN_MIRROR APT_CONFIG
start 18
check "another distribution's apt: one line names the variable" names_variable
check "without Debian's keys it names their package as well" names_package_too
check "README and make help name both" documented DEBIAN_MIRROR debian-archive-keyring
check "with DEBIAN_MIRROR packages are found" fetches_with_variable
check "the package with the keys is installed" installs_keys
check "a mirror that stands in a file" mirror_file
check "security updates come from apt's mirror for them" security_mirror
check "another repository below /debian is no mirror of Debian" third_party
check "a terminal: asks, and n leaves all as it is" question_no
check "Enter and y install" question_yes
check "asks as well where stdin is no terminal" question_of_called_script
check "YES=1 is not asked" unasked YES=1
check "CI is not asked" unasked CI=true
check "root is not asked" root_unasked
check "without a terminal there is no question" no_terminal
check "QEMU 8.1 boots guests" qemu_enough
check "for plugins there is a newer one" qemu_newer
check "make profile says what it lacks before it builds" profile_says
ktap_finished
