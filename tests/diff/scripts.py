# SPDX-License-Identifier: PostgreSQL
"""Written scripts: rows of the protocol catalogue that can be told as bytes.

Each row of SCRIPTS is (what it shows, steps) for a session that is logged in,
or a Raw for one that is not.  README.md says where the other rows are tested."""

import random
import struct

from peers import WAIT, Peer, compare, play
from rawpg import (PROTOCOL_3_0, bind, close, copy_data, copy_done, copy_fail,
                   cstr, describe, execute, flush, message, packet, parse,
                   query, ssl_request, startup_message, sync)


def run_all(statement="", values=(), rows=0, formats=(), results=()):
    return (bind("", statement, values, formats, results) + describe("P") +
            execute("", rows))


def group(sql, values=(), oids=(), **kw):
    """Parse, Bind, Describe, Execute, Sync."""
    return parse("", sql, oids) + run_all("", values, **kw) + sync()


class Raw:
    """A connection from its first byte: each step is sent and what comes is
    read until nothing does.  Parameter statuses count as a set."""

    def __init__(self, *steps):
        self.steps = steps


HELLO = startup_message({"user": "app", "database": "direct"})
COPY = "COPY t0 FROM STDIN"
COPY_EXTENDED = parse("", COPY) + bind("", "") + execute()
FUNCTION = b"\0\0\0\2\0\0\0\1" + b"2" + b"\0\0\0\1" + b"5" + b"\0\0"

