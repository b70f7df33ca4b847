#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Fetches the sources whose test suites are run through pgsluice: Debian source
# packages, by apt, with lists and keys of its own, so that nothing of the
# system's apt is changed and nothing is installed.
#
#   tests/suites/source.sh WORK postgresql
#     WORK/postgresql/source   PostgreSQL's source, of the version of the
#                              installed server
#     WORK/postgresql/dev      headers and static libraries of that server
#     WORK/postgresql/lib      regress.so and the modules that its tests load
#     WORK/postgresql/bin      libpq_pipeline
#   tests/suites/source.sh WORK NAME VERSION
#     WORK/NAME                any other source package
#
# What is there already is not fetched again.
set -euo pipefail

work=${1:?usage: source.sh WORK NAME [VERSION]}
name=${2:?usage: source.sh WORK NAME [VERSION]}
version=${3-}
major=15

mkdir -p "$work/fetch/lists/partial" "$work/fetch/cache/archives/partial"
work=$(cd "$work" && pwd)

# The mirrors are those that the system has for its binary packages.
mirrors() {
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg

	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' \
	    'Created-By: Packages' | awk -v keys="$keys" '
		$3 == "Debian" && !seen[$1 $2]++ {
			print "deb-src [signed-by=" keys "]", $1, $2, "main"
			print "deb [signed-by=" keys "]", $1, $2, "main"
		}'
}

apt() {
	local tool=$1
	shift
	env LC_ALL=C "$tool" -q \
	    -o Dir::Etc::SourceList="$work/fetch/sources.list" \
	    -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/fetch/lists" \
	    -o Dir::Cache="$work/fetch/cache" -o APT::Sandbox::User=root "$@"
}

update() {
	[ ! -s "$work/fetch/sources.list" ] || return 0
	mirrors >"$work/fetch/new.list"
	[ -s "$work/fetch/new.list" ] || {
		echo "source.sh: apt knows no mirror of Debian: run apt-get" \
		    "update first" >&2
		return 1
	}
	mv "$work/fetch/new.list" "$work/fetch/sources.list"
	apt apt-get update || {
		rm "$work/fetch/sources.list"
		return 1
	}
}

# source_package NAME VERSION FOLDER: unpacked without Debian's patches, which
# some of the trees are not meant to be tested with.
source_package() {
	local there=$work/fetch/$1-$2 orig

	[ ! -e "$3/.complete" ] || return 0
	update
	mkdir -p "$there"
	(cd "$there" && apt apt-get source --download-only \
	    --only-source "$1=$2") || {
		echo "source.sh: no source of $1 $2; versions there are:" \
		    "$(apt apt-cache showsrc --only-source "$1" |
			sed -n 's/^Version: //p' | paste -sd ' ')" >&2
		return 1
	}
	rm -rf "$3"
	mkdir -p "$3"
	for orig in "$there"/*.orig.tar.*; do
		case $orig in
		*.asc) ;;
		*) tar -xf "$orig" -C "$3" --strip-components=1 \
		    --no-same-owner ;;
		esac
	done
	touch "$3/.complete"
}

# The dpkg version of the installed server: what the suite is compared with
# must be of the same minor version, and newer ones may be in the archive.
server_version() {
	dpkg-query -W -f '${Version}' "postgresql-$major"
}

# Headers and static libraries of the server as Debian built it, unpacked
# without being installed.
development_files() {
	local deb

	[ ! -e "$2/.complete" ] || return 0
	update
	rm -rf "$2"
	mkdir -p "$2" "$work/fetch/dev"
	(cd "$work/fetch/dev" && apt apt-get download \
	    "postgresql-server-dev-$major=$1")
	for deb in "$work/fetch/dev"/*.deb; do
		dpkg-deb -x "$deb" "$2"
	done
	touch "$2/.complete"
}

build_postgresql() {
	local base=$work/postgresql source=$work/postgresql/source file
	local modules=/usr/lib/postgresql/$major/lib
	local include=$base/dev/usr/include/postgresql/$major/server

	mkdir -p "$base/lib" "$base/bin"
	for file in autoinc refint; do
		ln -sfn "$modules/$file.so" "$base/lib/$file.so"
	done
	[ -e "$base/lib/regress.so" ] ||
	    gcc -O2 -fPIC -shared -I"$include" \
		-o "$base/lib/regress.so" "$source/src/test/regress/regress.c"
	[ -e "$base/bin/libpq_pipeline" ] ||
	    gcc -O2 -I"$(pg_config --includedir)" -I"$include" \
		-I"$source/src/interfaces/libpq" \
		-o "$base/bin/libpq_pipeline" \
		"$source/src/test/modules/libpq_pipeline/libpq_pipeline.c" \
		-L"$base/dev/usr/lib/postgresql/$major/lib" -lpq \
		-lpgcommon -lpgport
}

case $name in
postgresql)
	version=$(server_version)
	mkdir -p "$work/postgresql"
	source_package "postgresql-$major" "$version" "$work/postgresql/source"
	development_files "$version" "$work/postgresql/dev"
	build_postgresql
	;;
*)
	source_package "$name" "${version:?source.sh: which version of $name?}" \
	    "$work/$name"
	;;
esac
