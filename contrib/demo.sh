#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# From a fresh Debian 12 to the table of the scenario `events`, no questions
# asked: packages, build, five PostgreSQL clusters and Redis on loopback, rows,
# pgsluice in front, the comparison.  Nothing is left running, and nothing that
# runs already is touched.
set -eu

usage() {
	cat <<END
usage: contrib/demo.sh [options]
  --per-month N   rows a month, 24 months (default 20000; full size 500000)
  --bin PATH      use this pgsluice instead of building one
  --work DIR      work folder (default: a new one in \${TMPDIR:-/var/tmp})
  --port-base N   first port used (default 54321; 0: any that are free)
  --keep          leave everything running, say how to use and to stop it
  --no-deps       do not look for missing packages
END
}

per_month=20000
bin=
work=
port_base=54321
keep=
deps=yes
while [ $# -gt 0 ]; do
	case $1 in
	--per-month|--bin|--work|--port-base)
		[ $# -ge 2 ] || { usage >&2; exit 2; } ;;
	esac
	case $1 in
	--per-month) per_month=$2; shift ;;
	--bin) bin=$2; shift ;;
	--work) work=$2; shift ;;
	--port-base) port_base=$2; shift ;;
	--keep) keep=--keep ;;
	--no-deps) deps= ;;
	-h|--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
step() { printf '== %s\n' "$*"; }

if [ -n "$bin" ]; then
	[ -x "$bin" ] || { echo "demo.sh: no program $bin" >&2; exit 1; }
	bin=$(cd "$(dirname "$bin")" && pwd)/$(basename "$bin")
fi
if [ -z "$work" ]; then
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/pgsluice-demo.XXXXXX")
else
	mkdir -p "$work"
	work=$(cd "$work" && pwd)
fi
# The servers run as another user when this is run as root.
chmod 755 "$work"

if [ -n "$deps" ]; then
	step "packages"
	groups="build lab"
	[ -z "$bin" ] || groups=lab
	"$here/deps.sh" $groups >"$work/deps.log" 2>&1 || {
		tail -n 20 "$work/deps.log" >&2
		exit 1
	}
fi

if [ -z "$bin" ]; then
	step "building pgsluice (log: $work/build.log)"
	# A tree that was configured in place cannot be built from elsewhere.
	build=$work/build
	[ ! -f "$top/config.status" ] || build=$top
	mkdir -p "$build"
	{
		[ -x "$top/configure" ] || (cd "$top" && ./autogen.sh)
		cd "$build"
		[ -f Makefile ] || "$top/configure"
		make -j "$(nproc)" pgsluice
	} >"$work/build.log" 2>&1 || {
		tail -n 30 "$work/build.log" >&2
		exit 1
	}
	bin=$build/pgsluice
fi

step "scenario events"
# Debian's own python3, the one that python3-psycopg is installed for.
export PYTHONDONTWRITEBYTECODE=1
set -- --bin "$bin" --work "$work" --per-month "$per_month" \
	--port-base "$port_base" --json "$work/events.json" $keep
status=0
/usr/bin/python3 "$here/lab/events/run.py" "$@" || status=$?
step "logs, plans and events.json are in $work"
exit "$status"
