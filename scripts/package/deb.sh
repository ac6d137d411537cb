#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The Debian package mmapdemo-dkms: the module's source for DKMS, the header for
# programs, the command, its completion, the man pages. It is made of a copy of
# the tree, in the cache.
#
# Usage: deb.sh
# In:  DEBFULLNAME, DEBEMAIL  who makes the package (as for Debian's own tools)
# On stdout: the package's path.
# Exit status: 0, or 1 with the last lines of the log on stderr.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

MAINTAINER="${DEBFULLNAME:-mmapdemo} <${DEBEMAIL:-mmapdemo@mmapdemo.example}>"

# When what is packaged last changed: two builds of it are the same, to the byte.
last_change()
{
	git -C "$TOP" log -1 --format=%aD -- module scripts 2>/dev/null | grep . ||
		date -R -r "$TOP/module/device.h"
}

changelog()
{
	cat <<-END
	mmapdemo ($1) unstable; urgency=medium

	  * Version $1 of the module; what is new in it says its repository.

	 -- $MAINTAINER  $(last_change)
	END
}

make_tree()
{
	mkdir -p "$1"
	(cd "$TOP" && rsync -a -R --delete --exclude-from=.gitignore \
		module scripts/package/debian scripts/mmapdemo scripts/package/mmapdemo.bash "$1/")
	rm -rf "$1/debian"
	mv "$1/scripts/package/debian" "$1/debian"
	replace @MAINTAINER@ "$MAINTAINER" "$1/debian/control"
	changelog "$2" >"$1/debian/changelog"
}

need build-essential:/usr/share/build-essential/list dpkg-dev:dpkg-buildpackage debhelper:dh \
	dh-dkms:dh_dkms help2man:help2man python3:/usr/bin/python3 rsync:rsync make:make
VERSION=$(. "$TOP/module/dkms.conf" && echo "$PACKAGE_VERSION")
OUT=$(build_root "$TOP")/deb
lock "deb-$(basename "$(dirname "$OUT")")"
make_tree "$OUT/mmapdemo-$VERSION" "$VERSION"
(cd "$OUT/mmapdemo-$VERSION" && with_progress "building mmapdemo-dkms $VERSION" \
	"$CACHE/logs/deb.log" "tail -n 1" dpkg-buildpackage -us -uc -b)
printf '%s\n' "$OUT/mmapdemo-dkms_${VERSION}_all.deb"
