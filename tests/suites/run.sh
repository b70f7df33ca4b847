#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# Others' test suites, direct and through pgsluice: see README.md.
#   tests/suites/run.sh SUITE [--work DIR] [--columns NAME,...] [TEST...]
# SUITE: regress, replay, isolation, pipeline, dump, drivers (TEST: a driver).
here=$(cd "$(dirname "$0")" && pwd)
suite=$1
shift
[ -n "$suite" ] && [ -e "$here/$suite.py" ] && [ "$suite" != suites ] || {
	sed -n 's/^# \{0,3\}//p' "$0" | tail -n +2 >&2
	exit 2
}
exec /usr/bin/python3 -B "$here/$suite.py" "$@"
