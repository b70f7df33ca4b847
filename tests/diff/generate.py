# SPDX-License-Identifier: PostgreSQL
"""Random sequences of protocol messages, legal and illegal.

A sequence is made of groups as drivers send them (statements in all forms,
pipelines, portals with row limits, COPY, transactions) and of single messages
out of place.  What names mean is followed roughly, so that most groups work
and some do not.  Everything is drawn from one random.Random: the same seed and
number give the same bytes.

Each lane, that is each pair of connections, has a table of its own; a
statement's literals are found in no other, so that an answer to somebody
else's statement shows."""

import rawpg
from rawpg import (bind, close, copy_data, copy_done, copy_fail, describe,
                   execute, flush, message, parse, query, sync)
from peers import WAIT

SCHEMA = """
SET ROLE app;
CREATE FUNCTION noisy(int) RETURNS int LANGUAGE plpgsql AS
    $$BEGIN RAISE NOTICE 'noise %', $1; RETURN $1; END$$;
CREATE TABLE shape (a int);
CREATE TABLE fixed (id int PRIMARY KEY, v text);
INSERT INTO fixed SELECT n, 'fixed ' || n FROM generate_series(1, 20) n;
""" + "".join(f"CREATE TABLE t{n} (id int PRIMARY KEY, v text);\n"
              for n in range(10))

NAMES = ("", "s1", "s2")
PORTALS = ("", "p1", "p2")


class Text:
    """A statement: its text, its parameters, what it may leave behind."""

    def __init__(self, sql, values=(), oids=(), writes=False, state=False,
                 copy=False):
        self.sql, self.values, self.oids = sql, values, oids
        self.writes, self.state, self.copy = writes, state, copy


