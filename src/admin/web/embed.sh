#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# Writes the dashboard's files as C to the standard output: `embed.sh FILE...`.
# Each is served under its bare name.  No tools but those every build has.
set -eu

type_of() {
	case $1 in
	*.html) echo 'text/html; charset=utf-8' ;;
	*.css) echo 'text/css; charset=utf-8' ;;
	*.js | *.mjs) echo 'text/javascript; charset=utf-8' ;;
	*.svg) echo 'image/svg+xml' ;;
	*)
		echo "embed.sh: $1: no such type of file is known" >&2
		return 1
		;;
	esac
}

echo '/* Written by src/admin/web/embed.sh. */'
echo '#include "admin/web.h"'
n=0
for file; do
	echo "static const unsigned char file_$n[] = {"
	od -An -v -tu1 "$file" | sed 's/[0-9][0-9]*/&,/g'
	echo '};'
	n=$((n + 1))
done
echo 'const struct web_file web_files[] = {'
n=0
for file; do
	type=$(type_of "$file")
	echo "	{ \"/${file##*/}\", \"$type\", file_$n, sizeof(file_$n) },"
	n=$((n + 1))
done
echo '};'
echo 'const size_t n_web_files = sizeof(web_files) / sizeof(web_files[0]);'
