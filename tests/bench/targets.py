# SPDX-License-Identifier: PostgreSQL
"""What is measured: PostgreSQL, the peers, pgsluice and the limits, each a
process of its own on loopback.
"""

import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "contrib", "lab")]

import lab as lablib  # noqa: E402
from lab import LabError  # noqa: E402

POOL = 20
HOT = 1000          # keys that every cache holds
ROWS_A_SCALE = 100_000
CLIENTS_MAX = 15_000

PGSLUICE = """\
listen = {{"127.0.0.1:{port}"}}
http_listen = "127.0.0.1:{http}"
auth = "trust"
log_level = "warn"
workers = {workers}
pool_size = {pool}
max_client_conn = {clients}
backend "pg" {{ conninfo = "host=127.0.0.1 port={pg} dbname=bench user=bench sslmode=disable" }}
database "bench" {{ backend = "pg" cache = {cache} }}
cache "accounts" {{ tables = {{"pgbench_accounts"}} ttl = "1h" l2 = false }}
"""

PGBOUNCER = """\
[databases]
bench = host=127.0.0.1 port={pg} dbname=bench
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = {clients}
listen_backlog = 4096
server_tls_sslmode = disable
log_connections = 0
log_disconnections = 0
log_stats = 0
"""


class Program(lablib.Service):
    """A program that listens on a port."""

    def __init__(self, lab, name, argv, port, as_postgres=False):
        super().__init__(lab, name)
        self.argv = argv
        self.port = port
        self.as_postgres = as_postgres

    def command(self):
        return self.argv

    def is_ready(self):
        return lablib.can_connect(self.port)


class Target:
    """One column of the comparison."""

    def __init__(self, name, service, keys, modes=None, measured=True):
        self.name = name
        self.service = service
        self.port = service.port
        self.keys = keys
        self.modes = modes or ("simple", "extended", "prepared")
        # PostgreSQL itself is many processes, and no proxy.
        self.pid = service.pid if measured else None
        self.hits = None

    def cpu(self):
        """CPU seconds used so far, user and system, all threads."""
        # The kernel's encoding of "the CPU clock of that process".
        return time.clock_gettime((~self.pid << 3) | 2)


class CachedTarget(Target):
    """pgsluice that is expected to answer from memory."""

    def counted(self):
        m = self.service.metrics()
        name = "pgsluice_query_duration_seconds_count"
        rows = [(k, v) for k, v in m.items() if k.startswith(name)]
        return (sum(v for k, v in rows if 'outcome="l1"' in k),
                sum(v for _, v in rows))


class Bench:
    """Everything that runs, in one lab."""

    def __init__(self, lab, programs, binary, scale):
        self.lab = lab
        self.programs = programs
        self.binary = binary
        self.keys = scale * ROWS_A_SCALE
        self.scale = scale
        self.pg = None

    def start_postgres(self):
        self.pg = lablib.Postgres(self.lab, "postgres", settings={
            "shared_buffers": "256MB", "max_connections": "400",
            "max_wal_size": "4GB", "autovacuum": "off",
            "log_min_messages": "fatal"})
        self.pg.start()
        self.pg.psql("CREATE ROLE bench LOGIN SUPERUSER")
        self.pg.psql("CREATE DATABASE bench OWNER bench")
        subprocess.run(
            [os.path.join(lablib.pg_bindir(), "pgbench"), "-i", "-q", "-s",
             str(self.scale), "-h", "127.0.0.1", "-p", str(self.pg.port),
             "-U", "bench", "bench"], check=True, capture_output=True)
        self.pg.psql("SELECT count(*) FROM pgbench_accounts "
                     "WHERE abalance >= 0", "bench")

    def postgres_cpu(self):
        """CPU seconds PostgreSQL has used so far, its processes that ended
        included."""
        ticks = 0
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8",
                          errors="replace") as f:
                    fields = f.read().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            # From the third field on: state, ppid, ...; see proc(5).
            if int(name) == self.pg.pid:
                ticks += sum(map(int, fields[11:15]))
            elif int(fields[1]) == self.pg.pid:
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def write(self, name, text):
        path = os.path.join(self.lab.work, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.lab.give(path)
        return path

    def pgbouncer(self, name="pgbouncer"):
        port = lablib.free_port()
        users = self.write("users.txt", '"bench" ""\n')
        ini = self.write(name + ".ini", PGBOUNCER.format(
            pg=self.pg.port, port=port, users=users, pool=POOL,
            clients=CLIENTS_MAX))
        return Program(self.lab, name, [lablib.program("pgbouncer"), ini],
                       port, as_postgres=True).start()

    def pgsluice(self, name, workers=1, cache=False):
        port, http = lablib.free_port(), lablib.free_port()
        text = PGSLUICE.format(
            pg=self.pg.port, port=port, http=http, workers=workers,
            pool=POOL, clients=CLIENTS_MAX,
            cache="true" if cache else "false")
        return lablib.Pgsluice(self.lab, self.binary, text, port, http,
                               name).start()

    def limit(self, name, *arguments):
        port = lablib.free_port()
        argv = [os.path.join(self.programs, name), str(port), *arguments]
        return Program(self.lab, name, argv, port).start()

    def targets(self):
        """All of them, started."""
        def cached(name, **kw):
            return CachedTarget(name, self.pgsluice(name, cache=True, **kw),
                                HOT)
        return [
            Target("direct", self.pg, self.keys, measured=False),
            Target("pgbouncer", self.pgbouncer(), self.keys,
                   modes=("simple", "extended")),
            Target("relay", self.limit("relay", str(self.pg.port)),
                   self.keys),
            Target("pass", self.pgsluice("pass"), self.keys),
            Target("canned", self.limit("canned"), HOT),
            cached("l1"),
            cached("l1-2w", workers=2),
        ]


def version(program):
    """What a program says it is."""
    try:
        r = subprocess.run([program, "--version"], capture_output=True,
                           text=True, check=True)
        return r.stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as e:
        raise LabError(f"{program}: no version: {e}") from None