class Generator:
    """One sequence: .steps for peers.play(), .labels of its messages in
    order, .writes (the lane's table is another one afterwards), .state (the
    session is)."""

    def __init__(self, rng, number, lane):
        self.rng, self.number, self.lane = rng, number, lane
        self.steps, self.labels = [], []
        self.writes = self.state = False
        self.serial = 0
        self.statements, self.portals = {}, {}
        self.in_block = False
        # Since the last Sync or Query the unnamed portal has been bound; there
        # was a transaction block, and in or behind it a Query.
        self.bound = self.block = self.stale = False
        self.sloppy = rng.random() < 0.3
        # As clients that know no pipelines; what a cache can answer.
        self.paced = rng.random() < 0.3
        for _ in range(rng.choice((1, 2, 2, 3, 4, 6))):
            self.group()
            if rng.random() < 0.25:
                self.wait()

    # -- what is sent

    def put(self, label, data):
        self.labels.append(label)
        self.block |= any(word in data for word in (b"BEGIN", b"START",
                                                    b"CHAIN"))
        self.stale |= self.block and label == "Q"
        if label in "QS":
            self.bound = False
        self.steps.append(data)
        if self.paced and label in "QS":
            self.wait()

    def wait(self):
        if self.steps and self.steps[-1] is not WAIT and \
                self.labels[-1] in "QSHFdcf":
            self.steps.append(WAIT)

    def joined(self):
        """The steps with neighbouring messages in one piece."""
        out = []
        for step in self.steps:
            if step is not WAIT and out and out[-1] is not WAIT:
                out[-1] += step
            else:
                out.append(step)
        return out

    # -- statements

    def token(self):
        self.serial += 1
        return f"{self.number}.{self.serial}"

    def text(self, kind=None):
        rng, t, lane = self.rng, self.token(), self.lane
        kind = kind or rng.choices(
            ("read", "parameter", "cached", "series", "write", "error",
             "odd", "utility", "state"),
            (18, 24, 60 if self.paced else 14, 10, 12, 6, 7, 6, 2))[0]
        return getattr(self, "text_" + kind)(rng, t, f"t{lane}")

    @staticmethod
    def text_read(rng, t, table):
        return Text(rng.choice((
            f"SELECT '{t}'",
            f"SELECT '{t}', count(*) FROM {table}",
            f"SELECT id, v, '{t}' AS t FROM {table} ORDER BY id",
            f"VALUES ('{t}', 1), ('{t}', 2)",
            f"SELECT '{t}', noisy(3)",
            f"TABLE {table} ORDER BY id",
            "SHOW application_name",
            f"SELECT '{t}'; ",
        )))

    @staticmethod
    def text_parameter(rng, t, table):
        sql, values, oids = rng.choice((
            (f"SELECT $1::text, '{t}'", (t,), ()),
            ("SELECT $1::int + 1", (str(rng.randrange(1000)),), ()),
            ("SELECT $1", (t,), (25,)),
            ("SELECT $1, $2::int8", ("7", str(rng.randrange(99))), (23,)),
            (f"SELECT v FROM {table} WHERE id = $1",
             (str(rng.randrange(6)),), ()),
            ("SELECT $1::text", (None,), ()),
            ("SELECT $1::text || 'x'", ("",), (0,)),
            ("SELECT 10 / $1::int", (str(rng.randrange(3)),), ()),
            ("SELECT $1::int", (t,), ()),
        ))
        return Text(sql, values, oids)

    @staticmethod
    def text_cached(rng, t, table):
        n = rng.randrange(1, 4)
        sql, values = rng.choice((
            (f"SELECT v FROM fixed WHERE id = {n}", ()),
            ("SELECT id, v FROM fixed WHERE id = $1", (str(n),)),
            (f"SELECT v FROM {table} WHERE id = {n}", ()),
            (f"SELECT v FROM {table} WHERE id = $1", (str(n),)),
            (f"SELECT count(*) FROM {table}", ()),
        ))
        return Text(sql, values)

    @staticmethod
    def text_series(rng, t, table):
        n = rng.choice((0, 1, 3, 5, 40))
        return Text(rng.choice((
            f"SELECT '{t}', n FROM generate_series(1, {n}) n",
            f"SELECT n, 10 / (n - 3) FROM generate_series(1, {n}) n",
            f"SELECT repeat('{t}', 30 * n) FROM generate_series(1, {n}) n",
        )))

    @staticmethod
    def text_write(rng, t, table):
        n = rng.randrange(1, 40)
        sql, values = rng.choice((
            (f"INSERT INTO {table} VALUES ({n}, '{t}')", ()),
            (f"INSERT INTO {table} VALUES ($1, $2)", (str(n), t)),
            (f"UPDATE {table} SET v = '{t}' WHERE id = {n % 4}", ()),
            (f"UPDATE {table} SET v = $1 WHERE id = 2 RETURNING *", (t,)),
            (f"DELETE FROM {table} WHERE id = {n % 6}", ()),
            (f"INSERT INTO {table} VALUES ({n}, '{t}') ON CONFLICT DO "
             "NOTHING RETURNING id", ()),
            (f"WITH w AS (INSERT INTO {table} VALUES ({n}, '{t}') RETURNING "
             "v) SELECT * FROM w", ()),
            (f"SELECT v FROM {table} WHERE id = 1 FOR UPDATE", ()),
        ))
        return Text(sql, values, writes=True)

    @staticmethod
    def text_error(rng, t, table):
        return Text(rng.choice((
            "SELECT 1/0", f"SELECT '{t}'::int", "SELEC 1",
            "SELECT * FROM nowhere", f"SELECT nocolumn FROM {table}",
            f"INSERT INTO {table} VALUES (1, '{t}')", "SELECT 'open",
            "SELECT $3", f"SELECT '{t}' FROM {table} WHERE",
        )), writes=True)

    @staticmethod
    def text_odd(rng, t, table):
        return Text(rng.choice((
            "", " ", ";", "-- nothing", "/* nothing */",
            f"SELECT '{t}'; SELECT '{t}b'", ";;SELECT 1;;",
            f"SELECT '{t}'; SELECT 1/0; SELECT 2",
            "BEGIN; SELECT 1; COMMIT", "BEGIN; SELECT 1/0; ROLLBACK",
            f"INSERT INTO {table} VALUES (30, '{t}'); COMMIT; SELECT 1/0",
            f"INSERT INTO {table} VALUES (31, '{t}'); SELECT 1/0",
            "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a",
            f"DO $$BEGIN RAISE NOTICE '{t}'; END$$",
            f"DO $$BEGIN RAISE EXCEPTION '{t}'; END$$",
            "EXPLAIN (COSTS OFF) SELECT 1",
            "FETCH 2 FROM nowhere",
        )), writes=True)

    @staticmethod
    def text_utility(rng, t, table):
        return Text(rng.choice((
            "BEGIN", "BEGIN", "START TRANSACTION", "COMMIT", "COMMIT",
            "ROLLBACK", "END", "ABORT", "COMMIT AND CHAIN",
            "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN READ ONLY",
            "SET LOCAL work_mem = '5MB'", "SET TRANSACTION READ ONLY",
            f"DECLARE c CURSOR FOR SELECT '{t}' FROM generate_series(1, 3)",
            "FETCH 2 FROM c", "CLOSE c", "LOCK TABLE " + table,
        )), writes=True)

    @staticmethod
    def text_state(rng, t, table):
        return Text(rng.choice((
            "SET work_mem = '6MB'", "SHOW work_mem", "RESET work_mem",
            "SET DateStyle = 'SQL, DMY'", f"SET application_name = '{t}'",
            "PREPARE q AS SELECT 1", "EXECUTE q", "DEALLOCATE q",
            "DEALLOCATE s1", "DEALLOCATE ALL", "DISCARD ALL",
            f"CREATE TEMP TABLE tt AS SELECT '{t}' AS v", "SELECT * FROM tt",
            "SELECT set_config('app.x', '1', false)",
            "DECLARE h CURSOR WITH HOLD FOR SELECT 1", "FETCH 1 FROM h",
            "SELECT pg_advisory_lock(%s)" % table[1:],
            "SELECT pg_advisory_unlock_all()",
        )), writes=True, state=True)

    def note(self, text):
        self.writes |= text.writes
        self.state |= text.state

    # -- groups

    def group(self):
        kinds = (("simple", 18), ("extended", 30), ("pipeline", 14),
                 ("named", 12), ("limited", 8), ("block", 12), ("copy_in", 7),
                 ("copy_out", 4), ("flushed", 6), ("fastpath", 1),
                 ("stray", 10 if self.sloppy else 0))
        kind = self.rng.choices([k for k, _ in kinds],
                                [w for _, w in kinds])[0]
        getattr(self, "group_" + kind)()

    def group_simple(self):
        for _ in range(self.rng.choice((1, 1, 1, 2, 4))):
            text = self.text()
            self.note(text)
            sql = text.sql
            for i, value in enumerate(text.values, 1):
                sql = sql.replace(f"${i}", "NULL" if value is None
                                  else f"'{value}'")
            self.put("Q", query(sql))

    def add_parse(self, name="", text=None):
        text = text or self.text()
        self.note(text)
        self.statements[name] = text
        self.put("P", parse(name, text.sql, text.oids))

    def add_bind(self, portal="", name=""):
        rng = self.rng
        text = self.statements.get(name)
        values = text.values if text is not None else ()
        if self.sloppy and rng.random() < 0.1:
            values = tuple(values) + ("extra",)
        formats = rng.choice(((), (), (), (0,)))
        results = rng.choice(((), (), (0,), (1,), (0, 0, 0)
                              if self.sloppy else ()))
        self.portals[portal] = name
        self.bound |= not portal
        self.put("B", bind(portal, name, values, formats, results))

    def add_execute(self, portal="", rows=0):
        # PostgreSQL 15 dies of an Execute of the unnamed portal that a failed
        # Query left in its block: the portal's statements are gone.
        if self.stale and not self.bound and not portal:
            portal = "p1"
        self.put("E", execute(portal, rows))

    def add_describe(self, kind="P", name=""):
        self.put("D" + kind, describe(kind, name))

    def add_sync(self):
        if not self.in_block:
            self.portals.clear()
        self.put("S", sync())

    def one(self, name="", portal=""):
        """Parse, Bind, Describe, Execute as drivers do."""
        rng = self.rng
        if name:
            self.put("CS", close("S", name))
        self.add_parse(name)
        if rng.random() < 0.3:
            self.add_describe("S", name)
        if portal:
            self.put("CP", close("P", portal))
        self.add_bind(portal, name)
        if rng.random() < 0.6:
            self.add_describe("P", portal)
        self.add_execute(portal)

    def group_extended(self):
        self.one(self.rng.choice(("", "", "", "s1")))
        self.add_sync()

    def group_pipeline(self):
        for _ in range(self.rng.choice((2, 2, 3, 5, 8))):
            self.one(self.rng.choice(("", "", "s1", "s2")))
            if self.rng.random() < 0.5:
                self.add_sync()
            elif self.rng.random() < 0.1:
                self.put("H", flush())
        self.add_sync()

    def group_named(self):
        """Prepare once, run several times."""
        rng = self.rng
        name = rng.choice(("s1", "s2"))
        if name not in self.statements or rng.random() < 0.3:
            self.put("CS", close("S", name))
            self.add_parse(name)
            if rng.random() < 0.5:
                self.add_describe("S", name)
            self.add_sync()
            if rng.random() < 0.5:
                self.wait()
        for _ in range(rng.choice((1, 2, 3))):
            self.add_bind("", name)
            if rng.random() < 0.4:
                self.add_describe("P")
            self.add_execute()
            self.add_sync()

    def group_limited(self):
        """A portal that is run in parts."""
        rng = self.rng
        portal = rng.choice(PORTALS)
        if portal:
            self.put("CP", close("P", portal))
        self.add_parse("", self.text("series"))
        self.add_bind(portal, "")
        for _ in range(rng.choice((1, 2, 3, 4))):
            self.add_execute(portal, rng.choice((1, 2, 3, 50, 0)))
            if rng.random() < 0.2:
                self.put("H", flush())
                self.wait()
            elif rng.random() < 0.2:
                self.add_sync()
        if rng.random() < 0.3:
            self.put("CP", close("P", portal))
        self.add_sync()

    def run(self, sql):
        """A statement in one protocol or the other."""
        self.writes = True
        if self.rng.random() < 0.5:
            self.put("Q", query(sql))
        else:
            self.add_parse("", Text(sql, writes=True))
            self.add_bind()
            self.add_execute()
            self.add_sync()

    def group_block(self):
        rng = self.rng
        self.run(rng.choice(("BEGIN", "BEGIN", "START TRANSACTION",
                             "BEGIN ISOLATION LEVEL SERIALIZABLE")))
        self.in_block = True
        for _ in range(rng.choice((0, 1, 2, 3))):
            if rng.random() < 0.2:
                self.run(rng.choice(("SAVEPOINT a", "ROLLBACK TO a")))
            getattr(self, "group_" + rng.choice(
                ("simple", "extended", "pipeline", "named", "limited",
                 "flushed")))()
            if rng.random() < 0.2:
                self.wait()
        self.in_block = False
        self.run(rng.choice(("COMMIT", "COMMIT", "ROLLBACK")))

    def group_flushed(self):
        """Flush between the messages of one unit."""
        rng = self.rng
        name = rng.choice(NAMES)
        if name:
            self.put("CS", close("S", name))
        steps = [lambda: self.add_parse(name),
                 lambda: self.add_describe("S", name),
                 lambda: self.add_bind("", name),
                 self.add_describe,
                 self.add_execute]
        for step in steps:
            step()
            if rng.random() < 0.4:
                self.put("H", flush())
                if rng.random() < 0.5:
                    self.wait()
        self.add_sync()

    def rows(self):
        rng, out = self.rng, []
        for _ in range(rng.choice((0, 1, 2, 5))):
            n = rng.randrange(40, 90)
            out.append(f"{n}\t{self.token()}\n")
        if rng.random() < 0.25:
            out.append(rng.choice(("1\tdouble\n", "x\ty\n", "1\n",
                                   "90\ta\tb\n", "\\.\n")))
        return out

    def group_copy_in(self):
        rng = self.rng
        table = f"t{self.lane}" if rng.random() < 0.9 else "nowhere"
        sql = f"COPY {table} FROM STDIN"
        self.writes = True
        extended = rng.random() < 0.5
        if extended:
            self.add_parse("", Text(sql, writes=True))
            self.add_bind()
            self.add_execute()
            if rng.random() < 0.4:
                self.add_sync()
            elif rng.random() < 0.4:
                self.put("H", flush())
        else:
            self.put("Q", query(sql))
        if rng.random() < 0.4:
            self.wait()
        for row in self.rows():
            self.put("d", copy_data(row))
            if rng.random() < 0.05:
                self.put("H", flush())
            if rng.random() < 0.05:
                self.put("S", sync())
            if rng.random() < 0.1:
                self.wait()
        self.put(*rng.choice((("c", copy_done()), ("c", copy_done()),
                              ("c", copy_done()),
                              ("f", copy_fail(self.token())))))
        if rng.random() < 0.15:
            self.put("d", copy_data("99\tlate\n"))
        if rng.random() < 0.15:
            self.put(*rng.choice((("c", copy_done()),
                                  ("f", copy_fail("late")))))
        if extended:
            self.add_sync()

    def group_copy_out(self):
        sql = self.rng.choice((
            f"COPY (SELECT * FROM t{self.lane} ORDER BY id) TO STDOUT",
            f"COPY (SELECT '{self.token()}', n FROM generate_series(1, 9) n) "
            "TO STDOUT", "COPY nowhere TO STDOUT",
            "COPY (SELECT 10 / (n - 3) FROM generate_series(1, 5) n) "
            "TO STDOUT (FORMAT binary)"))
        self.run(sql)

    def group_fastpath(self):
        """FunctionCall of int4pl(2, n), or of a function that is not there."""
        body = b"\0\0\6\xb1" if self.rng.random() < 0.7 else b"\0\0\0\1"
        self.put("F", message("F", body + b"\0\0\0\2\0\0\0\1" + b"2" +
                              b"\0\0\0\1" + b"5" + b"\0\0"))

    def group_stray(self):
        """Messages that may or may not make sense where they stand."""
        rng = self.rng
        for _ in range(rng.choice((1, 1, 2, 3))):
            kind = rng.choices("PBDECHSQdcf", (4, 5, 6, 6, 4, 3, 5, 2, 1, 1,
                                               1))[0]
            name, portal = rng.choice(NAMES), rng.choice(PORTALS)
            if kind == "P":
                self.add_parse(name)
            elif kind == "B":
                self.add_bind(portal, name)
            elif kind == "D":
                which = rng.choice("SP")
                self.add_describe(which, name if which == "S" else portal)
            elif kind == "E":
                self.add_execute(portal, rng.choice((0, 0, 1, 2)))
            elif kind == "C":
                which = rng.choice("SP")
                self.put("C" + which, close(which, name if which == "S"
                                            else portal))
            elif kind == "H":
                self.put("H", flush())
            elif kind == "S":
                self.add_sync()
            elif kind == "Q":
                self.put("Q", query(f"SELECT '{self.token()}'"))
            elif kind == "d":
                self.put("d", copy_data("91\tstray\n"))
            elif kind == "c":
                self.put("c", copy_done())
            else:
                self.put("f", copy_fail("stray"))


def prologue(lane, clean):
    """What a sequence begins with: names that are free, and the lane's table
    as it was if it may be another one (clean: it is not)."""
    out = close("S", "s1") + close("S", "s2") + sync()
    if not clean:
        out += rawpg.query(f"DELETE FROM t{lane}; INSERT INTO t{lane} VALUES "
                           "(1, 'one'), (2, 'two'), (3, 'three')")
    return out


KINDS = ("P", "B", "DS", "DP", "E", "CS", "CP", "H", "S", "Q", "F", "d", "c",
         "f")
