# SPDX-License-Identifier: PostgreSQL
"""What the suites share: columns, reviewed lists, the table at the end.

A *column* is one way to reach PostgreSQL: directly, or through a pgsluice of
one configuration.  Every column has a cluster of its own, so that none sees
what another left.

A *review* is a list of differences that were looked at, beside the suite:

    TEST  COLUMN[,COLUMN...]  REASON

and for each an expected difference in a folder of the same name: TEST.diff,
COLUMN.TEST.diff where columns differ, with .2.diff and so on for one that has
several forms. A difference that is not listed, one that is not as it was, and one that is
listed but gone, are all of them failures of the run.  A reason that begins
with `sometimes:` allows the difference to be absent.
"""

import argparse
import contextlib
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "contrib", "lab")]

import lab as lablib  # noqa: E402

MODULES = "/usr/lib/postgresql/15/lib/pgxs/src/test"
SETTINGS = {"shared_buffers": "128MB", "max_connections": "300",
            "max_prepared_transactions": "10"}
TTL = "60s"
WORK = os.path.join(tempfile.gettempdir(), f"pgsluice-suites-{os.getuid()}")


class Column:
    """`mode` is the pool_mode, None for a direct connection; `more` is
    further configuration."""

    def __init__(self, name, mode=None, more=""):
        self.name = name
        self.mode = mode
        self.more = more

    def conf(self, pg, port, http, databases):
        lines = [f'listen = "127.0.0.1:{port}"',
                 f'http_listen = "127.0.0.1:{http}"',
                 'auth = "trust"', 'admin_users = {"postgres"}',
                 'layout_user = "postgres"',
                 f'pool_mode = "{self.mode}"', "pool_size = 60",
                 'log_level = "warn"', ""]
        for name in databases:
            lines += [f'backend "{name}" {{ conninfo = "host=127.0.0.1 '
                      f'port={pg.port} dbname={name}" }}',
                      f'database "{name}" {{ backend = "{name}" }}']
        return "\n".join(lines) + "\n" + self.more

    @contextlib.contextmanager
    def reach(self, work, databases, settings=None, later=()):
        """The port of PostgreSQL as this column has it, the cluster, and the
        pgsluice in between or None.  later: databases that tests make."""
        work = os.path.join(work, self.name)
        shutil.rmtree(work, ignore_errors=True)
        with lablib.Lab(work) as lab:
            pg = lablib.Postgres(lab, settings={**SETTINGS,
                                                **(settings or {})}).start()
            for name in databases:
                create_database(pg, name)
            if self.mode is None:
                yield pg.port, pg, None
                return
            port, http = lablib.free_port(), lablib.free_port()
            sluice = lablib.Pgsluice(
                lab, binary(), self.conf(pg, port, http, [*databases, *later]),
                port, http).start()
            yield port, pg, sluice
            status = sluice.stop()
            if status:
                raise lablib.LabError(
                    f"pgsluice ended with {status}:\n{sluice.tail(60)}")


PLAIN = {c.name: c for c in (Column("direct"), Column("session", "session"),
                             Column("transaction", "transaction"))}


def create_database(pg, name):
    """As pg_regress makes its own."""
    if name != "postgres":
        pg.psql(f"CREATE DATABASE {name} TEMPLATE template0 "
                "LC_COLLATE 'C' LC_CTYPE 'C'")
    for setting in ("lc_messages TO 'C'", "lc_monetary TO 'C'",
                    "lc_numeric TO 'C'", "lc_time TO 'C'",
                    "bytea_output TO 'hex'",
                    "timezone_abbreviations TO 'Default'"):
        pg.psql(f"ALTER DATABASE {name} SET {setting}")


def binary():
    path = os.path.abspath(os.environ.get("PGSLUICE_BIN") or
                           os.path.join(TOP, "pgsluice"))
    if not os.access(path, os.X_OK):
        sys.exit(f"no daemon at {path}: run make, or set PGSLUICE_BIN")
    return path