SCRIPTS = {
    # -- before the session
    "P1 TLS is refused, then a login": Raw(ssl_request(), HELLO),
    "P4 a packet of no length": Raw(struct.pack("!I", 4)),
    "P4 a packet too long": Raw(struct.pack("!II", 10001, PROTOCOL_3_0)),
    "P4 no user": Raw(startup_message({"database": "app"})),
    "P4 no terminator": Raw(packet(PROTOCOL_3_0, b"user\0app")),
    "P5 version 2": Raw(packet(2 << 16, cstr("user") + cstr("app") + b"\0")),
    "P5 version 4": Raw(startup_message({"user": "app"}, 4 << 16)),
    "P7 options": [query("SHOW work_mem")],
    "P7 an unknown setting": Raw(startup_message(
        {"user": "app", "database": "direct", "no_such_setting": "1"})),
    "P12 statuses at login": Raw(HELLO),
    # -- simple queries
    "P15 one statement": [query("SELECT 1 AS one, 'x'::text, NULL")],
    "P16 several": [query("SELECT 1; SELECT 2; SELECT 3")],
    "P16 an error in the middle": [
        query("INSERT INTO t0 VALUES (70, 'a'); SELECT 1/0; SELECT 2"),
        query("SELECT count(*) FROM t0")],
    "P16 an error of syntax comes first": [query("SELECT 1; SELEC 2")],
    "P16 BEGIN and an error": [query("BEGIN; SELECT 1/0; ROLLBACK"),
                               query("SELECT 1"), query("ROLLBACK")],
    "P16 COMMIT in the middle": [
        query("INSERT INTO t0 VALUES (71, 'a'); COMMIT; SELECT 1/0"),
        query("SELECT count(*) FROM t0")],
    "P17 nothing": [query(""), query(";"), query("-- x"), query("/* x */"),
                    group(""), group("/* x */")],
    # -- statements
    "P18 the unnamed dies with a Query": [
        parse("", "SELECT 1") + sync(), query("SELECT 2"),
        run_all() + sync()],
    "P18 the unnamed dies with a BEGIN": [
        parse("", "SELECT 1") + sync(), WAIT, query("BEGIN"), WAIT,
        run_all() + sync(), query("ROLLBACK")],
    "P18 the unnamed lives over Sync": [
        parse("", "SELECT 1") + sync(), run_all() + sync(),
        run_all() + sync()],
    "P18 the unnamed lives over a FunctionCall": [
        parse("", "SELECT 1") + message("F", b"\0\0\0\xb1" + FUNCTION) +
        run_all() + sync(), message("F", b"\0\0\0\1" + FUNCTION), WAIT,
        run_all() + sync()],
    "P18 a name is taken": [
        parse("s1", "SELECT 1") + sync(), WAIT,
        parse("s1", "SELECT 2") + sync(), WAIT,
        run_all("s1") + sync()],
    "P18 a name is taken, amid others": [
        parse("s1", "SELECT 1") + sync(),
        parse("", "SELECT 2") + run_all() + parse("s1", "SELECT 3") +
        run_all("s1") + sync(), run_all("s1") + sync(),
        parse("", "SELECT 4") + run_all() + flush() +
        parse("s1", "SELECT 5") + flush() + run_all("s1") + sync(),
        parse("s1", "SELECT 6") + flush(), WAIT, sync(), WAIT,
        run_all("s1") + sync(), parse("s1", "SELEC") + sync(),
        parse("s2", "SELECT 7") + parse("s2", "SELECT 8") + sync(),
        run_all("s2") + sync()],
    "P18 a name is taken, in a transaction": [
        parse("s1", "SELECT 1") + sync(), query("BEGIN"),
        parse("", "SELECT 2") + run_all() + parse("s1", "SELECT 3") + sync(),
        parse("s1", "SELECT 4") + sync(), parse("s1", "ROLLBACK") + sync(),
        query("ROLLBACK"), run_all("s1") + sync()],
    "P18 names that an error leaves as they were": [
        execute("none") + parse("s1", "SELECT 1") + close("S", "s1") +
        parse("s1", "SELECT 2") + sync(), run_all("s1") + sync(),
        parse("s2", "SELEC") + close("S", "s2") + sync(),
        run_all("s2") + sync(),
        parse("s1", "SELECT 3") + sync(),
        execute("none") + close("S", "s1") + parse("s1", "SELECT 4") +
        close("S", "s1") + sync(), run_all("s1") + sync()],
    "P28 what comes when the error is known": [
        parse("s1", "SELECT 1") + execute("none") + flush(), WAIT,
        close("S", "s1") + parse("s1", "SELECT 2") + run_all("s1") + flush(),
        query("SELECT 3"), close("S", "s1") + sync(), run_all("s1") + sync(),
        query("BEGIN"), execute("none") + flush(), WAIT,
        query("ROLLBACK"), parse("s2", "SELECT 4") + sync(), WAIT,
        query("ROLLBACK")],
    "P22 too many values, again and again": [
        group("SELECT v FROM fixed WHERE id = $1", ("1", "2"))
        for _ in range(9)],
    "P19 large statements": [
        parse("s1", "SELECT 1 /*" + "x" * n + "*/") + run_all("s1") +
        close("S", "s1") + sync() for n in (4000, 17000, 300000)],
    "P20 a result of another type": [
        parse("s1", "SELECT * FROM shape") + run_all("s1") + sync(), WAIT,
        query("ALTER TABLE shape ADD b int"), WAIT,
        run_all("s1") + sync(), WAIT, close("S", "s1") + sync(),
        query("ALTER TABLE shape DROP b")],
    "P21 types given and not": [
        group("SELECT $1", ("7",), (23,)), group("SELECT $1, $2::int8",
                                                 ("7", "8"), (23,)),
        group("SELECT $1", ("7",), (0,)),
        group("SELECT " + ", ".join(f"${n}::int" for n in range(1, 301)),
              tuple(str(n) for n in range(300)))],
    "P22 formats and nulls": [
        group("SELECT $1::int", (struct.pack("!i", 7),), formats=(1,),
              results=(1,)),
        group("SELECT $1::text, $2::text", (None, "")),
        group("SELECT $1::int, $2::int", ("1", struct.pack("!i", 2)),
              formats=(0, 1), results=(0, 1)),
        group("SELECT 1, 2", results=(1, 1, 1)),
        group("SELECT $1::int", ("1", "2")),
        group("SELECT v FROM fixed WHERE id = 1"),
        group("SELECT v FROM fixed WHERE id = 1", results=(1,))],
    "P23 Describe": [
        parse("s1", "SELECT $1::int AS a, v FROM fixed") + describe("S", "s1")
        + bind("", "s1", ("1",)) + describe("P") + sync(),
        parse("s2", "DELETE FROM t0 WHERE id = $1") + describe("S", "s2") +
        bind("", "s2", ("99",)) + describe("P") + execute() + sync(),
        describe("S", "none") + sync(), describe("P", "none") + sync()],
    "P24 row limits": [
        parse("", "SELECT generate_series(1, 5)") + bind("p1", "") +
        execute("p1", 2) + execute("p1", 2) + execute("p1", 2) +
        execute("p1", 2) + sync()],
    "P24 a portal ends with its transaction": [
        parse("", "SELECT generate_series(1, 5)") + bind("p1", "") +
        execute("p1", 2) + sync(), execute("p1", 2) + sync()],
    "P24 a portal in a block": [
        query("BEGIN"), parse("", "SELECT generate_series(1, 5)") +
        bind("p1", "") + execute("p1", 2) + sync(), WAIT,
        execute("p1", 2) + sync(), WAIT, execute("p1") + sync(), WAIT,
        execute("p1") + sync(), query("COMMIT"), execute("p1") + sync()],
    "P25 Close of what is not there": [
        close("S", "none") + close("P", "none") + close("S") + close("P") +
        sync()],
    "P25 a portal outlives its statement": [
        parse("s1", "SELECT 1") + bind("p1", "s1") + close("S", "s1") +
        execute("p1") + sync()],
    "P26 Flush": [
        parse("s1", "SELECT 1") + flush(), WAIT, describe("S", "s1") +
        flush(), WAIT, bind("", "s1") + flush(), WAIT, execute() + flush(),
        WAIT, sync(), WAIT, flush() + flush() + sync()],
    "P26 Flush of an answer of our own": [
        parse("s1", "SELECT 1") + sync(), WAIT, close("S", "s1") + flush(),
        WAIT, parse("s1", "SELECT 1") + flush(), WAIT, sync()],
    "P27 one ReadyForQuery a Sync": [
        sync(), sync() + sync() + sync(), group("SELECT 1/0") + sync() +
        sync()],
    "P27 an error at the Sync itself": [
        query("CREATE TABLE deferred (a int UNIQUE DEFERRABLE INITIALLY "
              "DEFERRED); INSERT INTO deferred VALUES (1)"),
        group("INSERT INTO deferred VALUES (1)"), group("SELECT 2"),
        query("DROP TABLE deferred")],
    "P28 an error skips to the Sync": [
        parse("", "SELECT 1/0") + run_all() + parse("", "SELECT 2") +
        run_all() + sync() + group("SELECT 3")],
    "P28 a Query is skipped, too": [
        parse("", "SELEC") + query("SELECT 2") + sync() + query("SELECT 3")],
    "P29 many in flight": [b"".join(
        group(f"SELECT {n}, v FROM fixed WHERE id = {n % 7}")
        for n in range(300))],
    "P30 a Query without a Sync before it": [
        parse("", "SELECT 1") + run_all() + query("SELECT 2") + sync()],
    "P30 a Query behind a portal": [
        parse("", "SELECT generate_series(1, 3)") + bind("p1", "") +
        execute("p1", 1) + query("SELECT 2") + execute("p1", 1) + sync()],
    # -- transactions
    "P32 statuses": [query("BEGIN"), query("SELECT 1"), query("SELECT 1/0"),
                     query("SELECT 2"), group("SELECT 3"),
                     query("ROLLBACK"), query("SELECT 4")],
    "P33 COMMIT of a failed one": [query("BEGIN"), query("SELECT 1/0"),
                                   query("COMMIT")],
    "P33 COMMIT AND CHAIN": [query("BEGIN"), query("SELECT 1"),
                             query("COMMIT AND CHAIN"), query("SELECT 2"),
                             query("ROLLBACK AND CHAIN"),
                             query("SELECT 1/0"), query("ROLLBACK")],
    "P33 the portal of a BEGIN": [
        group("BEGIN"), WAIT, execute("none") + sync(), WAIT,
        execute() + sync(), bind("", "") + sync(), query("ROLLBACK"),
        group("BEGIN"), execute() + sync(), execute() + sync(),
        query("ROLLBACK")],
    "P22 values that do not fit, in a transaction that failed": [
        parse("s1", "SELECT $1::int") + parse("s2", "SELECT 2") + sync(), WAIT,
        query("BEGIN"), execute("none") + sync(), run_all("s1") + sync(),
        run_all("s1", ("1", "2")) + sync(), run_all("s2", ("1",)) + sync(),
        run_all("s2") + sync(), run_all("s1", ("1",)) + sync(),
        run_all("s1", ("1",), formats=(0, 0)) + sync(), query("ROLLBACK"),
        run_all("s1", ("1",)) + sync(), query("BEGIN"), query("SELECT 1/0"),
        run_all("s1") + sync(), query("ROLLBACK")],
    "P22 values that do not fit a statement refused": [
        parse("", "SELECT $1::int") + sync(), WAIT,
        parse("", "SELEC") + sync() + run_all() + sync(), WAIT,
        parse("", "SELECT $1::nothing") + sync() + run_all() + sync()],
    "P22 values that do not fit, behind a BEGIN under way": [
        parse("s1", "SELECT 1") + sync(), WAIT, run_all("s1") + sync() +
        group("BEGIN") + run_all("s1", results=(0, 0, 0)) + sync() +
        run_all("s1", ("1",)) + sync() + query("ROLLBACK")],
    "P33 ends without a beginning": [query("COMMIT"), query("ROLLBACK"),
                                     group("COMMIT"), group("ABORT")],
    "P33 a procedure that commits": [
        query("CREATE PROCEDURE twice() LANGUAGE plpgsql AS $$BEGIN INSERT "
              "INTO t0 VALUES (80, 'a'); COMMIT; INSERT INTO t0 VALUES (80, "
              "'b'); END$$"), query("CALL twice()"),
        query("SELECT count(*) FROM t0 WHERE id = 80"),
        query("DROP PROCEDURE twice")],
    "P34 savepoints": [
        query("SAVEPOINT a"), query("BEGIN"), query("SAVEPOINT a"),
        query("SELECT 1/0"), query("ROLLBACK TO a"), query("SELECT 1"),
        query("RELEASE a"), query("RELEASE a"), query("ROLLBACK")],
    "P32 all names of a transaction's ends": [
        step for word in ("BEGIN", "START TRANSACTION", "begin work")
        for end in ("COMMIT", "END", "ROLLBACK", "ABORT", "commit work")
        for step in (query(word), query(end), group(word), group(end))],
    # -- COPY
    "P35 data": [query(COPY), WAIT, copy_data("50\ta\n") + copy_data("51\tb"
                 "\n") + copy_done(), query("SELECT count(*) FROM t0")],
    "P35 unasked": [query(COPY) + copy_data("50\ta\n") + copy_done()],
    "P35 extended": [COPY_EXTENDED + flush(), WAIT, copy_data("50\ta\n") +
                     copy_done() + sync()],
    "P35 Sync, data, CopyDone, Sync": [
        COPY_EXTENDED + sync() + copy_data("50\ta\n") + copy_done() + sync()],
    "P35 Sync, CopyDone, Sync": [COPY_EXTENDED + sync() + copy_done() +
                                 sync()],
    "P35 Sync, wait, data": [COPY_EXTENDED + sync(), WAIT,
                             copy_data("50\ta\n") + copy_done() + sync()],
    "P35 a row is wrong": [query(COPY), WAIT, copy_data("x\ta\n") +
                           copy_data("51\tb\n") + copy_done(),
                           query("SELECT 1")],
    "P35 a row is wrong, extended": [
        COPY_EXTENDED + flush(), WAIT, copy_data("x\ta\n"), WAIT,
        copy_data("51\tb\n") + copy_done() + sync(), group("SELECT 1")],
    "P35 messages late": [query("SELECT 1") + copy_data("x") + copy_done() +
                          copy_fail("x") + query("SELECT 2")],
    "P35 a table that is not there": [
        query("COPY nowhere FROM STDIN") + copy_data("1\n") + copy_done(),
        parse("", "COPY nowhere FROM STDIN") + bind("", "") + execute() +
        copy_data("1\n") + copy_done() + sync()],
    "P35 Flush amid the data": [
        query(COPY) + copy_data("50\ta\n") + flush() + copy_data("51\tb\n") +
        flush() + copy_done()],
    "P36 CopyFail": [query(COPY), WAIT, copy_data("50\ta\n") +
                     copy_fail("enough"), query("SELECT count(*) FROM t0"),
                     COPY_EXTENDED + copy_fail("enough") + sync(),
                     group("SELECT 1")],
    "P37 out": [query("COPY fixed TO STDOUT"), group("COPY fixed TO STDOUT"),
                query("COPY fixed TO STDOUT (FORMAT binary)"),
                query("COPY (SELECT 1/(n-3) FROM generate_series(1,5) n) TO "
                      "STDOUT")],
    # -- other messages
    "P39 FunctionCall": [message("F", b"\0\0\0\xb1" + FUNCTION),
                         message("F", b"\0\0\0\1" + FUNCTION),
                         query("SELECT 1")],
    "P40 a notification": [query("LISTEN here"), query("NOTIFY here, 'a'"),
                           query("UNLISTEN here"),
                           query("NOTIFY here, 'b'")],
    "P41 notices": [query("SELECT noisy(1), noisy(2)"),
                    group("SELECT noisy(3)"),
                    query("DO $$BEGIN RAISE WARNING 'w' USING HINT = 'h'; "
                          "END$$")],
    "P42 parameters": [
        query("SET DateStyle = 'SQL, DMY'"), query("SELECT '2026-02-01'::"
                                                   "date"),
        query("BEGIN"), query("SET IntervalStyle = 'iso_8601'"),
        query("ROLLBACK"), query("SET LOCAL TimeZone = 'UTC'"),
        query("RESET DateStyle"), group("SET client_encoding = 'LATIN1'"),
        query("RESET client_encoding")],
    "P42 application_name": [
        query("SHOW application_name"), query("RESET application_name"),
        query("SET application_name = 'a'"), query("RESET ALL"),
        query("SHOW application_name"), query("SET application_name = 'b'"),
        query("BEGIN"), query("SET DateStyle = 'SQL, DMY'"),
        query("RESET ALL"), query("SHOW application_name"),
        query("SAVEPOINT s"), query("SET application_name = 'c'"),
        group("RESET application_name"), group("SHOW application_name"),
        query("ROLLBACK TO s"), query("SHOW application_name"),
        query("ROLLBACK"), query("SHOW application_name"),
        query("SET application_name TO DEFAULT"), group("DISCARD ALL"),
        query("SHOW application_name"), query("SET application_name = 'd'"),
        group("DISCARD ALL"), group("SHOW application_name")],
    "P44 an unknown message": [query("SELECT 1"), WAIT, message("y", b"x")],
    "P44 a password now": [query("SELECT 1"), WAIT,
                           message("p", b"secret\0")],
    "P46 tags": [query("INSERT INTO t0 VALUES (60, 'a'), (61, 'b')"),
                 query("UPDATE t0 SET v = 'c' WHERE id >= 60"),
                 query("DELETE FROM t0 WHERE id >= 60"),
                 query("SELECT 1 WHERE false"),
                 query("CREATE TABLE tag AS SELECT 1 AS a"),
                 query("TRUNCATE tag"), query("DROP TABLE tag"),
                 query("EXPLAIN (COSTS OFF) SELECT 1"), query("VALUES (1)"),
                 query("DECLARE c CURSOR FOR SELECT 1")],
    "P47 the same bytes again": [
        step for _ in range(3) for step in (
            query("SELECT * FROM fixed WHERE id = 4"),
            group("SELECT * FROM fixed WHERE id = $1", ("4",)))],
    "P58 PREPARE in SQL": [
        query("PREPARE q AS SELECT $1::int + 1"), query("EXECUTE q(1)"),
        query("EXECUTE q(2)"), query("DEALLOCATE q"), query("EXECUTE q(3)")],
    "P58 behind messages without a Sync": [
        query("PREPARE q AS SELECT 1"), parse("", "SELECT 2") + run_all() +
        flush(), parse("", "EXECUTE q") + run_all() + sync(),
        group("EXECUTE q"), query("DEALLOCATE q"), query("EXECUTE q")],
    "P58 a Query behind messages without a Sync": [
        query("PREPARE q AS SELECT 1"), parse("", "SELECT 2") + run_all() +
        query("EXECUTE q") + sync(), query("EXECUTE q"),
        parse("", "SELECT 3") + run_all() + query("DEALLOCATE q"),
        query("EXECUTE q"), sync()],
    "P58 DEALLOCATE ALL, bound long before it runs": [
        query("BEGIN"), parse("", "DEALLOCATE ALL") + bind("p1", "") + sync(),
        parse("s1", "SELECT 1") + run_all("s1") + sync(), WAIT,
        execute("p1") + sync(), WAIT,
        parse("s2", "SELECT 1") + run_all("s2") + sync(), query("COMMIT")],
    "P58 a statement of Parse, named in SQL": [
        parse("s1", "SELECT $1::int") + parse("s2", "SELECT 2") + sync(),
        query("EXPLAIN (COSTS OFF) EXECUTE s1(1)"),
        run_all("s1", ("7",)) + sync(), run_all("s1") + sync(),
        query("SELECT 1; DEALLOCATE s1; EXECUTE s2"),
        run_all("s1", ("7",)) + sync(), run_all("s2") + sync(),
        parse("s1", "SELECT 3") + sync(), parse("s1", "SELECT 4") + sync(),
        run_all("s1") + describe("S", "s1") + sync(), query("DISCARD ALL"),
        run_all("s1") + sync(), parse("s1", "SELECT 5") + run_all("s1") +
        sync()],
    "P58 DEALLOCATE amid messages": [
        parse("s1", "SELECT 1") + parse("s2", "SELECT 2") + sync(),
        parse("", "DEALLOCATE s1") + run_all() + run_all("s2") +
        run_all("s1") + sync(),
        parse("s3", "DEALLOCATE ALL") + sync(), run_all("s2") + sync(),
        run_all("s3") + parse("s2", "SELECT 3") + run_all("s2") + sync(),
        run_all("s3") + sync(), run_all("s2") + sync()],
    "P58 DEALLOCATE skipped": [
        parse("s1", "SELECT 1") + sync(),
        execute("none") + flush() + parse("", "DEALLOCATE s1") + run_all() +
        sync() + run_all("s1") + sync(),
        query("BEGIN"), execute("none") + sync() + parse("s2",
        "DEALLOCATE s1") + run_all("s2") + sync() + run_all("s1") + sync(),
        query("ROLLBACK"), run_all("s1") + sync(), run_all("s2") + sync()],
    "P58 DISCARD ALL and what follows": [
        parse("s1", "SELECT 1") + parse("s2", "DISCARD ALL") + sync() +
        run_all("s2") + sync() + run_all("s1") + sync() +
        query("BEGIN") + run_all("s2") + sync() + query("ROLLBACK"),
        parse("s1", "SELECT 2") + parse("s2", "DISCARD ALL") + run_all("s2") +
        parse("s1", "SELECT 3") + run_all("s1") + flush(), WAIT,
        run_all("s1") + sync() + query("DISCARD ALL") + run_all("s1") +
        sync(), parse("", "DISCARD ALL") + run_all() + sync() + run_all() +
        sync(), query("BEGIN; DISCARD ALL"), query("ROLLBACK")],
    "P58 in extended messages": [
        group("EXECUTE q"), group("DEALLOCATE q"),
        group("PREPARE q AS SELECT 1"), group("PREPARE q AS SELECT 2"),
        group("EXECUTE q"), query("BEGIN"), group("DEALLOCATE none"),
        group("EXECUTE q"), query("ROLLBACK"), group("DEALLOCATE q"),
        parse("", "EXECUTE q") + bind("", "") + execute() + sync()],
    "P62 sequences": [query("CREATE SEQUENCE seq"),
                      query("SELECT nextval('seq')"),
                      query("SELECT nextval('seq')"),
                      query("DROP SEQUENCE seq")],
    "P64 a message over a buffer": [
        query("SELECT length('" + "x" * 400000 + "')"),
        group("SELECT length($1)", ("y" * 400000,)),
        query("SELECT repeat('z', 400000)")],
    "P67 both directions": [
        b"".join(group("SELECT repeat('w', 2000)") for _ in range(200))],
}


