#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pgsluice beside PostgreSQL itself, PgBouncer and the two limits (canned
# replies, byte relay), in one interleaved run; README.md tells how to read
# what comes out.
#
#   tests/bench/run.sh [options]
#     --part NAME    cpu, pgbench or idle; may be repeated (default: all)
#     --repeats N    runs of every cell (default 5)
#     --seconds S    length of one run (default 2)
#     --quick        one repeat of 1 s, small tables: does it work at all?
#     --clients N    idle clients of part idle (default 5000)
#     --bin PATH     use this pgsluice instead of building one
#     --csv FILE     every single run (default: bench.csv in the work folder)
#     --work DIR     where to work (default ${TMPDIR:-/tmp}/pgsluice-bench-UID)
#     --no-install   do not install packages
#
# Exit status 0 unless something could not be run: figures over their target
# are reported, not failures.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
work=${TMPDIR:-/tmp}/pgsluice-bench-$UID
bin= install=1 csv=
pass=()

usage() {
	sed -n '/^#   tests\/bench/,/^# are rep/p' "$0" | sed 's/^# \{0,3\}//'
}

while [ $# -gt 0 ]; do
	case $1 in
	--bin | --csv | --work | --part | --repeats | --seconds | --clients)
		[ $# -ge 2 ] || { usage >&2; exit 2; } ;;
	esac
	case $1 in
	--bin) bin=$2; shift ;;
	--csv) csv=$2; shift ;;
	--work) work=$2; shift ;;
	--part | --repeats | --seconds | --clients) pass+=("$1" "$2"); shift ;;
	--quick) pass+=("$1") ;;
	--no-install) install= ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
mkdir -p "$work/programs" "$work/build"
work=$(cd "$work" && pwd)
csv=${csv:-$work/bench.csv}

if [ -n "$install" ]; then
	groups="build bench"
	# shellcheck disable=SC2086
	"$top/contrib/deps.sh" $groups >"$work/deps.log" 2>&1 || {
		tail -n 20 "$work/deps.log" >&2
		exit 1
	}
fi

# build DIR: a release build there.
build() (
	{ [ -x "$top/configure" ] || "$top/autogen.sh"; } && cd "$1" &&
	    { [ config.status -nt "$top/configure" ] ||
		"$top/configure" CFLAGS='-O2 -g'; } &&
	    make -j"$(nproc)" pgsluice
)

if [ -z "$bin" ]; then
	echo "building pgsluice (log: $work/build.log)"
	# A tree that was configured in place cannot be built from elsewhere.
	dir=$work/build
	[ ! -f "$top/config.status" ] || dir=$top
	build "$dir" >"$work/build.log" 2>&1 || {
		tail -n 30 "$work/build.log" >&2
		exit 1
	}
	bin=$dir/pgsluice
fi
bin=$(cd "$(dirname "$bin")" && pwd)/$(basename "$bin")

for p in canned relay load; do
	libs=
	[ $p != canned ] || libs=-levent_core
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra \
	    -o "$work/programs/$p" "$here/$p.c" $libs
done

export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$here/measure.py" --work "$work/run" --bin "$bin" \
    --programs "$work/programs" --csv "$csv" ${pass[@]+"${pass[@]}"}
