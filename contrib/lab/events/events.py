# SPDX-License-Identifier: PostgreSQL
"""The scenario `events`: five databases with the same rows in three forms.

Knows how to bring them up and fill them, where a row belongs, and which
pgsluice.conf goes with them.  What is asked and timed stands in run.py.
"""

import datetime
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import lab as lablib  # noqa: E402

MONTHS = 24
TENANTS = 1000
PER_MONTH = 20000
DB, USER, PASSWORD = "app", "app", "app"
SHARDS = ("shard0", "shard1")

# name -> (offset from the port base, schema file, table)
CLUSTERS = {
    "plain": (0, "plain.sql", "app.events_plain"),
    "monthly": (1, "monthly.sql", "app.events"),
    "shard0": (2, "shard.sql", "app.events_shard"),
    "shard1": (3, "shard.sql", "app.events_shard"),
    "coordinator": (4, "coordinator.sql", "app.events_sharded"),
}
REDIS_OFFSET, LISTEN_OFFSET, HTTP_OFFSET = 6, 9, 10

# variant -> the backend that an application without pgsluice would ask
VARIANTS = {"plain": "plain", "monthly": "monthly", "sharded": "coordinator"}
MODES = ("uncached", "l2", "l1")


def database_name(variant, mode):
    return variant if mode == "uncached" else f"{variant}_{mode}"


def add_months(day, n):
    years, month = divmod(day.month - 1 + n, 12)
    return datetime.date(day.year + years, month + 1, 1)


def split_schema(name):
    """The parts of a schema file before and after its load marker."""
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        before, _, after = f.read().partition("-- after load\n")
    return before, after


