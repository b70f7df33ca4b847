#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# The dashboard's charts are drawn by uPlot (MIT), by Leon Sorokin.
# Its minified file is kept here, since packages are built without a network.
#
#   vendor.sh           compare with SHA256SUMS, without a network
#   vendor.sh --check   compare with what npm has as this version
#   vendor.sh --update  take this version from npm and write SHA256SUMS
set -eu

version=1.6.32
cd "$(dirname "$0")"

fetch() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && npm pack --silent "uplot@$version" >/dev/null &&
	    tar xzf "uplot-$version.tgz")
	mv "$work/package/LICENSE" "$work/package/dist/uPlot.LICENSE"
}

case ${1-} in
'')
	sha256sum --check SHA256SUMS
	;;
--check)
	fetch
	sha256sum --check SHA256SUMS
	(cd "$work/package/dist" && sha256sum --check --quiet "$OLDPWD/SHA256SUMS")
	echo "uPlot $version is what npm has"
	;;
--update)
	fetch
	for f in uPlot.LICENSE uPlot.iife.min.js uPlot.min.css; do
		cp "$work/package/dist/$f" .
	done
	sha256sum uPlot.LICENSE uPlot.iife.min.js uPlot.min.css >SHA256SUMS
	;;
*)
	echo "usage: vendor.sh [--check|--update]" >&2
	exit 2
	;;
esac
