#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# From a fresh Debian 12 to the table of the scenario `events`, no questions
# asked: packages, build, five PostgreSQL clusters and Redis on loopback, rows,
# pgsluice in front, the comparison.  Nothing is left running, and nothing that
# runs already is touched.
set -eu
unset CDPATH

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
# took SECONDS-SINCE-EPOCH: how long ago that was
took() { printf '   %s s\n' $(($(date +%s) - $1)); }
# configure takes no blanks in the path of a folder.
has_odd_name() {
	case $1 in
	*[!A-Za-z0-9/._+,:@%=~-]*) return 0 ;;
	esac
	return 1
}

if [ -n "$bin" ]; then
	[ -x "$bin" ] || { echo "demo.sh: no program $bin" >&2; exit 1; }
	bin=$(cd "$(dirname "$bin")" && pwd)/$(basename "$bin")
fi
if [ -z "$work" ]; then
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/pgsluice-demo.XXXXXX")
else
	mkdir -p "$work"
fi
work=$(cd "$work" && pwd)
# The servers run as another user when this is run as root.
chmod 755 "$work"

if [ -n "$deps" ]; then
	step "packages (log: $work/deps.log)"
	groups="build lab"
	[ -z "$bin" ] || groups=lab
	began=$(date +%s)
	"$here/deps.sh" $groups >"$work/deps.log" 2>&1 || {
		tail -n 20 "$work/deps.log" >&2
		exit 1
	}
	took "$began"
fi

# build SOURCE FOLDER
build() {
	[ -x "$1/configure" ] || (cd "$1" && ./autogen.sh) || return 1
	cd "$2" || return 1
	[ -f Makefile ] || "$1/configure" || return 1
	make -j "$(nproc)" pgsluice
}

if [ -z "$bin" ]; then
	step "building pgsluice (log: $work/build.log)"
	began=$(date +%s)
	source=$top
	folder=$work/build
	scratch=
	if has_odd_name "$top" || has_odd_name "$work"; then
		scratch=$(mktemp -d /tmp/pgsluice-build.XXXXXX)
		trap 'rm -rf "$scratch"' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
		ln -s "$top" "$scratch/source"
		source=$scratch/source
		folder=$scratch/build
	fi
	# A tree that was configured in place cannot be built from elsewhere.
	[ ! -f "$top/config.status" ] || folder=$source
	mkdir -p "$folder"
	(build "$source" "$folder") >"$work/build.log" 2>&1 || {
		tail -n 30 "$work/build.log" >&2
		exit 1
	}
	bin=$folder/pgsluice
	if [ -n "$scratch" ]; then
		cp -f "$bin" "$work/pgsluice"
		bin=$work/pgsluice
		rm -rf "$scratch"
		trap - EXIT INT TERM
	fi
	took "$began"
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
