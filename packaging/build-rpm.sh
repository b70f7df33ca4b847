#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Makes RPM packages out of this tree: the upstream archive by `make dist`, and
# packaging/rpm/pgsluice.spec. Writes to --out and --work only.
#
#   packaging/build-rpm.sh [options]
#     --out DIR     where the packages go (default: the current folder)
#     --work DIR    where to build (default: a folder that is removed)
#     --no-check    without `make check`
#     --deps        install what is missing first, by contrib/deps.sh rpm
#
# On Debian, whose packages rpm does not know, the spec's BuildRequires are not
# looked at: configure finds what is missing.
set -euo pipefail
unset CDPATH

top=$(cd "$(dirname "$0")/.." && pwd)
out=$PWD work='' deps='' options=()

usage() {
	sed -n '/^#   packaging/,/^#$/p' "$0" | sed -n 's/^# \{0,3\}//p'
}

while [ $# -gt 0 ]; do
	case $1 in
	--out) out=${2:?--out needs a directory}; shift ;;
	--work) work=${2:?--work needs a directory}; shift ;;
	--no-check) options+=(--without check) ;;
	--deps) deps=1 ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

[ -z "$deps" ] || "$top/contrib/deps.sh" rpm
command -v rpmbuild >/dev/null || {
	echo "build-rpm.sh: rpmbuild is missing: contrib/deps.sh rpm, or --deps" >&2
	exit 1
}
[ ! -e /etc/debian_version ] || options+=(--nodeps)
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ -z "$work" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)

spec=$top/packaging/rpm/pgsluice.spec
version=$(sed -n 's/^Version: *//p' "$spec")
archive=$("$top/packaging/archive.sh" "$work/dist")
[ "${archive##*/}" = "pgsluice-$version.tar.xz" ] || {
	echo "build-rpm.sh: make dist has made ${archive##*/}, but $spec says" \
	    "$version" >&2
	exit 1
}

rm -rf "$work/rpm"
mkdir -p "$work/rpm/SOURCES"
cp "$archive" "$work/rpm/SOURCES/"
rpmbuild -ba "${options[@]}" --define "_topdir $work/rpm" "$spec"
find "$work/rpm/RPMS" "$work/rpm/SRPMS" -name '*.rpm' -exec cp {} "$out/" \;
