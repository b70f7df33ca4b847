#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Makes Debian packages out of this tree: the upstream archive by `make dist`,
# unpacked elsewhere, packaging/debian beside it as debian/, dpkg-buildpackage.
# Writes to --out and --work only.
#
#   packaging/build-deb.sh [options]
#     --out DIR     where the packages go (default: the current folder)
#     --work DIR    where to build (default: a folder that is removed)
#     --source      the source package, too
#     --no-check    without `make check`
#     --deps        install what is missing first, by contrib/deps.sh deb
set -euo pipefail
unset CDPATH

top=$(cd "$(dirname "$0")/.." && pwd)
out=$PWD work='' kind=--build=binary check='' deps=''

usage() {
	sed -n '/^#   packaging/,/^set /p' "$0" | sed -n 's/^# \{0,3\}//p'
}

while [ $# -gt 0 ]; do
	case $1 in
	--out) out=${2:?--out needs a directory}; shift ;;
	--work) work=${2:?--work needs a directory}; shift ;;
	--source) kind=--build=full ;;
	--no-check) check=nocheck ;;
	--deps) deps=1 ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

[ -z "$deps" ] || "$top/contrib/deps.sh" deb
for tool in dpkg-buildpackage dh; do
	command -v "$tool" >/dev/null || {
		echo "build-deb.sh: $tool is missing: contrib/deps.sh deb, or" \
		    "--deps" >&2
		exit 1
	}
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ -z "$work" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)

version=$(dpkg-parsechangelog -l "$top/packaging/debian/changelog" -S Version)
upstream=${version%-*}
archive=$("$top/packaging/archive.sh" "$work/dist")
case $archive in
*/"pgsluice-$upstream.tar.xz") ;;
*)
	echo "build-deb.sh: make dist has made ${archive##*/}, but" \
	    "packaging/debian/changelog says $upstream" >&2
	exit 1
	;;
esac

rm -rf "$work/deb"
mkdir "$work/deb"
cp "$archive" "$work/deb/pgsluice_$upstream.orig.tar.xz"
cd "$work/deb"
tar -xJf "pgsluice_$upstream.orig.tar.xz"
cd "pgsluice-$upstream"
cp -R packaging/debian debian
DEB_BUILD_OPTIONS="parallel=$(nproc) $check ${DEB_BUILD_OPTIONS-}" \
    dpkg-buildpackage -us -uc "$kind"
cd ..
find . -maxdepth 1 -type f -exec cp {} "$out/" \;
