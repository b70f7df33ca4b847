#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Drivers' own test suites through pgsluice, from their sources in the versions
of drivers.pins.

Compared is each single test: what passes directly has to pass through
pgsluice. TESTs are names of drivers.  The driver itself is the system's, so the
version is that of the installed package.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree

import suites

DATABASE = "drivers"
TIMEOUT = 1200


def pypi(name, version, work):
    """The source of a Python package; its folder."""
    folder = os.path.join(work, "drivers", "source", f"{name}-{version}")
    if not os.path.exists(folder):
        parent = os.path.dirname(folder)
        os.makedirs(parent, exist_ok=True)
        subprocess.run(["pip", "download", "-q", "--no-deps",
                        "--no-binary", ":all:", "-d", parent,
                        f"{name}=={version}"], check=True)
        subprocess.run(["tar", "-xf", folder + ".tar.gz", "-C", parent],
                       check=True)
    return folder


def run_psycopg2(folder, port, out):
    xml_path = os.path.join(out, "tests.xml")
    with open(os.path.join(out, "tests.log"), "w") as log:
        subprocess.run(
            ["/usr/bin/python3", "-B", "-m", "pytest", "tests", "-q",
             "-p", "no:cacheprovider", "--timeout", "60", "--junitxml",
             xml_path],
            cwd=folder, stdout=log, stderr=log, check=False, timeout=TIMEOUT,
            env={**os.environ, "PSYCOPG2_TESTDB": DATABASE,
                 "PSYCOPG2_TESTDB_HOST": "127.0.0.1",
                 "PSYCOPG2_TESTDB_PORT": str(port),
                 "PSYCOPG2_TESTDB_USER": "postgres"})
    found = {}
    for case in xml.etree.ElementTree.parse(xml_path).iter("testcase"):
        if case.find("skipped") is None:
            name = f"{case.get('classname')}.{case.get('name')}"
            found[name] = case.find("failure") is None and \
                case.find("error") is None
    return found


SOURCES = {"pypi": pypi}
RUNS = {"psycopg2": run_psycopg2}


def read_list():
    """[(driver, registry, version)]"""
    with open(os.path.join(suites.HERE, "drivers.pins")) as f:
        return [line.split() for line in f
                if line.strip() and not line.startswith("#")]


def main():
    given = suites.arguments(__doc__, "direct,session,transaction")
    if "direct" not in given.columns:
        given.columns.insert(0, "direct")
    pins = [(n, r, v) for n, r, v in read_list()
            if not given.tests or n in given.tests]
    folders = {n: SOURCES[r](n, v, given.work) for n, r, v in pins}
    passed = {}
    for column in given.columns:
        work = os.path.join(given.work, "drivers")
        passed[column] = {}
        with suites.PLAIN[column].reach(work, [DATABASE]) as (port, *_):
            for name, folder in folders.items():
                out = suites.open_folder(work, column, "output",
                                         os.path.basename(name))
                for test, ok in RUNS[name](folder, port, out).items():
                    passed[column][f"{name}:{test}"] = ok
    failed_directly = {t for t, ok in passed["direct"].items() if not ok}
    print(f"not compared, as they fail directly: "
          f"{', '.join(sorted(failed_directly)) or 'none'}")
    results = {c: {t: "" if passed[c].get(t) else "does not pass\n"
                   for t in passed["direct"] if t not in failed_directly}
               for c in given.columns}
    sys.exit(1 if suites.report(results, suites.Review("drivers", pins=False),
                                brief=True) else 0)


if __name__ == "__main__":
    main()
