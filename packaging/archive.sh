#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Makes the release archive of this tree in a build folder of its own, and
# prints its name. What is said meanwhile goes to stderr. The same tree gives
# the same archive, byte for byte, with the same versions of the tools.
#
#   packaging/archive.sh FOLDER
set -euo pipefail
unset CDPATH

top=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:?usage: archive.sh FOLDER}

[ -x "$top/configure" ] || "$top/autogen.sh" >&2
mkdir -p "$dir"
cd "$dir"
rm -f pgsluice-*.tar.xz
[ -e config.status ] || "$top/configure" >&2

# One time for all files: that of the last commit, or, in what an archive was
# unpacked to, the one they have already.
epoch=${SOURCE_DATE_EPOCH-}
[ -n "$epoch" ] || [ ! -e "$top/.git" ] ||
    epoch=$(git -C "$top" log -1 --format=%ct)
[ -n "$epoch" ] || epoch=$(stat -c %Y "$top/NEWS.md")
export LC_ALL=C TAR_OPTIONS="--sort=name --mtime=@$epoch --owner=0 --group=0
    --numeric-owner --mode=u+rw,go=u,go-w --pax-option=delete=atime,delete=ctime"
TAR_OPTIONS=$(echo $TAR_OPTIONS)
make dist >&2
printf '%s\n' "$PWD"/pgsluice-*.tar.xz
