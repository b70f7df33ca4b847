# SPDX-License-Identifier: PostgreSQL
"""pgx's tests: `go test` of all of its packages, one package at a time."""

import json
import os

from driver import results, sources

SETUP = "testsetup/postgresql_setup.sql"


def build(folder, _):
    sources.call("go", "mod", "download", cwd=folder)


def setup(folder, psql):
    with open(os.path.join(folder, SETUP)) as f:
        psql(f.read(), results.DATABASE)


def run(folder, port, out):
    log = os.path.join(out, "tests.log")
    results.log_of(
        ["go", "test", "-json", "-count=1", "-p", "1", "-timeout", "20m",
         "./..."], log, cwd=folder,
        env={**os.environ, "PGX_TEST_DATABASE":
             f"host=127.0.0.1 port={port} user=postgres "
             f"dbname={results.DATABASE}"})
    found = {}
    with open(log) as f:
        for line in f:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event.get("Test") and event["Action"] in ("pass", "fail"):
                package = event["Package"].partition("/v5")[2].strip("/")
                found[f"{package or 'pgx'}.{event['Test']}"] = \
                    event["Action"] == "pass"
    return found