def fetch(work, *what):
    """Sources by source.sh."""
    r = subprocess.run([os.path.join(HERE, "source.sh"), work, *what],
                       check=False, text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if r.returncode:
        sys.exit(f"{r.stdout}\nsource.sh {' '.join(what)} failed")


def open_folder(*path):
    """A new folder that the servers' user can write to."""
    folder = os.path.join(*path)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.chmod(folder, 0o777)
    return folder


def arguments(doc, columns, more=None):
    """The command line that all suites have; `more` adds to the parser."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default=WORK, help="sources, logs, output")
    parser.add_argument("--columns", default=columns, help="default %(default)s")
    parser.add_argument("--accept", action="store_true",
                        help="expect the differences that are seen")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    if more:
        more(parser)
    given = parser.parse_args()
    given.work = os.path.abspath(given.work)
    given.columns = given.columns.split(",")
    lablib.exit_on_signals()
    binary()
    return given


# -- pg_regress and pg_isolation_regress --------------------------------------

LINE = re.compile(r"^(?:test|    ) (\S+)\s+\.\.\. (ok|FAILED|failed)")


def run_regress(program, port, work, arguments, environment=None):
    """{test: difference or ""} of one run."""
    out = open_folder(work, "output")
    # Servers write results, too (COPY TO).
    open_folder(out, "results")
    with open(os.path.join(work, "run.log"), "w") as log:
        subprocess.run(
            [os.path.join(MODULES, program), "--use-existing",
             f"--bindir={lablib.pg_bindir()}", "--host=127.0.0.1",
             f"--port={port}", "--user=postgres", f"--outputdir={out}",
             *arguments],
            stdout=log, stderr=subprocess.STDOUT, check=False, cwd=out,
            env={**os.environ, **(environment or {})})
    with open(os.path.join(work, "run.log"), errors="replace") as f:
        text = f.read()
    verdicts = dict(m.groups() for m in map(LINE.match, text.splitlines())
                    if m)
    if not verdicts:
        raise lablib.LabError(f"{program} ran no test:\n{text}")
    differences = split_diffs(os.path.join(out, "regression.diffs"))
    return {test: "" if verdict == "ok" else
            differences.get(test, "no difference in the output: see run.log\n")
            for test, verdict in verdicts.items()}


def split_diffs(path):
    """{test: its part of a regression.diffs}, without the files' names."""
    out, test = {}, None
    try:
        with open(path, errors="backslashreplace") as f:
            lines = f.readlines()
    except FileNotFoundError:
        return {}
    for line in lines:
        if line.startswith("diff -U3 "):
            test = os.path.basename(line.split()[-1]).removesuffix(".out")
            out[test] = ""
        elif not line.startswith(("--- /", "+++ /")):
            out[test] += line
    return out


# -- reviews ------------------------------------------------------------------

class Review:
    """The list NAME.list and the folder NAME beside this file."""

    def __init__(self, name, pins=True):
        self.folder = os.path.join(HERE, name)
        self.pins = pins
        self.reasons = {}
        self.path = os.path.join(HERE, name + ".list")
        if os.path.exists(self.path):
            with open(self.path) as f:
                for number, line in enumerate(f, 1):
                    self.read(line, number)

    def read(self, line, number):
        if not line.strip() or line.startswith("#"):
            return
        try:
            test, columns, reason = line.split(None, 2)
        except ValueError:
            sys.exit(f"{self.path}:{number}: expected TEST COLUMNS REASON")
        for column in columns.split(","):
            self.reasons[test, column] = reason.strip()

    def pinned(self, test, column):
        """Every form of the expected difference."""
        names = glob.glob(os.path.join(self.folder, f"{test}*.diff")) + \
            glob.glob(os.path.join(self.folder, f"{column}.{test}*.diff"))
        form = re.compile(rf"({re.escape(column)}\.)?{re.escape(test)}"
                          r"(\.\d)?\.diff")
        out = []
        for name in names:
            if form.fullmatch(os.path.basename(name)):
                with open(name) as f:
                    out.append(f.read())
        return out

    def pin(self, test, column, difference):
        """As a further form, for the reviewer to look at and to rename."""
        if difference in self.pinned(test, column):
            return
        os.makedirs(self.folder, exist_ok=True)
        for number in range(1, 10):
            name = f"{test}.diff" if number == 1 else f"{test}.{number}.diff"
            path = os.path.join(self.folder, name)
            if not os.path.exists(path):
                with open(path, "w") as f:
                    f.write(difference)
                return

    def judge(self, test, column, difference):
        """(word for the table, True if that is a failure of the run)"""
        reason = self.reasons.get((test, column))
        if not difference:
            gone = reason and not reason.startswith("sometimes:")
            return ("gone", True) if gone else ("ok", False)
        if reason is None:
            return "DIFFERS", True
        if self.pins and difference not in self.pinned(test, column):
            return "CHANGED", True
        return "known", False


def report(results, review, accept=False, brief=False):
    """Print the table of {column: {test: difference}}, if brief without those
    that are ok everywhere; the number of failures.  With accept the differences become expected ones."""
    columns = list(results)
    tests = list(dict.fromkeys(t for r in results.values() for t in r))
    width = max(map(len, tests))
    totals = {c: {} for c in columns}
    failures = 0
    print(f"{'':{width}}", *(f"{c:>11}" for c in columns))
    for test in tests:
        words = []
        for column in columns:
            difference = results[column].get(test)
            if difference is None:
                word, bad = "missing", True
            else:
                word, bad = review.judge(test, column, difference)
                if accept and difference:
                    review.pin(test, column, difference)
            words.append(word)
            failures += bad
            totals[column][word] = totals[column].get(word, 0) + 1
        if not brief or set(words) != {"ok"}:
            print(f"{test:{width}}", *(f"{w:>11}" for w in words))
    print()
    for column in columns:
        count = ", ".join(f"{n} {w}" for w, n in totals[column].items())
        print(f"{column}: {len(results[column])} tests: {count}")
    for (test, column), reason in review.reasons.items():
        if column in columns and results[column].get(test):
            print(f"  {test} ({column}): {reason}")
    print(f"{failures} differences without an explanation" if failures else
          "every difference is explained")
    return failures
