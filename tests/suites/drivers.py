#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Drivers' own test suites through pgsluice, from their sources in the versions
of drivers.pins.

Compared is each single test: what passes directly has to pass through
pgsluice. TESTs are names of drivers.  The driver itself is the system's, so the
version is that of the installed package.
"""

import importlib
import os
import shutil
import sys

import suites
from driver import results, sources

# Packages that have their tests in the same form.
SAME = dict.fromkeys(["pg-cursor", "pg-pool", "pg-query-stream"], "node")


class Driver:
    """A line of drivers.pins.  What runs its tests is driver/NAME.py:

    build(folder, version, *WITH)  optional, once, in the unpacked sources
    setup(folder, psql)            optional, on each new cluster, directly
    DATABASES                      optional, those that its tests make
    run(folder, port, out)         {test: whether it passed}; skipped ones not
    """

    def __init__(self, line, work):
        self.name, registry, package, version, *more = line.split()
        self.suite = importlib.import_module(
            "driver." + SAME.get(self.name, self.name))
        self.folder = os.path.join(work, "drivers-source",
                                   f"{self.name}-{version}")
        complete = os.path.join(self.folder, ".complete")
        if os.path.exists(complete):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        getattr(sources, registry)(package, version, self.folder)
        if hasattr(self.suite, "build"):
            self.suite.build(self.folder, version, *more)
        with open(complete, "w"):
            pass

    def run(self, port, pg, out):
        if hasattr(self.suite, "setup"):
            self.suite.setup(self.folder, pg.psql)
        return self.suite.run(self.folder, port, out)


def read_list(work, wanted):
    with open(os.path.join(suites.HERE, "drivers.pins")) as f:
        lines = [line for line in f
                 if line.strip() and not line.startswith("#")]
    names = [line.split()[0] for line in lines]
    for name in set(wanted) - set(names):
        sys.exit(f"drivers.pins has no driver {name}, but "
                 f"{', '.join(names)}")
    return [Driver(line, work) for name, line in zip(names, lines)
            if not wanted or name in wanted]


def table(passed):
    """Passes of every driver in every column."""
    columns = list(passed)
    drivers = dict.fromkeys(t.split(":")[0] for t in passed["direct"])
    print(f"{'passes':16}", *(f"{c:>11}" for c in columns))
    for name in drivers:
        counts = [sum(ok for t, ok in passed[c].items()
                      if t.startswith(name + ":")) for c in columns]
        print(f"{name:16}", *(f"{n:>11}" for n in counts))
    print()


def main():
    given = suites.arguments(__doc__, "direct,session,transaction")
    if "direct" not in given.columns:
        given.columns.insert(0, "direct")
    drivers = read_list(given.work, given.tests)
    passed = {}
    for column in given.columns:
        work = os.path.join(given.work, "drivers")
        passed[column] = {}
        for driver in drivers:
            with suites.PLAIN[column].reach(
                    work, [results.DATABASE, "postgres"],
                    later=getattr(driver.suite, "DATABASES", ())) as (
                        port, pg, _):
                out = suites.open_folder(given.work, "drivers-output", column,
                                         driver.name)
                for test, ok in driver.run(port, pg, out).items():
                    passed[column][f"{driver.name}:{test}"] = ok
    failed_directly = {t for t, ok in passed["direct"].items() if not ok}
    print(f"not compared, as they fail directly: "
          f"{', '.join(sorted(failed_directly)) or 'none'}")
    table(passed)
    found = {c: {t: "" if passed[c].get(t) else "does not pass\n"
                 for t in passed["direct"] if t not in failed_directly}
             for c in given.columns}
    sys.exit(1 if suites.report(found, suites.Review("drivers", pins=False),
                                brief=True) else 0)


if __name__ == "__main__":
    main()
