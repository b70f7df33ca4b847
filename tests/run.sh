#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Everything that is tested, in one command: installs what is missing, builds
# outside the tree as a developer build, runs `make check` (unit tests, corpus
# replay, lint) and the end-to-end tests against real PostgreSQL and Redis.
# No packages but Debian's are needed, with two exceptions, which npm fetches to
# --work: axe-core, and, where nodejs is not Debian's, node-postgres.
#
#   tests/run.sh [options]
#     --work DIR    where to build (default ${TMPDIR:-/tmp}/pgsluice-test-UID)
#     --sanitize    all of it once more under ASan and UBSan
#     --tsan        build also under TSan, for `make check` and those of the
#                   end-to-end tests in which threads meet (about 5 minutes)
#     --clang       also build and `make check` with clang
#     --dist        also `make distcheck`
#     --unit-only   no end-to-end tests
#     --e2e-only    no `make check`
#     --no-install  do not install packages
#   arguments after -- go to pytest.
set -uo pipefail
unset CDPATH

top=$(cd "$(dirname "$0")/.." && pwd)
work=${TMPDIR:-/tmp}/pgsluice-test-$UID
stages=(plain)
unit=1 e2e=1 install=1 clang=
pytest_args=()
summary=()
failed=0
e2e_total=0

# Where threads meet: pools over several workers, cancels, hubs, the cache with
# its fills and Redis, reloads, console tours, logins, lookups, connectors.
thread_tests=(test_api.py test_auth_query.py test_cache.py test_cancel.py
	test_conf.py test_console_steering.py test_listen.py test_mirror.py test_pool.py
	test_races.py test_server_limits.py test_statement_log.py test_storm.py)

usage() {
	sed -n '/^#   tests\/run.sh/,/^set /p' "$0" | sed -n 's/^# \{0,3\}//p'
}

while [ $# -gt 0 ]; do
	case $1 in
	--work) work=${2:?--work needs a directory}; shift ;;
	--sanitize) stages+=(sanitize) ;;
	--tsan) stages+=(tsan) ;;
	--clang) stages+=(clang); clang=clang ;;
	--dist) stages+=(dist) ;;
	--unit-only) e2e= ;;
	--e2e-only) unit= ;;
	--no-install) install= ;;
	--) shift; pytest_args=("$@"); break ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
mkdir -p "$work/logs" || exit 1
work=$(cd "$work" && pwd)

# configure takes no blanks in the path of a folder: a source tree can be
# reached by another name, a build folder cannot.
has_odd_name() {
	case $1 in
	*[!A-Za-z0-9/._+,:@%=~-]*) return 0 ;;
	esac
	return 1
}

if has_odd_name "$work"; then
	echo "run.sh: cannot build in '$work': give a --work whose name has no" \
	    "blanks or quotes" >&2
	exit 2
fi
if has_odd_name "$top"; then
	ln -sfn "$top" "$work/source"
	top=$work/source
fi

note() {
	summary+=("$(printf '%-26s %-6s %5ss  %s' "$1" "$2" "$3" "${4-}")")
}

# step NAME COMMAND...: run with the output in a log; on failure show its end.
step() {
	local name=$1 log=$work/logs/$1.log start=$SECONDS
	shift
	echo "== $name"
	if "$@" >"$log" 2>&1; then
		note "$name" ok $((SECONDS - start)) "$(count "$name" "$log")"
		return 0
	fi
	tail -n 60 "$log"
	echo "== $name failed; all of it is in $log"
	note "$name" FAILED $((SECONDS - start)) "$(count "$name" "$log")"
	failed=1
	return 1
}

