#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""PostgreSQL's libpq_pipeline through pgsluice, with the messages that libpq
sent and got compared with the traces that PostgreSQL has of them."""

import difflib
import os
import subprocess
import sys

import suites

ROWS = "700"
TIMEOUT = 120


def run_test(base, test, port, folder):
    """The difference of one test, "" if there is none."""
    trace = os.path.join(folder, test + ".trace")
    command = [os.path.join(base, "bin", "libpq_pipeline"), "-r", ROWS, "-t",
               trace, test, f"host=127.0.0.1 port={port} dbname=postgres "
               "user=postgres sslmode=disable"]
    try:
        r = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False,
                           timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"no end after {TIMEOUT} s\n"
    if r.returncode:
        return f"{r.stdout}status {r.returncode}\n"
    expected = os.path.join(base, "source", "src", "test", "modules",
                            "libpq_pipeline", "traces", test + ".trace")
    if not os.path.exists(expected):
        return ""
    with open(expected) as a, open(trace) as b:
        lines = difflib.unified_diff(a.readlines(), b.readlines(), "expected",
                                     "seen")
    return "".join(list(lines)[2:])


def main():
    given = suites.arguments(__doc__, "direct,session,transaction")
    suites.fetch(given.work, "postgresql")
    base = os.path.join(given.work, "postgresql")
    tests = given.tests or subprocess.run(
        [os.path.join(base, "bin", "libpq_pipeline"), "tests"], text=True,
        capture_output=True, check=True).stdout.split()
    results = {}
    for name in given.columns:
        work = os.path.join(given.work, "pipeline")
        with suites.PLAIN[name].reach(work, ["postgres"]) as (port, *_):
            folder = suites.open_folder(work, name, "output")
            results[name] = {t: run_test(base, t, port, folder) for t in tests}
    sys.exit(1 if suites.report(results, suites.Review("pipeline"),
                                given.accept) else 0)


if __name__ == "__main__":
    main()
