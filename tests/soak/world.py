# SPDX-License-Identifier: PostgreSQL
"""What a soak runs on: a PostgreSQL whose databases are a coordinator and two
shards, a Redis, and a pgsluice with everything on."""

import os
import string
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import harness  # noqa: E402

SHARDS = ("s0", "s1")
MONTHS = [f"2026-{m:02}" for m in range(1, 7)]

SCHEMA = """
SET ROLE app;
CREATE TABLE account (id int PRIMARY KEY, owner int NOT NULL, n bigint NOT NULL,
                      mark text NOT NULL);
INSERT INTO account SELECT g, g / 100, 0, (g / 100) || ':' || g || ':0'
  FROM generate_series(0, {last}) g;
CREATE TABLE reading_monthly (owner int NOT NULL, n int NOT NULL,
                              at timestamptz NOT NULL) PARTITION BY RANGE (at);
{months}
CREATE TABLE thing_one (owner int PRIMARY KEY, n bigint NOT NULL,
                        mark text NOT NULL);
INSERT INTO thing_one SELECT g, 0, g || ':0'
  FROM generate_series(0, {owners}) g;
CREATE TABLE thing_two AS TABLE thing_one;
ALTER TABLE thing_two ADD PRIMARY KEY (owner);
CREATE TABLE event_sharded (owner int NOT NULL, n int NOT NULL, word text)
  PARTITION BY HASH (owner);
RESET ROLE;
CREATE PUBLICATION pgsluice FOR ALL TABLES;
CREATE EXTENSION postgres_fdw;
{servers}
"""


def month_partitions():
    bounds = MONTHS + ["2026-07"]
    return "".join(
        f"CREATE TABLE reading_{a.replace('-', '_')} PARTITION OF "
        f"reading_monthly FOR VALUES FROM ('{a}-01+00') TO ('{b}-01+00');\n"
        for a, b in zip(bounds, bounds[1:]))


def foreign_servers(port):
    return "".join(f"""
CREATE SERVER {s} FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '127.0.0.1', port '{port}', dbname '{s}');
GRANT USAGE ON FOREIGN SERVER {s} TO app;
CREATE USER MAPPING FOR PUBLIC SERVER {s}
  OPTIONS (user 'app', password_required 'false');
SET ROLE app;
CREATE FOREIGN TABLE event_{n} PARTITION OF event_sharded
  FOR VALUES WITH (MODULUS 2, REMAINDER {n}) SERVER {s}
  OPTIONS (table_name 'event_part');
RESET ROLE;
""" for n, s in enumerate(SHARDS))


def certificate(folder):
    """(certificate, key), signed by itself."""
    cert, key = (os.path.join(folder, "soak" + e) for e in (".crt", ".key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-keyout", key, "-out", cert, "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


class World:
    """All of it, started."""

    def __init__(self, lab, binary, owners):
        self.pg = harness.followed(lab, "pg", {
            "max_connections": "200", "shared_buffers": "64MB",
            "max_wal_size": "256MB", "synchronous_commit": "on",
            "autovacuum": "on",
            "max_replication_slots": "4"})
        self.redis = harness.lablib.Redis(lab).start()
        for name in ("app", *SHARDS):
            self.pg.psql(f"CREATE DATABASE {name} OWNER app")
        for name in SHARDS:
            self.pg.psql("SET ROLE app; CREATE TABLE event_part (owner int "
                         "NOT NULL, n int NOT NULL, word text); "
                         "CREATE UNIQUE INDEX ON event_part (owner, n)", name)
        self.pg.psql(SCHEMA.format(
            last=owners * 100 - 1, owners=owners - 1,
            months=month_partitions(),
            servers=foreign_servers(self.pg.port)), "app")
        cert, key = certificate(lab.work)
        self.holes = {
            "PORT": harness.lablib.free_port(), "SERVERS": 12,
            "HTTP": harness.lablib.free_port(), "PG": self.pg.port,
            "REDIS": self.redis.port, "CERT": cert, "KEY": key,
            "KEPT": os.path.join(lab.work, "experiments"),
            "SEALS": harness.private_file(os.path.join(lab.work, "seals"),
                                          "0123456789abcdef" * 4 + "\n")}
        self.sluice = harness.Sluice(
            lab, binary, self.conf(), self.holes["PORT"], self.holes["HTTP"],
            environment=harness.sanitizer_options()).start()
        self.sluice.console("CHECK LAYOUTS")
        harness.until(lambda: self.sluice.console("SHOW FEEDS")[0]["state"]
                      == "live")

    def conf(self, **holes):
        with open(os.path.join(HERE, "pgsluice.conf"), encoding="utf-8") as f:
            return string.Template(f.read()).substitute(self.holes, **holes)