class Events:
    def __init__(self, lab, per_month=PER_MONTH, tenants=TENANTS,
                 port_base=None, months=MONTHS, shared_buffers="256MB",
                 say=lambda text: None):
        self.lab = lab
        self.per_month = per_month
        self.n_tenants = tenants
        self.port_base = port_base
        self.n_months = months
        self.say = say
        self.pg = {}
        self.sluice = None
        # One clock for everything: PostgreSQL's now() is asked once, so that
        # a run over midnight at the end of a month stays consistent.
        self.this_month = None
        settings = {"shared_buffers": shared_buffers, "autovacuum": "off",
                    "max_wal_size": "4GB", "checkpoint_timeout": "30min",
                    "maintenance_work_mem": "256MB"}
        self.check_ports()
        for name, (offset, _, _) in CLUSTERS.items():
            # Each with an identity of its own, as real servers have.
            self.pg[name] = lablib.Postgres(
                lab, name, self.port(offset), settings, scram_users=(USER,),
                fresh=True, tcp_trust=False)
        self.redis = lablib.Redis(lab, "redis", self.port(REDIS_OFFSET))
        self.listen_port = self.port(LISTEN_OFFSET)
        self.http_port = self.port(HTTP_OFFSET)

    def port(self, offset):
        if self.port_base is None:
            return lablib.free_port()
        return self.port_base + offset

    def check_ports(self):
        if self.port_base is None:
            return
        offsets = [o for o, _, _ in CLUSTERS.values()]
        offsets += [REDIS_OFFSET, LISTEN_OFFSET, HTTP_OFFSET]
        taken = [self.port_base + o for o in offsets
                 if lablib.port_is_taken(self.port_base + o)]
        if taken:
            raise lablib.LabError(
                f"ports in use: {', '.join(map(str, taken))}; "
                "choose others with --port-base")

    # -- bring up --------------------------------------------------------

    def start(self):
        self.say("starting 5 PostgreSQL clusters and Redis")
        for service in [*self.pg.values(), self.redis]:
            service.spawn()
        for service in [*self.pg.values(), self.redis]:
            service.wait_ready()
        self.create()
        self.load()
        return self

    def create(self):
        for name, (_, schema, _) in CLUSTERS.items():
            pg = self.pg[name]
            pg.psql(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            pg.psql(f"CREATE DATABASE {DB} OWNER {USER}")
            pg.psql(split_schema(schema)[0], DB,
                    port0=self.pg["shard0"].port, port1=self.pg["shard1"].port)
        self.this_month = datetime.date.fromisoformat(self.pg["plain"].psql(
            "SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date"))
        with open(os.path.join(HERE, "generate.sql"), encoding="utf-8") as f:
            self.pg["plain"].psql(f.read(), DB)

    @property
    def months(self):
        """First days of the months that hold rows, oldest first."""
        return [add_months(self.this_month, n - self.n_months + 1)
                for n in range(self.n_months)]

    def load(self):
        """The plain server makes the rows, every other one gets copies of
        them; which shard a tenant is on is for PostgreSQL to say."""
        began = time.monotonic()
        rows = self.per_month * self.n_months
        self.say(f"loading {rows:,} rows: {self.per_month:,} a month, "
                 f"{self.n_months} months, {self.n_tenants} tenants")
        self.make_tenants()
        for first in self.months:
            self.pipe("plain", f"SELECT * FROM lab.month_rows('{first}', "
                      f"{self.per_month})", "plain")
        all_rows = "SELECT e.* FROM app.events_plain e"
        jobs = [("plain", all_rows, "monthly")]
        for remainder, shard in enumerate(SHARDS):
            jobs.append(("plain", f"{all_rows} JOIN lab.tenants t "
                         "ON t.id = e.tenant_id AND t.remainder = "
                         f"{remainder}", shard))
        self.parallel(self.pipe, jobs)
        self.say("  rows are in; building indexes, gathering statistics")
        self.parallel(self.finish, [(name,) for name in CLUSTERS])
        self.say(f"  loaded in {time.monotonic() - began:.1f} s")

    def make_tenants(self):
        with self.pg["coordinator"].connect(DB) as there, \
                self.pg["plain"].connect(DB) as here:
            tenants = here.execute(
                "SELECT k, lab.tenant(k) FROM generate_series(0, %s) k",
                (self.n_tenants - 1,)).fetchall()
            placed = there.execute(
                "SELECT u.id, CASE WHEN satisfies_hash_partition("
                "'app.events_sharded'::regclass, 2, 0, u.id) THEN 0 ELSE 1 END"
                " FROM unnest(%s::uuid[]) u(id)",
                ([t for _, t in tenants],)).fetchall()
            self.remainder = {str(t): r for t, r in placed}
            with here.cursor().copy("COPY lab.tenants FROM STDIN") as copy:
                for k, t in tenants:
                    copy.write_row((k, t, self.remainder[str(t)]))
            here.execute("ANALYZE lab.tenants")

    def pipe(self, source, select, target):
        """COPY (select) on one server into the table of another."""
        table = CLUSTERS[target][2]
        with self.pg[source].connect(DB) as out, \
                self.pg[target].connect(DB) as into:
            # A shard named by the caller is right by construction.
            with out.cursor().copy(
                    f"COPY ({select}) TO STDOUT (FORMAT binary)") as rows, \
                    into.cursor().copy(
                        f"COPY {table} FROM STDIN (FORMAT binary)") as sink:
                for data in rows:
                    sink.write(data)

    def finish(self, name):
        _, schema, table = CLUSTERS[name]
        pg = self.pg[name]
        pg.psql(split_schema(schema)[1], DB)
        if name == "coordinator":
            # Without statistics on foreign tables plans are guesses; this is
            # what an administrator of such a setup would run as well.
            pg.psql(f"ANALYZE {table}", DB)
        else:
            pg.psql("VACUUM (FREEZE, ANALYZE)", DB)

    @staticmethod
    def parallel(function, jobs):
        """Run function(*job) for each job in its own thread; the first
        failure is raised."""
        failed = []

        def guard(job):
            try:
                function(*job)
            except BaseException as e:  # pylint: disable=broad-except
                failed.append(e)
        threads = [threading.Thread(target=guard, args=(job,)) for job in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if failed:
            raise failed[0]

    # -- pgsluice ----------------------------------------------------------

    def start_pgsluice(self, binary):
        with open(os.path.join(self.lab.work, "users.txt"), "w",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(f'"{USER}" "{PASSWORD}"\n')
        self.sluice = lablib.Pgsluice(
            self.lab, binary, self.configuration(), self.listen_port,
            self.http_port)
        self.say(f"starting pgsluice on port {self.listen_port}")
        self.sluice.start()

    def configuration(self):
        out = [
            "# pgsluice.conf of the lab scenario `events`, generated.",
            f'listen = {{"127.0.0.1:{self.listen_port}"}}',
            f'http_listen = "127.0.0.1:{self.http_port}"',
            'auth = "scram-sha-256"',
            f'users_file = "{os.path.join(self.lab.work, "users.txt")}"',
            f'admin_users = {{"{USER}"}}',
            "pool_size = 10",
            f'redis_host = "127.0.0.1"\nredis_port = {self.redis.port}',
            # The lab measures hits, not the budget of a busy machine.
            'redis_timeout = "100ms"', ""]
        for name, pg in self.pg.items():
            out.append(
                f'backend "{name}" {{ conninfo = "host=127.0.0.1 '
                f'port={pg.port} dbname={DB} user={USER} '
                f'password={PASSWORD}" }}')
        out.append("")
        for variant, backend in VARIANTS.items():
            for mode in MODES:
                out.append(f'database "{database_name(variant, mode)}" '
                           f'{{ backend = "{backend}" cache = true }}')
        for variant in VARIANTS:
            out.append(self.table_block(variant))
        for mode, l1_ttl in (("l2", "0"), ("l1", "1h")):
            names = [f'"{database_name(v, mode)}"' for v in VARIANTS]
            out.append(
                f'\ncache "events, {mode}" {{\n'
                f'\tdatabases = {{{", ".join(names)}}}\n'
                '\ttables = {"app.events"}\n\tttl = "1h"\n'
                f'\tl1_ttl = "{l1_ttl}"\n\tallow_stable = true\n}}')
        return "\n".join(out) + "\n"

    @staticmethod
    def table_block(use):
        names = ", ".join(f'"{database_name(use, m)}"' for m in MODES)
        shards = ", ".join(f'"{s}"' for s in SHARDS)
        return f'''
table "app.events" {{
	databases   = {{{names}}}
	key_column  = "tenant_id"
	key_type    = "uuid"
	time_column = "occurred_at"
	use         = "{use}"
	split_inserts = true
	variant "plain"   {{ kind = "plain"   backend = "plain"
	                    relation = "app.events_plain" }}
	variant "monthly" {{ kind = "monthly" backend = "monthly"
	                    relation = "app.events" }}
	variant "sharded" {{ kind = "sharded" backend = "coordinator"
	                    relation = "app.events_sharded"
	                    shard_relation = "app.events_shard"
	                    shards = {{{shards}}} }}
}}'''

    # -- where rows are ------------------------------------------------------

    def relation(self, cluster):
        return CLUSTERS[cluster][2]

    def shard_of(self, tenant):
        """Backend name of the shard that PostgreSQL puts this tenant on."""
        if tenant not in self.remainder:
            self.remainder[tenant] = int(self.pg["coordinator"].psql(
                "SELECT CASE WHEN satisfies_hash_partition("
                f"'app.events_sharded'::regclass, 2, 0, '{tenant}'::uuid) "
                "THEN 0 ELSE 1 END", DB))
        return SHARDS[self.remainder[tenant]]

    def misplaced(self):
        """What is not where it belongs, as a list of texts."""
        wrong = []
        for remainder, shard in enumerate(SHARDS):
            held = self.pg[shard].psql(
                "SELECT DISTINCT tenant_id FROM app.events_shard", DB).split()
            for tenant in held:
                if self.shard_of(tenant) != shard:
                    wrong.append(f"tenant {tenant} on {shard}, "
                                 f"expected remainder {1 - remainder}")
        rows = self.pg["monthly"].psql(
            "SELECT tableoid::regclass, count(*) FROM app.events WHERE "
            "tableoid <> to_regclass('app.events_' || "
            "to_char(occurred_at, 'YYYY_MM')) GROUP BY 1", DB)
        wrong += [f"monthly: {r} rows in the wrong partition"
                  for r in rows.splitlines()]
        in_default = self.pg["monthly"].psql(
            "SELECT count(*) FROM app.events_default", DB)
        if in_default != "0":
            wrong.append(f"{in_default} rows in app.events_default")
        counts = {name: int(self.pg[name].psql(
            f"SELECT count(*) FROM {self.relation(name)}", DB))
            for name in ("plain", "monthly", *SHARDS)}
        if not (counts["plain"] == counts["monthly"] ==
                sum(counts[s] for s in SHARDS) > 0):
            wrong.append(f"row counts differ: {counts}")
        return wrong
