# SPDX-License-Identifier: PostgreSQL
"""SQL's PREPARE, EXECUTE and DEALLOCATE where transactions have failed, errors
skip messages, and a session has its statements on a server of its own: every
message as PostgreSQL says it."""

import pytest

import rawpg
from rawpg import (bind, close, describe, execute, flush, parse, query, sync)

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 1
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
"""


def run(sql, name=""):
    return parse(name, sql) + bind("", name) + execute()


def told(sql):
    return parse("", sql) + bind("", "") + describe("P") + execute() + sync()


def uses(*names):
    """What each name means: an answer to Bind, and to EXECUTE."""
    return [part for n in names for part in (
        bind("", n) + execute() + sync(), query(f"EXECUTE {n}"))]


FAILED = [query("BEGIN"), query("SELECT 1/0")]
# The transaction fails without having reached a server.
UNSEEN = [query("BEGIN"), query("EXECUTE nobody")]
GIVEN = [parse("s1", "SELECT 'one'") + sync(), query("PREPARE s2 AS SELECT 2")]
NATIVE = GIVEN + [query("SELECT 1; PREPARE s3 AS SELECT 3")]

# Name: messages, each sent when the ones before have been answered.
SCRIPTS = {
    # A failed transaction is ended by the first statement of several.
    "deallocate": GIVEN + FAILED + [
        query("ROLLBACK; DEALLOCATE s1"), *uses("s1", "s2"),
        parse("s1", "SELECT 'anew'") + sync(), *uses("s1")],
    "deallocate sql's": GIVEN + FAILED + [
        query("COMMIT; DEALLOCATE s2; DEALLOCATE s1"), *uses("s1", "s2")],
    "deallocate none": GIVEN + FAILED + [
        query("/* a */ ABORT; DEALLOCATE none"), *uses("s1", "s2")],
    "deallocate all": GIVEN + FAILED + [
        query("END; DEALLOCATE ALL"), *uses("s1", "s2")],
    "prepare": GIVEN + FAILED + [
        query("ROLLBACK; PREPARE s3 AS SELECT 3"), *uses("s1", "s2", "s3")],
    "execute": GIVEN + FAILED + [
        query("ROLLBACK; EXECUTE s1; EXECUTE s2"), *uses("s1", "s2")],
    "not the end": GIVEN + FAILED + [
        query("EXECUTE s1; ROLLBACK"), query("ROLLBACK"), *uses("s1")],
    "another begins": GIVEN + FAILED + [
        query("ROLLBACK; BEGIN; DEALLOCATE s1"), query("SELECT 1/0"),
        query("ROLLBACK"), *uses("s1", "s2")],
    "savepoints": GIVEN + [query("BEGIN"), query("SAVEPOINT a")] +
        FAILED[1:] + [query("ROLLBACK; DEALLOCATE s1"), *uses("s1", "s2")],
    "in a group": GIVEN + FAILED + [
        run("COMMIT") + run("DEALLOCATE s1") + run("EXECUTE s2") + sync(),
        *uses("s1", "s2")],
    "in a group that stays": GIVEN + FAILED + [
        run("EXECUTE s1") + run("ROLLBACK") + sync(), query("ROLLBACK"),
        *uses("s1")],
    # ... or of one that no server has seen.
    "unseen": GIVEN + UNSEEN + [
        query("ROLLBACK; SELECT 7"), query("SELECT 8")],
    "unseen, deallocate": GIVEN + UNSEEN + [
        query("ROLLBACK; DEALLOCATE s1"), *uses("s1", "s2")],
    "unseen, chain": UNSEEN + [
        query("ROLLBACK AND CHAIN"), query("SELECT 1"), query("COMMIT")],
    "unseen, savepoint": UNSEEN + [
        query("ROLLBACK TO a"), told("RELEASE a"), query("SAVEPOINT a"),
        query("COMMIT")],
    # What is wrong with the text comes before what is wrong with the name.
    "taken": GIVEN + [
        query("PREPARE s1 AS SELECT * FROM nowhere"),
        query("PREPARE s2 AS SELECT * FROM nowhere"),
        query("PREPARE s2 AS SELECT 'fine'"), query("PREPARE s1 AS SELECT 0"),
        told("PREPARE s1 AS SELECT * FROM nowhere"),
        told("PREPARE s1 AS SELECT 'good'"), *uses("s1", "s2")],
    "taken in a transaction": GIVEN + [
        query("BEGIN"), query("PREPARE s1 AS SELECT * FROM nowhere"),
        query("ROLLBACK"), query("BEGIN"), query("PREPARE s1 AS SELECT 'x'"),
        query("ROLLBACK"), *uses("s1")],
    # An error comes when it is executed.
    "steps": [
        told("PREPARE s1 AS SELECT * FROM nowhere"), run("PREPARE s1 AS "
        "SELECT nocolumn") + sync(), describe("S") + sync(),
        told("EXECUTE s1"), *uses("s1")],
    "the unnamed one": GIVEN + [
        told("EXECUTE nobody"), describe("S") + sync(),
        told("DEALLOCATE nobody"), describe("S") + sync(),
        told("PREPARE s1 AS SELECT 5"), describe("S") + sync(),
        bind("", "") + execute() + sync(), told("EXECUTE s2"),
        describe("S") + sync()],
    "the unnamed one, skipped": NATIVE + [
        parse("", "SELECT 'before'") + sync(), execute("none") +
        parse("", "SELECT 'skipped'") + sync() + query("SELECT 4"),
        describe("S") + sync()],
    # Statements of its own.
    "discarded": GIVEN + [
        parse("", "DISCARD ALL") + flush() + bind("", "") + execute() + sync(),
        *uses("s1", "s2")],
    # What waits for its answer does not wait for ever behind a COPY.
    "discarded behind a copy": GIVEN + [
        parse("d", "DISCARD ALL") + run("COPY copied FROM STDIN") +
        rawpg.copy_data("1\n") + rawpg.copy_done() + rawpg.copy_data("2\n") +
        sync(),
        parse("", "DISCARD ALL") + run("COPY copied FROM STDIN", "c") +
        rawpg.copy_data("3\n") + rawpg.copy_done() + close("S", "c") + sync(),
        query("SELECT count(*) > 0 FROM copied")],
    "forgotten": NATIVE + [
        query("DEALLOCATE ALL"), *uses("s1", "s2", "s3"),
        parse("s1", "SELECT 'anew'") + sync(), *uses("s1")],
    "forgotten by messages": NATIVE + [
        told("DEALLOCATE ALL"), parse("s1", "SELECT 'anew'") +
        parse("s2", "SELEC") + sync(), *uses("s1", "s2", "s3")],
    "forgotten, and more": NATIVE + [
        query("DEALLOCATE ALL") + parse("s1", "SELECT 'anew'") + sync() +
        bind("", "s1") + execute() + sync(), *uses("s1", "s2"),
        parse("s1", "SELECT 'taken'") + sync(),
        close("S", "s1") + sync(), *uses("s1")],
    "forgotten in a transaction": NATIVE + [
        query("BEGIN"), query("DEALLOCATE ALL"), query("ROLLBACK"),
        *uses("s1", "s3"), parse("s3", "SELECT 'three'") + sync(),
        *uses("s3")],
    "forgotten by a function": NATIVE + [
        query("DO $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$"),
        *uses("s1", "s2", "s3"), parse("s1", "SELECT 'anew'") + sync(),
        *uses("s1")],
    "renamed": NATIVE + [
        query("DEALLOCATE s1; PREPARE s1 AS SELECT 'other'"), *uses("s1"),
        close("S", "s1") + sync(), *uses("s1")],
    "reset": NATIVE + [
        query("SET application_name = 'x'"), query("PREPARE r AS SELECT 1"),
        parse("s4", "RESET ALL") + sync(), told("EXECUTE s4"),
        query("SHOW application_name")],
}


def trace(port, database, script):
    with rawpg.RawConn("127.0.0.1", port, "app", database) as c:
        out = []
        for data in script:
            c.send(data)
            # Each Query and each Sync is answered.
            count = sum(k in (ord("Q"), ord("S")) for k, _ in split(data))
            out.append([(k, [rawpg.error_fields(b).get(f) for f in "CMP"]
                         if k in "EN" else b)
                        for k, b in c.read_until_ready(count)])
        return out


def split(data):
    at = 0
    while at < len(data):
        n = int.from_bytes(data[at + 1:at + 5], "big")
        yield data[at], data[at + 5:at + 1 + n]
        at += 1 + n


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_as_postgresql_says_it(pg, db, pgsluice, mode):
    pg.psql("CREATE TABLE copied (a int); GRANT ALL ON copied TO public", db)
    sluice = pgsluice(CONF, MODE=mode)
    for name, script in SCRIPTS.items():
        direct = trace(pg.port, db, script)
        for data, ours, theirs in zip(script, trace(sluice.port, "app",
                                                    script), direct):
            assert ours == theirs, (name, data)
    assert sluice.count("server_surprises") == 0
