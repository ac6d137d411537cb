#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes a kernel ready in the cache and prints its directory.
#
# Usage: kernel.sh [--source | --tree] NAME
#        kernel.sh --list [image | source]
#   --source  its full source tree as well (kernels built from source have it
#             anyway; for Debian's images it is a download of 150 MB)
#   --tree    its source tree alone: prints that directory, and neither
#             downloads nor builds a kernel
#   --list    prints the names that there are, one on a line; or those of Debian's
#             images, or of the kernels that are built from source
#
# The directory offers:
#   vmlinuz            what QEMU boots
#   release            what `uname -r` says there
#   build/             KDIR for external modules
#   lib/modules/       the modules that came with it, if any
#   boot-modules       modules that the initramfs needs, in order, if any
#   src/               the source tree (KSRC), with --source
#
# A kernel that is in the cache is used as it is; remove its directory to get
# a newer one. Exit status: 0, 1 it could not be made ready, 2 no kernel has that name.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/debs.sh"

# NAME: what it is made from | version | suite if the machine's apt has it not
# | configuration fragments | objects that its build compiles, about | objects
# that count their lines, for gcov
#
# Debian 13's headers come with programs that need its C library. Where they run,
# 6.12 is Debian 13's, and 7.3 its prebuilt one, which has no KUnit: 7.3-kunit does.
# Elsewhere 6.12 is Debian 12's, and 7.3 is built from source; 7.3-kunit is the same.
kernels()
{
	local x64=small.config,pc.config,x86_64.config s612=bookworm-security k73=source

	! runs_debian13 || s612=trixie k73=image
	cat <<-TABLE
	6.1 image 6.1 bookworm-security
	6.12 image 6.12 $s612
	6.12-debug source 6.12 $s612 $x64,debug.config 1420
	6.12-kcsan source 6.12 $s612 $x64,kcsan.config 1400
	6.1-kunit source 6.1 bookworm-security $x64 1300
	6.12-arm64 source 6.12 $s612 small.config,arm64.config 1400
	6.12-arm64-64k source 6.12 $s612 small.config,arm64.config,64k.config 1400
	6.12-i386 source 6.12 $s612 small.config,pc.config,i386.config 1300
	6.12-gcov source 6.12 $s612 $x64,gcov.config 1400 mm/filemap.o,mm/memory.o,mm/mmap.o,mm/mprotect.o,mm/mremap.o,mm/vma.o
	6.12-gdb source 6.12 $s612 $x64,gdb.config 1300
	7.3 $k73 7.3 trixie-backports $x64 1350
	7.3-kunit source 7.3 trixie-backports $x64 1350
	TABLE
}

# names [KIND]
names()
{
	kernels | awk -v kind="${1-}" '!kind || $2 == kind { print $1 }'
}

configuration()
{
	local names

	IFS=, read -ra names <<<"$FRAGMENTS"
	(cd "$TOP/scripts/kernels" && cat "${names[@]}")
}

# What decides whether a kernel of the cache is the one that is asked for.
recipe()
{
	configuration
	[ -z "$COUNTED" ] || printf '%s\n' "$COUNTED" "$GCOV_FLAGS"
}

# cached WHERE PATTERN - the newest finished directory that matches
cached()
{
	local ready

	ready=$(compgen -G "$CACHE/$1/$2/ready" | sort -V | tail -n 1) && [ -n "$ready" ] &&
		printf '%s\n' "${ready%/ready}"
}

# --- Debian's images -------------------------------------------------------

