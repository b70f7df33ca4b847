# SPDX-License-Identifier: PostgreSQL
"""Writes over several shards with two_phase_commit: on all of them or on none,
whatever dies when.

A shard is held at its PREPARE TRANSACTION or COMMIT PREPARED by a synchronous
standby that it waits for and that does not exist.  shard0 is the decider."""

import contextlib
import os
import random
import socket
import sys
import threading
import time
import uuid

import psycopg
import pytest

import test_split_inserts
from harness import TOP, lablib, sanitizer_options, wait_for

sys.path.insert(0, os.path.join(TOP, "contrib", "lab", "events"))

from events import Events, USER  # noqa: E402

COLUMNS = "(id, tenant_id, occurred_at, payload)"
WHEN = "2026-01-02 03:04:05+00"


class TwoPhase(Events):
    def __init__(self, lab, **kw):
        super().__init__(lab, **kw)
        for name in ("shard0", "shard1"):
            self.pg[name].settings["max_prepared_transactions"] = "50"
            self.pg[name].configure((USER,), False)

    @staticmethod
    def table_block(use):
        return Events.table_block(use).replace(
            "split_inserts = true",
            "split_inserts = true\n\ttwo_phase_commit = true")

    def configuration(self):
        return super().configuration().replace(
            "pool_size = 10", 'pool_size = 10\nlayout_interval = "2s"')


