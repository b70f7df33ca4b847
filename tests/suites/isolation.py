#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""PostgreSQL's isolation tests through pgsluice, in session pooling: the
tester asks pg_locks for the pids that it was told at login."""

import os
import sys

import suites

DATABASE = "isolation_regression"


def main():
    given = suites.arguments(__doc__, "direct,session")
    suites.fetch(given.work, "postgresql")
    source = os.path.join(given.work, "postgresql", "source", "src", "test",
                          "isolation")
    results = {}
    for name in given.columns:
        folder = os.path.join(given.work, "isolation")
        with suites.PLAIN[name].reach(folder, [DATABASE, "postgres"]) as (port, *_):
            results[name] = suites.run_regress(
                "isolation/pg_isolation_regress", port,
                os.path.join(folder, name),
                [f"--inputdir={source}", f"--dbname={DATABASE}"] +
                (given.tests or [f"--schedule={source}/isolation_schedule"]))
    sys.exit(1 if suites.report(results, suites.Review("isolation"),
                                given.accept) else 0)


if __name__ == "__main__":
    main()
