# SPDX-License-Identifier: PostgreSQL
"""What scenarios about experiments share: one cluster, pgsluice with an
experiment in front, load by pgbench in many short sessions, and the table of
what the experiment has measured.

A session is the unit here, so a load is made of rounds of clients that come and
go.  Statements are told apart by a word that stands in one of them only.
"""

import argparse
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import lab as lablib  # noqa: E402

DB, USER = "app", "app"


def arguments(doc, seconds, clients, rows, experiment):
    whole, part = lablib.positive(int), lablib.positive(float)
    p = argparse.ArgumentParser(description=doc)
    p.add_argument("--bin", metavar="PATH",
                   help="the pgsluice to run (default: $PGSLUICE_BIN, the one "
                   "built in the top folder, the one on the PATH)")
    p.add_argument("--rows", type=whole, default=rows,
                   help="rows (default %(default)s)")
    p.add_argument("--scale", type=part, default=1.0,
                   help="factor on rows and rounds; below 1, targets of speed "
                   "and size do not count (default %(default)s)")
    p.add_argument("--rounds", type=whole, default=seconds,
                   help="rounds of a second (default %(default)s)")
    p.add_argument("--clients", type=whole, default=clients,
                   help="sessions of a round (default %(default)s)")
    p.add_argument("--work", metavar="DIR",
                   help="work folder, where logs stay (default: a temporary "
                   "one)")
    p.add_argument("--json", metavar="FILE",
                   help="write all figures there, too")
    if experiment:
        p.add_argument("--report", metavar="FILE",
                       help="write pgsluice's page on the experiment")
    args = p.parse_args()
    args.rows = max(50, int(args.rows * args.scale))
    args.rounds = max(2, int(args.rounds * args.scale))
    return args


def client_cursor():
    """Statements go out as text, by the simple protocol."""
    import psycopg
    return psycopg.ClientCursor


class Progress:
    def __init__(self, full=True):
        self.full = full
        self.began = time.monotonic()
        self.problems = []
        self.checks = []

    def __call__(self, text):
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", flush=True)

    def check(self, holds, text):
        """A target: met or missed, said either way."""
        (self.checks if holds else self.problems).append(text)
        print(f"{'ok' if holds else 'MISSED'}: {text}", flush=True)
        return holds

    def target(self, holds, text):
        """One of speed or size, which counts at full scale only."""
        if self.full:
            self.check(holds, text)
        else:
            print(f"{'met' if holds else 'missed'}, at a small scale: {text}",
                  flush=True)


class Arms:
    """The cluster with the scenario's schema, and pgsluice in front."""

    def __init__(self, lab, folder, conf, binary, **holes):
        self.lab = lab
        self.folder = folder
        self.pg = lablib.Postgres(
            lab, "pg", settings={"wal_level": "logical",
                                 "shared_buffers": "128MB",
                                 "max_wal_size": "2GB"}, fresh=True).start()
        self.pg.psql(f"CREATE ROLE {USER} LOGIN REPLICATION")
        self.pg.psql(f"CREATE DATABASE {DB} OWNER {USER}")
        self.pg.psql("GRANT pg_monitor TO app", DB)
        self.sluice = None
        self.conf = conf
        self.binary = binary
        self.holes = holes

    def run_sql(self, name, **variables):
        self.pg.psql(os.path.join(self.folder, name), DB, **variables)

    def start_pgsluice(self, **more):
        with open(os.path.join(self.folder, self.conf), encoding="utf-8") as f:
            text = f.read()
        port, http = lablib.free_port(), lablib.free_port()
        holes = {"PORT": port, "HTTP": http, "PG": self.pg.port,
                 "KEPT": os.path.join(self.lab.work, "experiments"),
                 **self.holes, **more}
        for key, value in holes.items():
            text = text.replace(f"${key}", str(value))
        if self.sluice is not None:
            self.sluice.stop()
            self.lab.services.remove(self.sluice)
        self.sluice = lablib.Pgsluice(self.lab, self.binary, text, port, http)
        self.sluice.start()
        return self.sluice

    def report(self, path):
        """The page on what was measured: of the file, once it is whole."""
        self.sluice.stop()
        r = subprocess.run([self.binary, "--report", self.sluice.conf],
                           capture_output=True, text=True, check=False)
        if r.returncode:
            raise lablib.LabError(f"--report: {r.stderr.strip()}")
        with open(path, "w", encoding="utf-8") as f:
            f.write(r.stdout)
        self.sluice.start()

    def connect(self, **kw):
        import psycopg
        return psycopg.connect(self.sluice.dsn(DB, USER), autocommit=True,
                               **kw)

    def console(self, sql):
        import psycopg
        with psycopg.connect(self.sluice.dsn("pgsluice", USER),
                             autocommit=True,
                             cursor_factory=psycopg.ClientCursor) as conn:
            cur = conn.execute(sql)
            if cur.description is None:
                return []
            names = [d.name for d in cur.description]
            return [dict(zip(names, row)) for row in cur.fetchall()]

    def weigh(self, weights):
        """Whoever is served next is served like this."""
        self.console(f"WEIGH EXPERIMENT try '{weights}'")

    def pgbench(self, scripts, clients, seconds, **variables):
        """scripts: {file: weight}. Errors are errors."""
        argv = [os.path.join(lablib.pg_bindir(), "pgbench"), "-n", "-c",
                str(clients), "-j", "2", "-T", str(seconds), "-M", "simple",
                "-h", "127.0.0.1", "-p", str(self.sluice.port), "-U", USER]
        for name, weight in scripts.items():
            argv += ["-f", f"{os.path.join(self.folder, name)}@{weight}"]
        for name, value in variables.items():
            argv += ["-D", f"{name}={value}"]
        r = subprocess.run(argv + [DB], capture_output=True, text=True,
                           check=False)
        if r.returncode or "aborted" in r.stderr:
            raise lablib.LabError(f"pgbench: {r.stderr.strip()}")
        return r.stdout

    def measured(self, operations):
        """{operation: {arm: row}}, of SHOW EXPERIMENT; operations: a word of
        their statements each."""
        rows = self.console("SHOW EXPERIMENT try")
        found = {"all": {r["arm"]: r for r in rows if not r["statement"]}}
        for name, word in operations.items():
            found[name] = {r["arm"]: r for r in rows
                           if r["statement"] and
                           word in r["statement"].lower()}
        return found