# Leads the test of node-postgres to one: Debian's, or one from npm.
node_postgres() {
	local folder=$work/node path

	for path in ${NODE_PATH:+"$NODE_PATH"} /usr/share/nodejs \
	    "$folder/node_modules"; do
		has_node_postgres "$path" && break
		path=
	done
	if [ -z "$path" ] && [ -z "$install" ]; then
		echo "no node-postgres: its test has to find one by itself"
		return 0
	fi
	if [ -z "$path" ]; then
		path=$folder/node_modules
		mkdir -p "$folder" &&
		    npm install --prefix "$folder" --no-save --no-audit \
			--no-fund --ignore-scripts --no-update-notifier pg@8 \
			</dev/null &&
		    has_node_postgres "$path" || return 1
	fi
	echo "node-postgres in $path"
	export NODE_PATH=$path
}

# axe-core for the test of the dashboard: it says what is not accessible.
AXE_VERSION=4.14.1
axe_core() {
	local folder=$work/axe-$AXE_VERSION
	local file=$folder/node_modules/axe-core/axe.min.js

	export AXE_CORE=${AXE_CORE:-$file}
	if [ -e "$AXE_CORE" ] || [ -z "$install" ]; then
		echo "axe-core in $AXE_CORE"
		return 0
	fi
	mkdir -p "$folder" &&
	    npm install --prefix "$folder" --no-save --no-audit --no-fund \
		--ignore-scripts --no-update-notifier "axe-core@$AXE_VERSION" \
		</dev/null &&
	    [ -e "$AXE_CORE" ]
}

has_node_postgres() {
	(cd / && NODE_PATH=$1 exec node -e "require('pg')") 2>/dev/null
}

# One line of numbers out of a step's log.
count() {
	case $1 in
	*-check)
		awk '/^# (TOTAL|PASS|FAIL|ERROR|SKIP):/ {
			n[$2] += $3 }
		END { printf "%d programs, %d failed, %d skipped", n["TOTAL:"],
			n["FAIL:"] + n["ERROR:"], n["SKIP:"] }' "$2"
		cat "$work/${1%-check}"/tests/unit/test_*.log 2>/dev/null |
		    awk '/\[==========\] [0-9]+ test\(s\) run/ { n += $2 }
		    END { printf "; %d unit tests", n }'
		cat "$work/${1%-check}"/tests/fuzz/replay_*.log 2>/dev/null |
		    awk '/ files, / { f++; n += $4 }
		    END { printf "; %d corpora, %d inputs", f, n }'
		;;
	esac
}

# A build folder serves one source tree: what another one left is thrown away.
configure() {
	local dir=$work/$1 source
	shift
	source=$(cd "$top" && pwd -P) || return 1
	[ "$(cat "$dir/source-tree" 2>/dev/null)" = "$source" ] || rm -rf "$dir"
	mkdir -p "$dir" && cd "$dir" || return 1
	echo "$source" >source-tree
	[ config.status -nt "$top/configure" ] || "$top/configure" \
	    --enable-developer --prefix="$PWD/inst" "$@"
}

# build STAGE CONFIGURE-OPTIONS...
build() {
	local stage=$1
	shift
	step "$stage-configure" configure "$stage" "$@" &&
	step "$stage-make" make -C "$work/$stage" -j"$(nproc)"
}

check() {
	[ -n "$unit" ] || return 0
	step "$1-check" make -C "$work/$1" -j"$(nproc)" check VERBOSE=1
}

# Numbers of a JUnit file: total failed skipped.
junit() {
	/usr/bin/python3 - "$1" <<'END'
import sys
import xml.etree.ElementTree as tree
total = failed = skipped = 0
try:
    for suite in tree.parse(sys.argv[1]).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
except (OSError, tree.ParseError):
    pass
print(total, failed, skipped)
END
}

