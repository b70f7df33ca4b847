#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The packages, in one command: builds the Debian packages twice, in other
# folders, time zones and umasks, and compares them; lintian; builds the RPM;
# then installs, upgrades, removes and purges the Debian package on a machine
# that is thrown away (root.sh), with a real systemd and a real PostgreSQL.
#
#   tests/packaging/run.sh [options]
#     --work DIR    where to build (default: a folder that is removed)
#     --no-install  do not install packages by contrib/deps.sh
#
# Needs Debian 12, root and cgroup2. Takes some minutes.
set -euo pipefail
unset CDPATH

top=$(cd "$(dirname "$0")/../.." && pwd)
work='' install=1

usage() {
	sed -n '/^#   tests/,/^# Needs/p' "$0" | sed -n 's/^# \{0,3\}//p'
}

while [ $# -gt 0 ]; do
	case $1 in
	--work) work=${2:?--work needs a directory}; shift ;;
	--no-install) install= ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
[ -z "$install" ] || "$top/contrib/deps.sh" packaging
if [ -z "$work" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)

# step NAME COMMAND...: what it says is shown if it fails.
step() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 || {
		tail -n 60 "$work/$name.log"
		echo "FAILED  $name: $work/$name.log"
		exit 1
	}
	echo "ok      $name"
}

build_again() {
	cd "$work" && rm -rf again && mkdir -p again/elsewhere &&
	    cd again/elsewhere && dpkg-source -x "$work"/out/*.dsc tree &&
	    cd tree && umask 027 &&
	    TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/nonexistent \
	    DEB_BUILD_OPTIONS="nocheck parallel=3" \
	    dpkg-buildpackage -us -uc --build=binary
}

# The same with a higher version, and a configuration with one line more.
make_next() {
	rm -rf "$work/next"
	dpkg-deb -R "$work/machine/first.deb" "$work/next" &&
	    sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control" &&
	    echo '# of the next version' \
		>>"$work/next/etc/pgsluice/pgsluice.conf" &&
	    dpkg-deb -b "$work/next" "$work/machine/next.deb"
}

rm -rf "$work/out" "$work/machine" "$work/rpm"
step deb "$top/packaging/build-deb.sh" --source --no-check \
    --out "$work/out" --work "$work/deb"
step deb-again build_again
for f in "$work"/out/*.deb; do
	sha256sum "$f" "$work/again/elsewhere/${f##*/}" | sed "s|$work/||"
	step "same-${f##*/}" cmp "$f" "$work/again/elsewhere/${f##*/}"
done
step lintian lintian --display-info --pedantic \
    --fail-on error,warning,info,pedantic "$work"/out/*.changes
step rpm "$top/packaging/build-rpm.sh" --no-check --out "$work/rpm" \
    --work "$work/rpmbuild"

mkdir "$work/machine"
cp "$work"/out/pgsluice_*_*.deb "$work/machine/first.deb"
cp "$top"/tests/packaging/{checks.sh,confined.py,deb.sh} \
    "$top/packaging/debian/tests/psql" "$work/machine/"
step next make_next
"$top/tests/packaging/root.sh" "$work/machine" bash /packages/deb.sh