image_get()
{
	local re headers packages release

	re="linux-image-${VERSION//./\\.}(\.[0-9]+|\.0-[0-9]+)(\+deb[0-9]+)?-amd64"
	deb_newest "$re" "$SUITE"
	release=${PACKAGE#linux-image-}
	DIR=$CACHE/kernels/$NAME/$release
	# It may be there, and lack a part.
	rm -f "$DIR/ready"
	headers=linux-headers-$release
	# What was one package by 6.12 is four on 7.3.
	mapfile -t packages < <(deb_depends "$PACKAGE" 'linux-(base|binary|modules)-[0-9].*' || true
		deb_depends "$headers" 'linux-(headers|kbuild)-.*')
	deb_fetch "$DIR/debs" "$PACKAGE" "$headers" "${packages[@]}"
	with_progress "unpacking Linux $release" "$CACHE/logs/unpack.log" true \
		deb_unpack "$DIR/debs" "$DIR"
	rm -r "$DIR/debs"
	# Debian 13's have their modules below /usr/lib, which is where its /lib leads.
	[ -e "$DIR/lib" ] || ln -s usr/lib "$DIR/lib"
	printf '%s\n' "$release" >"$DIR/release"
	image_link "$release"
	image_boot_modules "$release"
	headers_complete "$DIR" || die "apt lists too few dependencies of $headers: ${packages[*]}"
	touch "$DIR/ready"
}

# The packages expect to live below /; links say so, too.
image_link()
{
	local vmlinuz=boot/vmlinuz-$1

	# On 7.3 it is beside the modules.
	[ -e "$DIR/$vmlinuz" ] || vmlinuz=lib/modules/$1/vmlinuz
	ln -sfn "$vmlinuz" "$DIR/vmlinuz"
	headers_link "$DIR" "$1"
	rm -f "$DIR/lib/modules/$1/build" "$DIR/lib/modules/$1/source"
}

# modprobe knows the order, once depmod has read the modules.
image_boot_modules()
{
	local module

	PATH=$PATH:/sbin:/usr/sbin
	depmod -b "$DIR" "$1"
	for module in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
		modprobe -d "$DIR" -S "$1" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$DIR/boot-modules"
}

# --- Source ----------------------------------------------------------------

# source_get - sets SOURCE to the unpacked source package, fetching it first
source_get()
{
	lock "source-$VERSION"
	SOURCE=$(cached source "$VERSION-*") || source_fetch
	unlock "source-$VERSION"
}

source_fetch()
{
	local version

	deb_newest "linux-source-${VERSION//./\\.}" "$SUITE"
	version=$(deb_version "$PACKAGE")
	SOURCE=$CACHE/source/$VERSION-${version//[^0-9A-Za-z.+-]/_}
	deb_fetch "$SOURCE.debs" "$PACKAGE"
	with_progress "unpacking the source of Linux $version" "$CACHE/logs/unpack.log" \
		source_unpacked source_unpack
	rm -r "$SOURCE.debs"
	touch "$SOURCE/ready"
}

source_unpack()
{
	rm -rf "$SOURCE"
	mkdir "$SOURCE"
	dpkg-deb --fsys-tarfile "$SOURCE".debs/*.deb |
		tar -xO "./usr/src/linux-source-$VERSION.tar.xz" |
		tar -xJ --strip-components=1 -C "$SOURCE"
}

source_unpacked()
{
	du -sm "$SOURCE" | awk '{ print $1 " of about 1600 MB" }'
}

# --- Kernels built from source ---------------------------------------------

build_get()
{
	local log=$CACHE/logs/kernel-$NAME.log counting=() targets=("$(basename "$IMAGE")" modules)

	# With GCOV_PROFILE_mmap.o Kbuild would take those of other directories, too.
	# shellcheck disable=SC2016 # Kbuild fills that in, for each object
	[ -z "$COUNTED" ] || counting=("CFLAGS_GCOV=$GCOV_FLAGS"
		'GCOV_PROFILE=$(if $(filter $(obj)/$(target-stem).o,'"${COUNTED//,/ }"'),y)')
	! grep -qx CONFIG_GDB_SCRIPTS=y < <(configuration) || targets+=(scripts_gdb)
	need "${KERNEL_BUILD[@]}" kmod:depmod
	need_compiler
	source_get
	DIR=$CACHE/kernels/$NAME/$(basename "$SOURCE")-$HASH
	mkdir -p "$DIR/build"
	build_configure >"$log" 2>&1 || die "the configuration of $NAME failed" "$(tail -n 5 "$log")"
	# Kconfig drops what lacks a dependency.
	sed -n 's/^Requested value: */dropped by Kconfig: /p' "$log" | while read -r line; do
		say "$line"
	done
	with_progress "building kernel $NAME (about $OBJECTS objects)" "$log" build_progress \
		make -C "$SOURCE" O="$DIR/build" -j"$(nproc)" "${FOR_ARCH[@]}" "${counting[@]}" \
		"${targets[@]}"
	make -s -C "$SOURCE" O="$DIR/build" "${FOR_ARCH[@]}" kernelrelease >"$DIR/release"
	ln -sfn "build/$IMAGE" "$DIR/vmlinuz"
	ln -sfn "$SOURCE" "$DIR/src"
	: >"$DIR/boot-modules"
	touch "$DIR/ready"
}

# merge_config.sh takes no path with a space, such as the repository's may be.
build_configure()
{
	local names

	IFS=, read -ra names <<<"$FRAGMENTS"
	(cd "$TOP/scripts/kernels" && cp "${names[@]}" "$DIR/")
	names+=(name.config)
	printf 'CONFIG_LOCALVERSION="-mmapdemo-%s"\n' "${NAME//./}" >"$DIR/name.config"
	(cd "$SOURCE" && env "${FOR_ARCH[@]}" scripts/kconfig/merge_config.sh -n -O "$DIR/build" \
		"${names[@]/#/$DIR/}")
}

build_progress()
{
	awk -v all="$OBJECTS" '/^  (CC|AS) / { n++ } END { print n + 0 " of about " all }' "$1"
}

# ---------------------------------------------------------------------------

WITH_SOURCE='' TREE=''
case ${1-} in
--source) WITH_SOURCE=1 ;;
--tree) TREE=1 ;;
--list)
	names "${2-}"
	exit
	;;
esac
[ -z "$WITH_SOURCE$TREE" ] || shift
[ $# = 1 ] || refuse "usage: kernel.sh [--source | --tree] NAME, or --list [image | source]"
NAME=$1
known kernel "$(names)" "$NAME"
[ "$NAME" != 7.3-kunit ] || runs_debian13 || NAME=7.3
read -r KIND VERSION SUITE FRAGMENTS OBJECTS COUNTED < <(kernels | awk -v n="$NAME" '
	$1 == n { print $2, $3, $4, $5, $6, $7 }')
arch_of "$NAME"

get()
{
	case $KIND in
	image)
		DIR=$(cached "kernels/$NAME" "*-amd64") || DIR=
		headers_complete "$DIR" || image_get
		if [ "$WITH_SOURCE" ]; then
			source_get
			ln -sfn "$SOURCE" "$DIR/src"
		fi
		;;
	source)
		HASH=$(recipe | sha256sum | cut -c1-8)
		DIR=$(cached "kernels/$NAME" "*-$HASH") || build_get
		;;
	esac
	printf '%s\n' "$DIR"
}

need xz-utils:xz kmod:depmod
if [ "$TREE" ]; then
	source_get
	printf '%s\n' "$SOURCE"
	exit
fi
lock "kernel-$NAME"
get