# end_to_end STAGE [FILE...]: by default all files. A sanitizer's report of any
# process of the test is a failure, even where the test itself saw nothing.
end_to_end() {
	local stage=$1 start=$SECONDS xml=$work/logs/$1-e2e.xml
	local reports=$work/$1/reports rc total bad skipped files=(tests/e2e)
	[ -n "$e2e" ] || return 0
	shift
	[ $# = 0 ] || files=("${@/#/tests/e2e/}")
	echo "== $stage-e2e"
	rm -rf "$reports" "$xml"
	mkdir -p -m 1777 "$reports"
	(
		cd "$top" || exit 1
		export PGSLUICE_BIN=$work/$stage/pgsluice
		export TENANT_TOOL=$work/$stage/tests/e2e/tenant_tool
		export PYTHONDONTWRITEBYTECODE=1
		export PGSLUICE_ARTEFACTS=$work/logs/$stage-screens
		export ASAN_OPTIONS=log_path=$reports/asan
		export UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/ubsan
		exec /usr/bin/python3 -m pytest "${files[@]}" -n 4 --timeout 300 \
		    -q -p no:cacheprovider --junitxml "$xml" \
		    ${pytest_args[@]+"${pytest_args[@]}"}
	) 2>&1 | tee "$work/logs/$stage-e2e.log"
	rc=${PIPESTATUS[0]}
	read -r total bad skipped < <(junit "$xml")
	e2e_total=$((e2e_total + total - skipped))
	if [ -n "$(ls -A "$reports")" ]; then
		tail -n 60 "$reports"/*
		rc=1
	fi
	[ "$rc" = 0 ] || failed=1
	note "$stage-e2e" "$([ "$rc" = 0 ] && echo ok || echo FAILED)" \
	    $((SECONDS - start)) "$total tests, $bad failed, $skipped skipped"
}

run_stage() {
	case $1 in
	plain) build plain && check plain && harden && end_to_end plain ;;
	clang) build clang CC=clang && check clang ;;
	sanitize)
		build sanitize --enable-sanitizers CFLAGS='-O1 -g' &&
		    check sanitize && end_to_end sanitize ;;
	tsan)
		build tsan --enable-sanitizers=thread CFLAGS='-O1 -g' &&
		    check tsan && end_to_end tsan "${thread_tests[@]}" ;;
	dist)
		step dist-configure configure dist &&
		    step dist-distcheck make -C "$work/dist" \
			-j"$(nproc)" distcheck ;;
	esac
}

# The units' exposure, where systemd can tell (threshold in tenths).
harden() {
	local name units=packaging/systemd
	[ -n "$unit" ] || return 0
	command -v systemd-analyze >/dev/null || return 0
	for name in pgsluice pgsluice@; do
		make -s -C "$work/plain" "$units/$name.service" || return 1
		step "exposure-$name" systemd-analyze security --offline=true \
		    --threshold=11 "$work/plain/$units/$name.service" ||
		    return 1
	done
}

main() {
	local stage line begin=$SECONDS ready=1
	if [ -n "$install" ]; then
		step packages "$top/contrib/deps.sh" build test $clang ||
		    ready=
	fi
	[ -z "$ready" ] || [ -z "$e2e" ] || step node-postgres node_postgres
	[ -z "$ready" ] || [ -z "$e2e" ] || step axe-core axe_core
	if [ -e "$top/config.status" ]; then
		echo "the tree itself is configured: make distclean first" >&2
		failed=1
	elif [ -n "$ready" ] && step autogen autogen; then
		for stage in "${stages[@]}"; do
			run_stage "$stage" || failed=1
		done
	fi
	if [ -n "$e2e" ] && [ "$e2e_total" = 0 ]; then
		echo "no end-to-end test ran"
		failed=1
	fi
	echo
	echo "== summary"
	for line in ${summary[@]+"${summary[@]}"}; do
		echo "$line"
	done
	echo "$((SECONDS - begin)) s in all:" \
	    "$([ $failed = 0 ] && echo passed || echo FAILED)"
	exit $failed
}

# Only when something that goes into configure changed since.
autogen() {
	local out=$top/configure
	if [ -e "$out" ] && [ -e "$top/Makefile.in" ] &&
	    [ -z "$(find "$top/" -path "$top/.git" -prune -o \
		\( -name configure.ac -o -name Makefile.am -o -name '*.mk' \
		-o -name '*.m4' \) -newer "$out" ! -name aclocal.m4 -print \
		-quit)" ]; then
		return 0
	fi
	"$top/autogen.sh" && touch "$out"
}

main
