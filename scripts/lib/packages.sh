# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # some of what is set is for the caller
#
# The packages that a command needs on this machine. Sourced by common.sh.
#
# In:  YES=1  install them without asking

# For need: what draws, by the Python that it is for.
MATPLOTLIB=python3-matplotlib:/usr/lib/python3/dist-packages/matplotlib/__init__.py

# For need: what the build of a module takes besides its compiler. W=1 has kernel-doc
# run, and perl-base lacks a part of it.
MODULE_BUILD=(make:make libc6-dev:/usr/include/stdio.h libelf1:/usr/lib/x86_64-linux-gnu/libelf.so.1
	perl:pod2usage)

# For need: what the build of a kernel takes.
KERNEL_BUILD=("${MODULE_BUILD[@]}" gcc:gcc bison:bison flex:flex bc:bc libelf-dev:/usr/include/libelf.h)

# For need: what it takes to build the module and to boot a guest with it, in one
# list, so that the user is asked once.
BOOT_GUEST=("${MODULE_BUILD[@]}" gcc:gcc rsync:rsync xz-utils:xz kmod:depmod
	qemu-system-x86:qemu-system-x86_64)

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need PACKAGE:WITNESS... - installs the packages whose witness (a command, or
# a file when it starts with a slash) is missing.
need()
{
	local item witness missing=()

	for item; do
		witness=${item#*:}
		case $witness in
		/*) [ -e "$witness" ] ;;
		*) PATH=$PATH:/usr/sbin:/sbin command -v "$witness" >/dev/null ;;
		esac || missing+=("${item%%:*}")
	done
	[ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

# In: YES=1  do not ask
install_packages()
{
	command -v apt-get >/dev/null ||
		die "please install the equivalents of these Debian packages, then run this again:" "  $*"
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "please run this as root, then your command again:" "  apt-get install $*"
	may_install "$@" || die "nothing was installed; this needs the packages: $*"
	say "installing with apt: $*"
	apt_install "$@" ||
		die "apt could not install all of: $*" "its log: $CACHE/logs/apt.log"
}

# may_install PACKAGE... - asks, where there is somebody to be asked. Not of stdin:
# a script that another one calls has none.
may_install()
{
	local answer tty

	[ -t 2 ] && [ "$(id -u)" != 0 ] && [ -z "${CI-}${YES-}" ] || return 0
	{ exec {tty}<>/dev/tty; } 2>/dev/null || return 0
	printf 'mmapdemo: sudo apt-get install %s [Y/n] ' "$*" >&"$tty"
	read -r answer <&"$tty" || answer=n
	exec {tty}>&-
	[[ $answer = @(|[Yy]*) ]]
}

apt_install()
{
	local install=(env DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=300
		--no-install-recommends install "$@")

	# A fresh machine has no package lists, or lists whose packages are gone.
	as_root "${install[@]}" >"$CACHE/logs/apt.log" 2>&1 || {
		apt_update && as_root "${install[@]}" >>"$CACHE/logs/apt.log" 2>&1
	}
}

apt_update()
{
	say "apt-get update"
	as_root apt-get -q update >>"$CACHE/logs/apt.log" 2>&1
}

# need_compiler - for the kernel, and the guest's programs, of arch_of
need_compiler()
{
	case $CROSS in
	'') need gcc:gcc libc6-dev:/usr/include/stdio.h ;;
	*) need "gcc-${CROSS%-}:${CROSS}gcc" \
		"libc6-dev-$ARCH-cross:/usr/${CROSS%-}/include/stdio.h" ;;
	esac
}
