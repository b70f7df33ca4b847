# SPDX-License-Identifier: PostgreSQL
"""What the drivers' runs share: test runners and the reading of their reports.
A result is {test: whether it passed}; what was skipped is not in it."""

import os
import subprocess
import xml.etree.ElementTree

DATABASE = "drivers"
TIMEOUT = 1200


def environment(port, **more):
    """The variables by which libpq and those like it find the server."""
    return {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(port),
            "PGUSER": "postgres", "PGDATABASE": DATABASE, **more}


def log_of(command, log, **more):
    """Runs the tests; their words go to the file log, failures stand there
    and in the report.  What does not end is ended, with what it started."""
    with open(log, "w") as f:
        with subprocess.Popen(command, stdout=f, stderr=subprocess.STDOUT,
                              start_new_session=True, **more) as process:
            try:
                process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                f.write(f"no end after {TIMEOUT} s\n")


def junit(*reports):
    found = {}
    for report in reports:
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            if case.find("skipped") is None:
                name = f"{case.get('classname')}.{case.get('name')}"
                found[name] = case.find("failure") is None and \
                    case.find("error") is None
    return found


def pytest(folder, out, env):
    report = os.path.join(out, "tests.xml")
    log_of(["/usr/bin/python3", "-B", "-m", "pytest", "tests", "-q",
            "-p", "no:cacheprovider", "--timeout", "60", "--junitxml",
            report],
           os.path.join(out, "tests.log"), cwd=folder, env=env)
    return junit(report)
