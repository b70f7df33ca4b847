#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# PostgreSQL's regression tests, direct and through pgsluice: see README.md.
#   tests/suites/regress.sh [--work DIR] [--columns NAME,...] [TEST...]
exec /usr/bin/python3 -B "$(dirname "$0")/regress.py" "$@"