# ------------------------------------------------------------------ running

def raw_trace(peer, steps):
    """Answers before a session has no frames until the packet is answered:
    the bytes of each step are kept as they come, the login as messages."""
    for step in steps:
        peer.send(step)
        if step == ssl_request():
            first = peer.sock.recv(1)
            if first == b"N":
                peer.trace.append(("byte", first))
                continue
            peer.buffer += first
            peer.until(lambda t: False, 1)
            break
        else:
            peer.until(lambda t: t[-1][0] == "Z", 0.5)
            peer.settle()
    statuses = sorted(m for m in peer.trace if m[0] == "S")
    return [m for m in peer.trace if m[0] != "S"] + statuses



def run(script, ports, exceptions, cut=None):
    """None, or the difference."""
    how = {None: None, "one": 1, "random": random.Random(7)}[cut]
    if isinstance(script, Raw):
        a = Peer(ports[0], login=False)
        b = Peer(ports[1], login=False, cut=how)
        try:
            return compare(raw_trace(a, script.steps),
                           raw_trace(b, script.steps), exceptions)
        finally:
            a.close()
            b.close()
    params = {"options": "-c work_mem=7MB"}
    a = Peer(ports[0], params=params)
    b = Peer(ports[1], cut=how, params=params)
    fresh = query("DELETE FROM t0; INSERT INTO t0 VALUES (1, 'one'), "
                  "(2, 'two'), (3, 'three')")
    try:
        for peer in (a, b):
            peer.send(fresh)
            peer.until(lambda t: t[-1][0] == "Z")
            peer.trace = []
        return play(a, b, script) or compare(a.trace, b.trace, exceptions)
    finally:
        a.close()
        b.close()
