# SPDX-License-Identifier: PostgreSQL
"""Classes and helps of the end-to-end tests; fixtures stand in conftest.py."""

import contextlib
import importlib.util
import os
import re
import signal
import string
import subprocess
import sys
import time
import urllib.error

import psycopg
import psycopg2
import psycopg2.extras

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "contrib", "lab")]

import lab as lablib  # noqa: E402
import rawpg  # noqa: E402
import wire  # noqa: E402
from lab import LabError, wait_for  # noqa: E402,F401

# Words that only a broken program writes to its log.
REPORTS = re.compile(r"Sanitizer|runtime error:|level=panic|"
                     r"Assertion .* failed")

# name -> password; the cluster asks only `scram` for it.
ROLES = {"app": "app-password", "alice": "alice-password",
         "bob": "bob-password", "scram": "scram-password"}

DEFAULT_CONF = """
auth = "trust"
admin_users = {"app"}
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


def binary():
    return os.path.abspath(os.environ.get("PGSLUICE_BIN") or
                           os.path.join(TOP, "pgsluice"))


def sanitizer_options():
    return {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
            "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99",
            # Libraries are not built for TSan, and it would take what they do
            # among themselves for races.
            "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:exitcode=99"}


class Cluster(lablib.Postgres):
    """PostgreSQL for tests: trust for all but the role `scram`, and for as
    long as they are in the group `asked`."""

    def __init__(self, lab, name="pg", **kw):
        kw.setdefault("scram_users", ("scram", "+asked"))
        settings = {"autovacuum": "off", "max_connections": "200",
                    **kw.pop("settings", {})}
        super().__init__(lab, name, settings=settings, **kw)

    def start(self, timeout=lablib.READY_TIMEOUT):
        super().start(timeout)
        self.create_roles()
        return self

    def create_roles(self):
        have = self.psql("SELECT rolname FROM pg_roles").split()
        for role, password in ROLES.items():
            if role not in have:
                self.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        if "asked" not in have:
            self.psql("CREATE ROLE asked")

    def connect(self, dbname="postgres", **kw):
        kw.setdefault("autocommit", True)
        return super().connect(dbname, **kw)

    def login(self, role, password):
        """By a password, at PostgreSQL itself. None: let in; else why not."""
        self.psql(f"GRANT asked TO {role}")
        try:
            psycopg.connect(host="127.0.0.1", port=self.port, user=role,
                            dbname="postgres", password=password).close()
            return None
        except psycopg.OperationalError as e:
            return str(e)
        finally:
            self.psql(f"REVOKE asked FROM {role}")

    def pids(self, **columns):
        """pids in pg_stat_activity whose columns have these values."""
        where = " AND ".join(f"{c} = '{v}'" for c, v in columns.items())
        return [int(p) for p in self.psql(
            f"SELECT pid FROM pg_stat_activity WHERE {where}").split()]


def followed(lab, name, settings):
    """A Cluster that feeds can follow, as the role feeder; started."""
    cluster = Cluster(lab, name, settings={"wal_level": "logical",
                                           "max_wal_senders": "8", **settings})
    cluster.start()
    with open(os.path.join(cluster.datadir, "pg_hba.conf"), "a",
              encoding="utf-8") as f:
        f.write("host replication postgres 127.0.0.1/32 trust\n")
    cluster.psql("SELECT pg_reload_conf()")
    cluster.psql("CREATE ROLE feeder LOGIN REPLICATION")
    return cluster


class Sluice(lablib.Pgsluice):
    """A running pgsluice."""

    holes = {}

    def connect(self, dbname="app", user="app", **kw):
        """psycopg 3, autocommit unless told otherwise."""
        kw.setdefault("autocommit", True)
        kw.setdefault("connect_timeout", 30)
        return psycopg.connect(host=self.host, port=self.port, dbname=dbname,
                               user=user, **kw)

    def wire(self, dbname="app", user="app", password=None, timeout=60):
        """The client that keeps every byte of an answer."""
        return wire.Wire(self.host, self.port, dbname, user, password, timeout)

    def query(self, sql, params=None, **kw):
        """Rows of one statement over a connection of its own."""
        with self.connect(**kw) as conn:
            cur = conn.execute(sql, params)
            return cur.fetchall() if cur.description else []

    def psql(self, sql, dbname="app", user="app", check=True, **env):
        """(status, output, errors) of psql; the output is unaligned."""
        r = subprocess.run(
            [os.path.join(lablib.pg_bindir(), "psql"), "-X", "-q", "-A", "-t",
             "-v", "ON_ERROR_STOP=1", "-d", self.dsn(dbname, user)],
            input=sql, text=True, capture_output=True, timeout=60,
            env={**os.environ, **env}, check=False)
        if check and r.returncode:
            raise AssertionError(f"psql: {r.stderr}")
        return r.returncode, r.stdout.strip(), r.stderr.strip()

    def console(self, sql, user="app"):
        """Rows of a console command as dicts. psycopg2, because it speaks
        the simple protocol only."""
        conn = psycopg2.connect(self.dsn("pgsluice", user))
        try:
            conn.autocommit = True
            cur = conn.cursor(
                cursor_factory=psycopg2.extras.RealDictCursor)
            cur.execute(sql)
            return [dict(r) for r in cur.fetchall()] if cur.description else []
        finally:
            conn.close()

    def count(self, name):
        """A counter by its bare name."""
        return self.metric(f"pgsluice_{name}_total")

    @contextlib.contextmanager
    def counting(self, **expected):
        """Assert by how much counters rise in the block."""
        before = {n: self.count(n) for n in expected}
        yield
        found = {}

        def risen():
            found.update({n: self.count(n) - before[n] for n in expected})
            return found == expected
        # A counter may lag behind the answer by a moment.
        with contextlib.suppress(LabError):
            wait_for("counters", risen, timeout=2)
        assert found == expected

    def wait_log(self, text, timeout=10):
        """A line of the log may come a moment after what it tells of."""
        wait_for(f"'{text}' in the log", lambda: text in self.log, timeout)

    def watched(self):
        """Every watch vouches for what the catalogs say."""
        return all(v == 1 for k, v in self.metrics().items()
                   if k.startswith("pgsluice_watch_vouched{"))

    def on_redis(self):
        """Every worker has its connection to Redis."""
        return self.metric("pgsluice_l2_connected") == \
            self.metric("pgsluice_workers")

    def wait_watched(self, timeout=10):
        """Until what depends on catalogs may be cached."""
        wait_for("catalogs to be read", self.watched, timeout)

    def start(self, timeout=lablib.READY_TIMEOUT):
        """Ready, and with catalogs read unless a backend is down."""
        super().start(timeout)
        if self.caches():
            with contextlib.suppress(LabError, urllib.error.URLError):
                self.wait_watched(3)
        return self

    def caches(self):
        with open(self.conf, encoding="utf-8") as f:
            return re.search(r'^\s*cache "', f.read(), re.M) is not None

    def rewrite(self, text):
        """Replace the configuration file, with the same holes filled."""
        self.write_conf(fill(text, self.holes))

    def reload(self):
        """By the console; its answer comes when it is done."""
        answer = self.console("RELOAD")
        if self.caches():
            with contextlib.suppress(LabError):
                self.wait_watched(3)
        return answer

    def hangup(self):
        """By SIGHUP; returns at once."""
        self.proc.send_signal(signal.SIGHUP)

    @property
    def generation(self):
        """Of the configuration: one more with every good reload."""
        return self.metric("pgsluice_config_generation")

    def stop(self, signals=None, timeout=lablib.STOP_TIMEOUT, expect=0):
        status = super().stop(signals, timeout)
        if signals is None or signal.SIGKILL not in signals:
            assert status in (None, expect), \
                f"pgsluice ended with {status}:\n{self.tail()}"
        found = REPORTS.search(self.log)
        assert not found, f"'{found[0]}' in the log:\n{self.tail(60)}"
        return status


def fill(text, holes):
    out = string.Template(text).safe_substitute(holes)
    if "listen =" not in out.replace("http_listen =", ""):
        out = f'listen = {{"127.0.0.1:{holes["PORT"]}"}}\n' + out
    if 'cache "' in out and "layout_user" not in out and \
            "revocation_bound" not in out:
        # Nothing is cached whose catalogs nobody looks at.
        out = 'layout_user = "app"\n' + out
    if "http_listen =" not in out:
        out = f'http_listen = "127.0.0.1:{holes["HTTP"]}"\n' + out
    return out


def bound(statement="", values=()):
    """Bind, Execute, Sync of a statement that is there."""
    return (rawpg.bind("", statement, values) + rawpg.execute() +
            rawpg.sync())


def whole(sql, values=(), formats=(), result_formats=()):
    """Parse, Bind, Describe, Execute, Sync of an unnamed statement."""
    return (rawpg.parse("", sql) +
            rawpg.bind("", "", values, formats, result_formats) +
            rawpg.describe("P") + rawpg.execute() + rawpg.sync())


def until(condition, timeout=10.0):
    """Poll until condition() is true; its value."""
    return wait_for("the condition", condition, timeout)


def script(folder, name):
    """The module tests/FOLDER/NAME.py: several folders have scripts of the
    same name."""
    spec = importlib.util.spec_from_file_location(
        f"{folder}_{name}", os.path.join(TOP, "tests", folder, f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def private_file(path, text):
    """As a file with secrets has to be."""
    with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(text)
    return path


class Deadline:
    """with Deadline(seconds): the block must not take longer."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.began = time.monotonic()
        return self

    @property
    def elapsed(self):
        return time.monotonic() - self.began

    def __exit__(self, kind, *_):
        if kind is None:
            assert self.elapsed <= self.seconds, \
                f"took {self.elapsed:.1f} s, at most {self.seconds} allowed"