class Scene(test_split_inserts.Scene):
    def __init__(self, lab):
        super().__init__(lab, TwoPhase)

    def through(self, dbname="sharded", **kw):
        return super().through(dbname, connect_timeout=10, **kw)

    def count(self, name):
        return int(self.ev.sluice.metrics()[f"pgsluice_{name}_total"])

    def rows(self, n=6):
        return [(str(uuid.uuid4()), self.on[i % 2][i % len(self.on[i % 2])])
                for i in range(n)]

    def held(self, rows):
        return [int(self.ev.pg[s].psql(
            "SELECT count(*) FROM app.events_shard WHERE id IN (" +
            ", ".join(f"'{r[0]}'" for r in rows) + ")", "app"))
            for s in ("shard0", "shard1")]

    def prepared(self):
        return [int(self.ev.pg[s].psql(
            "SELECT count(*) FROM pg_prepared_xacts"))
            for s in ("shard0", "shard1")]

    def settled(self, rows, held, timeout=60):
        """Nothing is prepared any more, and so many rows are there."""
        wait_for("the end of what is prepared",
                 lambda: self.prepared() == [0, 0], timeout=timeout)
        assert self.held(rows) == held

    def standby(self, shard, name):
        self.ev.pg[shard].psql(
            f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.ev.pg[shard].psql("SELECT pg_reload_conf()")

    def hold(self, shard):
        """From now on commits there wait: which takes a moment to be so."""
        self.standby(shard, "nobody")
        with self.ev.pg[shard].connect("app", autocommit=True) as c:
            pid = c.info.backend_pid
            over = threading.Event()

            def free():
                while not over.wait(0.05):
                    self.ev.pg[shard].psql(
                        f"SELECT pg_cancel_backend({pid}) FROM "
                        f"pg_stat_activity WHERE pid = {pid} AND "
                        "wait_event = 'SyncRep'")
            heard = []
            c.add_notice_handler(lambda d: heard.append(d))
            thread = threading.Thread(target=free)
            thread.start()
            c.execute("SET synchronous_commit = on")
            while not heard:
                c.execute("SELECT pg_logical_emit_message(true, 'x', '')")
            over.set()
            thread.join()

    def waits(self, shard):
        return self.ev.pg[shard].psql(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
            "'SyncRep'") != "0"

    def step(self, this, that):
        """From waiting on that shard to waiting on this one."""
        self.hold(this)
        self.standby(that, "")
        wait_for("a commit that waits", lambda: self.waits(this))

    @contextlib.contextmanager
    def held_at(self, step, write):
        """In the block the write waits at this step. Yields what has become of
        it, behind the block: its status message, or the error, and notices."""
        out = {"notices": []}

        def run():
            try:
                with self.through() as conn:
                    conn.add_notice_handler(
                        lambda d: out["notices"].append(d.message_primary))
                    conn.execute("SET synchronous_commit = on")
                    out["conn"] = conn
                    out["tag"] = write(conn)
            except psycopg.Error as e:
                out["error"] = e

        first = "shard0" if step == "first prepares" else "shard1"
        self.hold(first)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            wait_for("a commit that waits", lambda: self.waits(first))
            if step in ("first commits", "others commit"):
                self.step("shard0", "shard1")
            if step == "others commit":
                self.step("shard1", "shard0")
            assert self.prepared() == STEPS[step]
            yield out
        finally:
            for shard in ("shard0", "shard1"):
                if self.ev.pg[shard].proc is not None:
                    self.standby(shard, "")
            thread.join(60)
            assert not thread.is_alive()


# What is prepared then, on either shard.
STEPS = {"first prepares": [1, 0], "others prepare": [1, 1],
         "first commits": [1, 1], "others commit": [0, 1]}
BEFORE = ["first prepares", "others prepare"]


@pytest.fixture(scope="module")
def scene():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        made = Scene(lab)
        yield made
        assert made.ev.sluice.stop() == 0


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    for shard in ("shard0", "shard1"):
        if scene.ev.pg[shard].proc is None:
            scene.ev.pg[shard].start()
        scene.standby(shard, "")


def insert(rows):
    def write(conn):
        return conn.execute(
            f"INSERT INTO app.events {COLUMNS} VALUES " + ", ".join(
                f"('{i}', '{t}', '{WHEN}', '{{}}')"
                for i, t in rows)).statusmessage
    return write


def insert_parameters(rows):
    def write(conn):
        return conn.execute(
            f"INSERT INTO app.events {COLUMNS} VALUES " + ", ".join(
                ["(%s, %s, %s, '{}')"] * len(rows)),
            [v for i, t in rows for v in (i, t, WHEN)]).statusmessage
    return write


def copy(rows):
    def write(conn):
        with conn.cursor() as cur:
            with cur.copy(f"COPY app.events {COLUMNS} FROM STDIN") as c:
                for i, t in rows:
                    c.write_row((i, t, WHEN, "{}"))
            return cur.statusmessage
    return write


WRITES = pytest.mark.parametrize("how", [insert, insert_parameters, copy])


@WRITES
@pytest.mark.parametrize("commit", ["on", "off"])
def test_all_is_well(scene, how, commit):
    rows = scene.rows()
    before = scene.count("spreads"), scene.count("spreads_left")
    with scene.through() as conn:
        conn.execute(f"SET synchronous_commit = {commit}")
        assert how(rows)(conn) in ("INSERT 0 6", "COPY 6")
        assert conn.execute("SHOW synchronous_commit").fetchone() == (commit,)
    assert scene.held(rows) == [3, 3] and scene.prepared() == [0, 0]
    wait_for("the counter", lambda: scene.count("spreads") == before[0] + 1)
    assert scene.count("spreads_left") == before[1]


@WRITES
def test_rows_of_one_shard_only(scene, how):
    """An INSERT goes there; a COPY's other transaction has nothing in it."""
    for k in (0, 1):
        rows = [(str(uuid.uuid4()), scene.on[k][0]) for _ in range(3)]
        with scene.through() as conn:
            how(rows)(conn)
        assert scene.held(rows) == ([3, 0], [0, 3])[k]
        assert scene.prepared() == [0, 0]


@WRITES
@pytest.mark.parametrize("bad", [0, 1])
def test_a_row_fails(scene, how, bad):
    """Often: what the other shard does meanwhile is undone, however far it is,
    even where it has not begun its transaction yet."""
    for _ in range(20):
        rows = scene.rows()
        with scene.through() as conn:
            how(rows[bad:bad + 1])(conn)
            with pytest.raises(psycopg.errors.UniqueViolation):
                how(rows)(conn)
            assert conn.execute("SELECT 1").fetchone() == (1,)
        assert sum(scene.held(rows)) == 1 and scene.prepared() == [0, 0]


@WRITES
def test_no_room_for_prepared_ones(scene, how):
    """What the shard says to PREPARE TRANSACTION is told, and nothing stays."""
    pg = scene.ev.pg["shard1"]
    with contextlib.ExitStack() as stack:
        for i in range(50):
            c = stack.enter_context(pg.connect("app", autocommit=True))
            c.execute("BEGIN")
            c.execute(f"PREPARE TRANSACTION 'mine {i}'")
        rows = scene.rows()
        with scene.through() as conn:
            with pytest.raises(psycopg.Error) as e:
                how(rows)(conn)
            assert e.value.sqlstate == "53200"
            assert "maximum number of prepared" in str(e.value)
        for i in range(50):
            pg.psql(f"ROLLBACK PREPARED 'mine {i}'", "app")
    assert scene.held(rows) == [0, 0] and scene.prepared() == [0, 0]


def answered(out):
    wait_for("an answer", lambda: "tag" in out or "error" in out)


@pytest.mark.parametrize("step", STEPS)
def test_pgsluice_dies(scene, step):
    """Before the decider commits nothing stays, then all does."""
    rows = scene.rows()
    how = insert if step in ("first prepares", "others commit") else copy
    with scene.held_at(step, how(rows)) as out:
        scene.ev.sluice.kill()
        scene.ev.sluice.start()
        # Those at work are left alone.
        time.sleep(3)
        assert scene.prepared() == STEPS[step]
    assert "error" in out
    scene.settled(rows, [0, 0] if step in BEFORE else [3, 3])


@pytest.mark.parametrize("step", STEPS)
def test_the_first_dies(scene, step):
    rows = scene.rows()
    with scene.held_at(step, insert(rows)) as out:
        scene.ev.pg["shard0"].crash()
        if step in ("others prepare", "others commit"):
            time.sleep(0.5)
            scene.standby("shard1", "")
        answered(out)
        scene.ev.pg["shard0"].start()
    if step in BEFORE:
        assert out["error"].sqlstate in ("57P01", "57P02", "08006")
    elif step == "first commits":
        assert out["error"].sqlstate == "40003"
        assert out["error"].diag.message_primary == (
            "it is not known whether the write was committed")
    else:
        assert out["tag"] == "INSERT 0 6" and not out["notices"]
    scene.settled(rows, [0, 0] if step in BEFORE else [3, 3])


@pytest.mark.parametrize("step", STEPS)
def test_another_dies(scene, step):
    rows = scene.rows()
    with scene.held_at(step, copy(rows)) as out:
        scene.ev.pg["shard1"].crash()
        if step in ("first prepares", "first commits"):
            time.sleep(0.5)
            scene.standby("shard0", "")
        answered(out)
        scene.ev.pg["shard1"].start()
    if step in BEFORE:
        assert out["error"].sqlstate in ("57P01", "57P02", "08006")
    else:
        assert out["tag"] == "COPY 6"
        assert out["notices"] == [
            "the write is committed, but backend \"shard1\" was lost and "
            "shows its rows later"]
    scene.settled(rows, [0, 0] if step in BEFORE else [3, 3])


@WRITES
@pytest.mark.parametrize("step", STEPS)
def test_a_cancel(scene, how, step):
    """It undoes all, or comes too late."""
    rows = scene.rows()
    with scene.held_at(step, how(rows)) as out:
        out["conn"].cancel()
        time.sleep(0.3)
    if step in BEFORE:
        assert out["error"].sqlstate == "57014"
    else:
        assert out["tag"] in ("INSERT 0 6", "COPY 6")
    scene.settled(rows, [0, 0] if step in BEFORE else [3, 3], timeout=5)


def leaving(rows, how):
    """A client that is gone before it has its answer."""
    def write(conn):
        def leave():
            time.sleep(3)
            s = socket.socket(fileno=os.dup(conn.fileno()))
            s.shutdown(socket.SHUT_RDWR)
            s.close()
        threading.Thread(target=leave).start()
        return how(rows)(conn)
    return write


@pytest.mark.parametrize("step", STEPS)
def test_the_client_goes(scene, step):
    rows = scene.rows()
    with scene.held_at(step, leaving(rows, insert)) as out:
        answered(out)
        time.sleep(1)
    assert "error" in out
    scene.settled(rows, [0, 0] if step in BEFORE else [3, 3])
    assert scene.count("spreads_left") > 0


def test_it_takes_too_long(scene):
    """Others have undone the first one meanwhile, which the write finds."""
    rows = scene.rows()
    with scene.held_at("others prepare", insert(rows)) as out:
        wait_for("the first one's end", lambda: scene.prepared()[0] == 0,
                 timeout=40)
    assert out["error"].sqlstate == "40003"
    scene.settled(rows, [0, 0])


# ------------------------------------------------------------ what is left


def decider(scene):
    """What a name says of a transaction of shard0, but for its number."""
    system, timeline = scene.ev.pg["shard0"].psql(
        "SELECT system_identifier, left(pg_walfile_name("
        "pg_current_wal_lsn()), 8) FROM pg_control_system()").split("|")
    h = 0xcbf29ce484222325
    for c in b"shard0":
        h = (h ^ c) * 0x100000001b3 % 2 ** 64
    return f"{h:016x}_{int(system):016x}_{timeline.lower()}"


def prepare(scene, gid, user="app", rows=()):
    conn = psycopg.connect(scene.ev.pg["shard1"].admin_dsn("app"),
                           autocommit=True)
    with conn:
        conn.execute("BEGIN")
        conn.execute(f"SET LOCAL ROLE {user}")
        for i, t in rows:
            conn.execute("INSERT INTO app.events_shard "
                         f"{COLUMNS} VALUES ('{i}', '{t}', '{WHEN}', '{{}}')")
        conn.execute(f"PREPARE TRANSACTION '{gid}'")


def of_shard1(scene):
    return [(str(uuid.uuid4()), scene.on[1][0])]


@pytest.mark.parametrize("end, held", [("COMMIT", [0, 1]),
                                       ("ROLLBACK", [0, 0])])
def test_others_transactions_are_ended_too(scene, end, held):
    """Of another role, of another pgsluice: as the decider says."""
    shard1 = scene.ev.pg["shard1"]
    rows = of_shard1(scene)
    if shard1.psql("SELECT 1 FROM pg_roles WHERE rolname = 'o''ther'") == "":
        shard1.psql("CREATE ROLE \"o'ther\"; GRANT \"o'ther\" TO app; "
                    "GRANT USAGE ON SCHEMA app TO \"o'ther\"; "
                    "GRANT INSERT ON app.events_shard TO \"o'ther\"", "app")
    with scene.ev.pg["shard0"].connect("app") as c:
        xid = c.execute("SELECT txid_current()").fetchone()[0]
        prepare(scene, f"pgsluice_{random.getrandbits(64):016x}_1_"
                f"{decider(scene)}_{xid}", "\"o'ther\"", rows)
        time.sleep(3)
        assert scene.prepared() == [0, 1]  # at work
        c.execute(end)
    scene.settled(rows, held)


def shards(scene):
    with scene.through("pgsluice") as c:
        rows = c.execute("SHOW SHARDS")
        names = [d.name for d in rows.description]
        return {r["backend"]: r for r in (
            dict(zip(names, row)) for row in rows.fetchall())}


def test_what_cannot_be_decided_is_left(scene):
    def noted(text):
        with scene.through("pgsluice") as c:
            return any(text in (r[6] or "")
                       for r in c.execute("CHECK LAYOUTS").fetchall())

    system = decider(scene)
    shard1 = scene.ev.pg["shard1"]
    xid = scene.ev.pg["shard0"].psql("SELECT txid_current()")
    unknown = [
        f"pgsluice_{1:016x}_1_{'0' * 16}{system[16:]}_{xid}",   # no backend
        f"pgsluice_{2:016x}_1_{system[:17]}{'1' * 16}{system[33:]}_{xid}",
        f"pgsluice_{3:016x}_1_{system[:34]}000000ff_{xid}",     # timeline
        f"pgsluice_{4:016x}_1_{system}_{int(xid) + 1000000}",   # to come
        "pgsluice_by_hand", "somebody's"]
    if shard1.psql("SELECT 1 FROM pg_roles WHERE rolname = 'alien'") == "":
        shard1.psql("CREATE ROLE alien; GRANT app TO alien")
    for gid in unknown:
        prepare(scene, gid.replace("'", "''"))
    prepare(scene, f"pgsluice_{5:016x}_1_{system}_{xid}", "alien")
    try:
        wait_for("a note", lambda: noted(
            "backend \"shard1\": 6 prepared transactions are left: "),
            timeout=20)
        assert scene.prepared() == [0, 7]
        assert shards(scene)["shard1"]["prepared"] == 6
        assert shards(scene)["shard0"]["prepared"] == 0
        assert any(k.startswith("pgsluice_shard_prepared_transactions{") and
                   'backend="shard1"' in k and v == 6
                   for k, v in scene.ev.sluice.metrics().items())
    finally:
        for (gid,) in shard1.connect("app", autocommit=True).execute(
                "SELECT gid FROM pg_prepared_xacts").fetchall():
            gid = gid.replace("'", "''")
            shard1.psql(f"ROLLBACK PREPARED '{gid}'", "app")
    wait_for("nothing left",
             lambda: shards(scene)["shard1"]["prepared"] == 0)


def test_prepared_transactions_are_switched_off(scene):
    pg = scene.ev.pg["shard1"]

    def room(n):
        pg.stop()
        pg.settings["max_prepared_transactions"] = n
        pg.configure((USER,), False)
        pg.start()
    room("0")
    try:
        with scene.through("pgsluice") as c:
            assert any("max_prepared_transactions is 0" in (r[6] or "")
                       for r in c.execute("CHECK LAYOUTS").fetchall())
        rows = scene.rows()
        with scene.through() as conn:
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                insert(rows)(conn)
        assert scene.held(rows) == [0, 0]
    finally:
        room("50")


def test_kept_results_end_with_what_was_left(scene):
    rows = scene.rows()
    sql = ("SELECT count(*) FROM app.events WHERE tenant_id = "
           f"'{rows[1][1]}'")
    with scene.through("sharded_l1") as conn:
        n = conn.execute(sql).fetchone()[0]
        with scene.held_at("first commits", insert(rows)) as out:
            assert conn.execute(sql).fetchone()[0] == n
            scene.ev.pg["shard1"].crash()
            scene.standby("shard0", "")
            answered(out)
            scene.ev.pg["shard1"].start()
        scene.settled(rows, [3, 3])
    with scene.through("sharded_l1") as conn:
        wait_for("the new rows", lambda: conn.execute(
            sql).fetchone()[0] == n + sum(r[1] == rows[1][1] for r in rows),
            timeout=10)


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_dies_at_random(scene, seed):
    """Writers through kills of pgsluice and crashes of shards: every write is
    whole or not there, and there if it was acknowledged."""
    over = threading.Event()
    written, lock = [], threading.Lock()

    def writer(seed):
        rnd = random.Random(seed)
        while not over.is_set():
            try:
                with scene.through() as conn:
                    while not over.is_set():
                        rows = scene.rows(4)
                        with lock:
                            written.append(rows)
                        rnd.choice((insert, insert_parameters, copy))(rows)(
                            conn)
                        with lock:
                            acknowledged.append(rows)
            except psycopg.Error:
                time.sleep(0.05)

    # The coordinator's writes are of one phase: there are none here.
    for server in ("shard0", "shard1"):
        scene.ev.pg["coordinator"].psql(
            f"ALTER SERVER {server} OPTIONS (ADD updatable 'false')", "app")
    acknowledged = []
    threads = [threading.Thread(target=writer, args=(seed * 10 + i,))
               for i in range(4)]
    for t in threads:
        t.start()
    rnd = random.Random(seed)
    try:
        for _ in range(12):
            time.sleep(rnd.uniform(0.2, 1.2))
            victim = rnd.choice(("pgsluice", "shard0", "shard1"))
            if victim == "pgsluice":
                scene.ev.sluice.kill()
                scene.ev.sluice.start()
            else:
                scene.ev.pg[victim].crash()
                scene.ev.pg[victim].start()
    finally:
        over.set()
        for t in threads:
            t.join(60)
        for server in ("shard0", "shard1"):
            scene.ev.pg["coordinator"].psql(
                f"ALTER SERVER {server} OPTIONS (DROP updatable)", "app")
    wait_for("the end of what is prepared",
             lambda: scene.prepared() == [0, 0], timeout=90)
    print(f"{len(written)} writes, {len(acknowledged)} acknowledged, "
          f"{scene.count('spreads_left')} left since the last start")
    assert len(acknowledged) > 20
    keys = [r[0] for rows in written for r in rows]
    found = set()
    for shard in ("shard0", "shard1"):
        with scene.ev.pg[shard].connect("app", autocommit=True) as c:
            found |= {str(i) for (i,) in c.execute(
                "SELECT id FROM app.events_shard WHERE id = ANY(%s)",
                (keys,)).fetchall()}
    halves = [rows for rows in written
              if 0 < sum(r[0] in found for r in rows) < len(rows)]
    lost = [rows for rows in acknowledged
            if not all(r[0] in found for r in rows)]
    assert (halves, lost) == ([], [])