def number(value, digits=3):
    return "-" if value is None else f"{float(value):,.{digits}f}"


def table(measured):
    """One line an operation and arm; the ratio is of geometric means, with the
    interval that holds at all times."""
    head = (f"{'operation':<14}{'arm':<12}{'statements':>11}{'cached %':>9}"
            f"{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}  ratio [low, high]")
    lines = [head, "-" * len(head)]
    for operation, arms in measured.items():
        for n, (arm, r) in enumerate(arms.items()):
            ratio = "" if r["ratio"] is None or n == 0 else (
                f"{number(r['ratio'])} [{number(r['ratio_low'])}, "
                f"{number(r['ratio_high'])}] {r['ruling']}")
            lines.append(
                f"{operation if n == 0 else '':<14}{arm:<12}"
                f"{r['statements']:>11}{number(r['cached_percent'], 1):>9}"
                f"{number(r['p50_ms']):>9}{number(r['p95_ms']):>9}"
                f"{number(r['p99_ms']):>9}  {ratio}")
    return "\n".join(lines)


def same_answers(arms, queries, say):
    """Each query through each arm alone, before their rows go apart."""
    answers = {}
    for weights in ("monolith:1, fragmented:0", "monolith:0, fragmented:1"):
        arms.weigh(weights)
        with arms.connect() as conn:
            answers[weights] = [conn.execute(q).fetchall() for q in queries]
    one, other = answers.values()
    differ = sum(a != b for a, b in zip(one, other))
    say.check(differ == 0 and any(one),
              f"{len(queries)} answers equal in both arms ({differ} differ)")


def table_sizes(arms, tables):
    """Relations with bytes, bytes of indexes, dead rows."""
    arms.pg.psql("SELECT pg_stat_force_next_flush()", DB)
    lines = [f"{'relation':<18}{'table KB':>10}{'indexes KB':>12}"
             f"{'dead rows':>11}"]
    for name in tables:
        heap, index, dead = arms.pg.psql(
            f"SELECT pg_table_size('{name}') / 1024, "
            f"pg_indexes_size('{name}') / 1024, "
            f"pg_stat_get_dead_tuples('{name}'::regclass)", DB).split("|")
        lines.append(f"{name:<18}{heap:>10}{index:>12}{dead:>11}")
    return "\n".join(lines)


def main(doc, run, seconds, clients, rows, experiment=False, programs=(),
         modules=("psycopg",)):
    """run(args, lab, say) -> what goes into --json."""
    args = arguments(doc, seconds, clients, rows, experiment)
    lablib.exit_on_signals()
    say = Progress(args.scale >= 1)
    try:
        args.bin = lablib.pgsluice_binary(args.bin)
        lablib.require(programs, modules)
        for path in (args.json, experiment and args.report):
            if path:
                lablib.require_writable(path)
        with lablib.Lab(args.work) as lab:
            found = run(args, lab, say)
    except lablib.LabError as e:
        lablib.trouble(e)
    say(f"done, {len(say.checks)} targets met, {len(say.problems)} missed")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({**found, "checks": say.checks,
                       "problems": say.problems}, f, default=str)
    sys.exit(1 if say.problems else 0)
