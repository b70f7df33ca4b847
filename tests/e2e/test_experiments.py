# SPDX-License-Identifier: PostgreSQL
"""Experiments: who is served by which arm, with which words, and that nobody
notices.  Each arm's rows say whose they are."""

import collections
import contextlib
import html.parser
import json
import os
import subprocess

import psycopg
import psycopg2
import pytest

from harness import binary, until

SCHEMA = """
SET ROLE app;
CREATE TABLE one (id int PRIMARY KEY, tenant int, arm text, n int DEFAULT 0);
CREATE TABLE two (LIKE one INCLUDING ALL);
INSERT INTO one SELECT g, g % 50, 'one' FROM generate_series(1, 200) g;
INSERT INTO two SELECT g, g % 50, 'two' FROM generate_series(1, 200) g;
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE core (id int PRIMARY KEY, tenant int, arm text DEFAULT 'three');
CREATE TABLE stats (id int PRIMARY KEY REFERENCES core, n int DEFAULT 0);
INSERT INTO core SELECT g, g % 50 FROM generate_series(1, 200) g;
INSERT INTO stats SELECT g FROM generate_series(1, 200) g;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC;
"""

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
cache_governor = false
workers = 2
$SETTINGS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "side" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "transaction" }
table "things" {
    key_column = "tenant" key_type = "int4"
    variant "one" { kind = "plain" backend = "main" relation = "one" }
    variant "two" { kind = "plain" backend = "$SIDE" relation = "two" }
    variant "three" { kind = "plain" backend = "$SIDE"
        only_rewrites = true
        rewrite "by id" {
            query = "SELECT id, arm, n FROM things WHERE id = :id"
            text = "SELECT id, arm, n FROM core JOIN stats USING (id) WHERE id = :id" }
        rewrite "by tenant" {
            query = "SELECT arm FROM things WHERE tenant = :t LIMIT :n"
            text = "SELECT arm FROM core WHERE tenant = :t LIMIT :n" }
        rewrite "new" {
            query = "INSERT INTO things (id, tenant, n) VALUES (:id, :t, :n)"
            text = {"INSERT INTO core (id, tenant) VALUES (:id, :t)",
                    "INSERT INTO stats (id, n) VALUES (:id, :n)"} }
        rewrite "count" {
            query = "UPDATE things SET n = n + :by WHERE id = :id"
            text = "UPDATE stats SET n = n + :by WHERE id = :id" }
    }
}
experiment "try" { table = "things" arms = {$ARMS} $OPTIONS }
"""


@pytest.fixture
def make(pgsluice, pg, db):
    pg.psql(SCHEMA, db)

    def made(options="", arms='"one:50", "two:50"', side="main", settings=""):
        sluice = pgsluice(CONF, OPTIONS=options, ARMS=arms, SIDE=side,
                          SETTINGS=settings)
        if "start = false" not in options:
            until(lambda: state(sluice) == "running")
        return sluice
    return made


def state(sluice):
    rows = sluice.console("SHOW EXPERIMENTS")
    return rows[0]["state"] if rows else None


def connect(sluice, user="app", **kw):
    return psycopg.connect(host="127.0.0.1", port=sluice.port, dbname="app",
                           user=user, autocommit=True, **kw)


def complaints(sluice):
    r = subprocess.run([binary(), "--check", sluice.conf],
                       capture_output=True, text=True, timeout=60, check=False)
    assert r.returncode == 1
    return r.stderr


ARM = "SELECT arm FROM things WHERE tenant = %s LIMIT 1"


def test_a_tenant_has_one_arm(make):
    """In every session and protocol, after a restart; both have some."""
    sluice = make('unit = "tenant"')
    seen = {}
    for _ in range(2):
        with connect(sluice) as c:
            for t in range(50):
                got = {c.execute(ARM, (t,)).fetchone()[0],
                       c.execute(ARM, (t,), prepare=True).fetchone()[0],
                       c.execute(ARM.replace("%s", str(t))).fetchone()[0],
                       *(r[0] for r in c.execute(
                           "SELECT DISTINCT arm FROM things "
                           f"WHERE tenant IN ({t}, {t})"))}
                assert len(got) == 1
                assert seen.setdefault(t, got) == got
        sluice.stop()
        sluice.start()
        until(lambda: state(sluice) == "running")
    count = collections.Counter(v.pop() for v in seen.values())
    assert set(count) == {"one", "two"} and min(count.values()) > 10


def test_a_session_has_one_arm(make):
    sluice = make('unit = "session"')
    count = collections.Counter()
    for _ in range(40):
        with connect(sluice) as c:
            arms = {c.execute("SELECT arm FROM things WHERE id = %s", (i,)
                              ).fetchone()[0] for i in (1, 2, 3)}
            assert len(arms) == 1
            count.update(arms)
    assert set(count) == {"one", "two"} and min(count.values()) > 5


@pytest.fixture
def users(pg):
    names = [f"subject_{i}" for i in range(8)]
    for name in names:
        pg.psql(f"CREATE ROLE {name} LOGIN")
    yield names
    for name in names:
        pg.psql(f"DROP ROLE {name}")


def test_a_user_has_one_arm(make, users):
    sluice = make('unit = "user"')
    arms = {}
    for user in users:
        for _ in range(3):
            with connect(sluice, user) as c:
                (arm,) = {r[0] for r in c.execute(
                    "SELECT DISTINCT arm FROM things")}
                assert arms.setdefault(user, arm) == arm
    assert set(arms.values()) == {"one", "two"}


def test_statements_are_dealt_out(make):
    sluice = make('unit = "statement"')
    with connect(sluice) as c:
        count = collections.Counter(
            c.execute("SELECT arm FROM things WHERE id = 1").fetchone()[0]
            for _ in range(60))
        assert min(count["one"], count["two"]) > 10
        for _ in range(5):
            with c.transaction():
                got = {c.execute("SELECT arm FROM things WHERE id = 1"
                                 ).fetchone()[0] for _ in range(6)}
            assert len(got) == 1
    with connect(sluice) as c:
        assert {c.execute("SELECT arm FROM things WHERE id = 1 FOR UPDATE"
                          ).fetchone()[0] for _ in range(10)} == {"one"}


@pytest.mark.parametrize("side", ["main", "side"])
def test_a_transaction_stays_with_its_arm(make, side):
    """... or with the control, if the arm is on another backend: what comes
    in it may be only there."""
    sluice = make('unit = "tenant"', side=side)
    with connect(sluice) as c:
        arm = {t: c.execute(ARM, (t,)).fetchone()[0] for t in range(50)}
        of = {a: next(t for t in arm if arm[t] == a) for a in ("one", "two")}
        for first, second in (("one", "two"), ("two", "one")):
            for prepare in (False, True):
                with c.transaction():
                    got = [c.execute(ARM, (of[a],), prepare=prepare
                                     ).fetchone()[0]
                           for a in (first, second, first)]
                    assert c.execute("SELECT * FROM other").fetchall() == []
                assert got == [first if side == "main" else "one"] * 3
        # What names no tenant goes where the transaction is.
        with c.transaction():
            c.execute(ARM, (of["two"],))
            assert c.execute("SELECT min(arm) FROM things").fetchone()[0] == \
                ("two" if side == "main" else "one")


def test_writes_are_the_control_s(make, pg, db):
    sluice = make('unit = "tenant"')
    with connect(sluice) as c:
        for t in range(50):
            c.execute("UPDATE things SET n = n + 1 WHERE tenant = %s", (t,))
            c.execute("INSERT INTO things (id, tenant, arm) "
                      "VALUES (%s, %s, 'new')", (1000 + t, t))
    assert pg.psql("SELECT sum(n) FROM one", db) == "200"
    assert pg.psql("SELECT sum(n), count(*) FROM two", db) == "0|200"


def test_a_transaction_sees_what_it_wrote(make):
    """Which the control has: so it has what is read behind it, too."""
    sluice = make('unit = "tenant"', arms='"one:0", "two:1"')
    read = "SELECT n FROM things WHERE tenant = 7 AND id = 7"
    with connect(sluice) as c:
        for write in ("UPDATE things SET n = 5 WHERE tenant = 7",
                      "UPDATE things SET n = 5",
                      "UPDATE things SET n = 5 WHERE id = 7 RETURNING n"):
            for prepare in (False, True):
                with c.transaction(force_rollback=True):
                    assert c.execute(read, prepare=prepare).fetchone() == (0,)
                    c.execute(write, prepare=prepare)
                    assert c.execute(read, prepare=prepare).fetchone() == (5,)
        assert c.execute("SELECT arm FROM things WHERE tenant = 7 LIMIT 1"
                         ).fetchone() == ("two",)
        assert c.execute("SELECT arm, random() < 2 FROM things WHERE tenant "
                         "= 7 LIMIT 1").fetchone() == ("one", True)


def test_session_pooling(pgsluice, pg, db):
    """A session keeps its server, and stays where that is."""
    pg.psql(SCHEMA, db)
    for side in ("main", "side"):
        sluice = pgsluice(CONF.replace("transaction", "session"), SIDE=side,
                          OPTIONS='unit = "tenant"', SETTINGS="",
                          ARMS='"one:50", "two:50"')
        until(lambda: state(sluice) == "running")
        for _ in range(2):
            with connect(sluice) as c:
                arms = {c.execute(ARM, (t,)).fetchone()[0] for t in range(50)}
                c.execute("SELECT * FROM other")
                with c.transaction():
                    c.execute(ARM, (1,))
                    c.execute("SELECT * FROM other")
            assert arms == ({"one", "two"} if side == "main" else {"one"})


def test_writes_of_arms(make, pg, db):
    """With writes = arm a tenant's rows are read where they are written."""
    sluice = make('unit = "tenant" writes = "arm"')
    with connect(sluice) as c:
        for t in range(50):
            c.execute("INSERT INTO things (id, tenant, arm) "
                      "VALUES (%s, %s, 'new')", (1000 + t, t))
            assert c.execute("SELECT count(*) FROM things WHERE tenant = %s "
                             "AND arm = 'new'", (t,)).fetchone() == (1,)
    one, two = (int(pg.psql(f"SELECT count(*) FROM {t} WHERE arm = 'new'",
                            db)) for t in ("one", "two"))
    assert one + two == 50 and min(one, two) > 10


def test_other_words(make, pg, db):
    """An arm with rewrites: literals, parameters, casts, several statements in
    one; what it has no words for is the control's."""
    sluice = make('unit = "tenant" writes = "arm"',
                  arms='"one:0", "three:1"', side="side")
    with connect(sluice) as c:
        assert c.execute("SELECT arm FROM things WHERE tenant = 7 LIMIT 1"
                         ).fetchone() == ("three",)
        assert c.execute("select ARM from things where TENANT = '7' limit 2"
                         ).fetchall() == [("three",)] * 2
        for prepare in (False, True):
            for t in (1, 2, 3):
                assert c.execute(
                    "SELECT arm FROM things WHERE tenant = %s::int LIMIT %s",
                    (t, 1), prepare=prepare).fetchall() == [("three",)]
        c.execute("INSERT INTO things (id, tenant, n) VALUES (900, 7, -5)")
        c.execute("INSERT INTO things (id, tenant, n) VALUES (%s, %s, %s)",
                  (901, 8, 6))
        # No rewrite is for these.
        assert c.execute("SELECT arm FROM things WHERE tenant = 7 "
                         "ORDER BY 1 LIMIT 1").fetchone() == ("one",)
        assert c.execute("SELECT arm FROM things WHERE tenant = 7 "
                         "LIMIT ALL").fetchall()[0] == ("one",)
    assert pg.psql("SELECT id, tenant, n FROM core JOIN stats USING (id) "
                   "WHERE id >= 900 ORDER BY 1", db) == "900|7|-5\n901|8|6"
    assert pg.psql("SELECT count(*) FROM one WHERE id >= 900", db) == "0"


def test_the_control_in_other_words(pgsluice, pg, db):
    """A variant in use with rewrites takes part as any other."""
    pg.psql(SCHEMA, db)
    conf = CONF.replace('relation = "one" }', 'relation = "one" '
                        'rewrite "r" { query = "SELECT arm FROM things WHERE '
                        'tenant = :t LIMIT :n" text = "SELECT upper(arm) AS '
                        'arm FROM one WHERE tenant = :t LIMIT :n" } }')
    sluice = pgsluice(conf, OPTIONS='unit = "tenant"', SIDE="main",
                      ARMS='"one:50", "two:50"', SETTINGS="")
    until(lambda: state(sluice) == "running")
    with connect(sluice) as c:
        arms = {c.execute(ARM, (t,)).fetchone()[0] for t in range(50)}
    assert arms == {"ONE", "two"}
    assert sum(r["statements"] for r in arm_rows(sluice).values()) == 50


def test_other_words_fail_as_one(make, pg, db):
    sluice = make('unit = "tenant" writes = "arm"',
                  arms='"one:0", "three:1"')
    pg.psql("INSERT INTO stats SELECT 950 FROM core WHERE false; "
            "ALTER TABLE stats ADD CHECK (n < 100)", db)
    with connect(sluice) as c:
        with pytest.raises(psycopg.errors.CheckViolation):
            c.execute("INSERT INTO things (id, tenant, n) "
                      "VALUES (950, 1, 100)")
        with c.transaction(), pytest.raises(psycopg.errors.CheckViolation):
            with c.transaction():
                c.execute("INSERT INTO things (id, tenant, n) "
                          "VALUES (%s, 1, %s)", (951, 100))
    assert pg.psql("SELECT count(*) FROM core WHERE id >= 950", db) == "0"


def test_arms_share_no_cached_answer(make, redis):
    """Not in memory, and not in Redis."""
    sluice = make(
        'unit = "tenant" writes = "arm"',
        settings='redis_host = "127.0.0.1" redis_port = $REDIS '
                 'cache "things" { tables = {"things"} ttl = "1h" }'
        .replace("$REDIS", str(redis.port)))
    until(lambda: {r["table"] for r in sluice.console("SHOW CACHE TABLES")}
          >= {"one", "two"})
    with connect(sluice) as c:
        for _ in range(3):
            for t in range(50):
                first = c.execute(ARM, (t,)).fetchone()
                assert c.execute(ARM, (t,)).fetchone() == first
        before = sluice.count("cache_hits_l1")
        arms = collections.Counter(
            c.execute(ARM, (t,)).fetchone()[0] for t in range(50))
        assert min(arms["one"], arms["two"]) > 10
    assert sluice.count("cache_hits_l1") >= before + 50


def test_an_arm_that_lags_is_not_cached(make, pg, db):
    """Nothing tells when it has what the control was given."""
    sluice = make('unit = "tenant"', arms='"one:0", "two:1"',
                  settings='cache "things" { tables = {"things"} ttl = "1h" }')
    until(lambda: {r["table"] for r in sluice.console("SHOW CACHE TABLES")}
          >= {"one", "two"})
    read = "SELECT n FROM things WHERE tenant = 7 AND id = 7"
    with connect(sluice) as c:
        c.execute("UPDATE things SET n = 5 WHERE id = 7")
        for _ in range(3):
            assert c.execute(read).fetchone() == (0,)
        # Replication arrives.
        pg.psql("UPDATE two SET n = 5 WHERE id = 7", db)
        assert c.execute(read).fetchone() == (5,)
    assert sluice.count("cache_hits_l1") == 0


def test_life(make):
    """START, STOP, PROMOTE, WEIGH: who is served by whom."""
    sluice = make('unit = "tenant" start = false')

    def arms():
        with connect(sluice) as c:
            return {c.execute(ARM, (t,)).fetchone()[0] for t in range(50)}

    assert state(sluice) == "stopped" and arms() == {"one"}
    sluice.console("START EXPERIMENT try")
    assert state(sluice) == "running" and arms() == {"one", "two"}
    sluice.console("WEIGH EXPERIMENT try 'one:0, two:1'")
    assert arms() == {"two"}
    sluice.reload()
    assert state(sluice) == "running" and arms() == {"two"}
    sluice.console("STOP EXPERIMENT try")
    assert state(sluice) == "stopped" and arms() == {"one"}
    sluice.console("PROMOTE EXPERIMENT try two")
    assert state(sluice) == "promoted" and arms() == {"two"}
    row = sluice.console("SHOW EXPERIMENTS")[0]
    assert row["serves"] == "two" and "PROMOTE" in row["reason"]
    for wrong, why in (("START EXPERIMENT nope", "no experiment"),
                       ("PROMOTE EXPERIMENT try nine", "no arm"),
                       ("WEIGH EXPERIMENT try 'one:x'", "not weights"),
                       ("WEIGH EXPERIMENT try 'one:0,two:0'", "weights")):
        with pytest.raises(psycopg2.Error, match=why):
            sluice.console(wrong)


def test_explain_tells_the_arm(make):
    sluice = make('unit = "tenant" writes = "arm"',
                  arms='"one:0", "three:1"')

    def route(sql):
        with connect(sluice) as c:
            rows = c.execute("EXPLAIN (ROUTE) " + sql).fetchall()
        return dict(r[0].split(": ", 1) for r in rows if ": " in r[0])

    told = route("SELECT arm FROM things WHERE tenant = 7 LIMIT 3")
    assert told["experiment"] == "try, arm three, by its tenant"
    assert told["variant"].startswith("three ")
    assert told["sql"] == "SELECT arm FROM core WHERE tenant = 7 LIMIT 3"
    told = route("INSERT INTO things (id, tenant, n) VALUES (1, -7, 2)")
    assert told["sql"] == (
        "WITH pgsluice_1 AS (INSERT INTO core (id, tenant) VALUES (1, (-7))) "
        "INSERT INTO stats (id, n) VALUES (1, 2)")
    assert "not measured" in route("SELECT arm FROM things")["experiment"]
    assert "experiment" not in route("SELECT * FROM other")


def test_pipelines(make):
    """Extended messages in all orders: an arm is found from values that come
    after the Parse, and a pipeline keeps the arm it has begun with."""
    sluice = make('unit = "tenant"', side="side")
    with connect(sluice) as c:
        arm = {t: c.execute(ARM, (t,)).fetchone()[0] for t in range(20)}
    with connect(sluice, cursor_factory=psycopg.ClientCursor) as c:
        for t in range(20):
            assert c.execute(ARM, (t,)).fetchone()[0] == arm[t]
    with connect(sluice) as c:
        for t in range(20):
            with c.pipeline():
                cur = c.execute(ARM, (t,), prepare=True)
                other = c.execute("SELECT id FROM other WHERE id = %s", (t,))
            # The other table is with the control only.
            assert cur.fetchone()[0] == "one"
            assert other.fetchall() == []
            with c.pipeline():
                cur = c.execute(ARM, (t,), prepare=True)
            assert cur.fetchone()[0] == arm[t]
        with c.pipeline():
            curs = [c.execute(ARM, (t,)) for t in range(20)]
        assert {cur.fetchone()[0] for cur in curs} == {arm[0]}


def test_a_stop_reaches_pinned_sessions(make):
    """They keep their server, and with it the configuration."""
    sluice = make('unit = "session"', arms='"one:0", "two:1"')
    query = "SELECT arm FROM things WHERE id = 1"
    with connect(sluice) as c:
        c.execute("CREATE TEMP TABLE mine (x int)")
        assert c.execute(query).fetchone() == ("two",)
        sluice.console("STOP EXPERIMENT try")
        assert c.execute(query).fetchone() == ("one",)


def arm_rows(sluice, statement=None):
    rows = sluice.console("SHOW EXPERIMENT try")
    return {r["arm"]: r for r in rows if r["statement"] == statement}


def test_what_is_measured(make):
    """Each statement once, on the arm and for the shape that it ran on; what is
    not comparable, nowhere."""
    sluice = make('unit = "tenant"', arms='"one:50", "two:50", "three:50"')
    with connect(sluice) as c:
        for _ in range(3):
            for t in range(50):
                c.execute(ARM, (t,)).fetchone()
        c.execute("SELECT count(*) FROM things")
        for t in range(50):
            c.execute("SELECT count(*) FROM things WHERE tenant = %s", (t,))
            c.execute("UPDATE things SET n = n + 1 WHERE id = %s", (t,))
        for i in range(7):
            with pytest.raises(psycopg.Error):
                c.execute("SELECT arm FROM things WHERE tenant = %s LIMIT %s",
                          (3, -1))
    rows = arm_rows(sluice)
    until(lambda: sum(r["statements"] for r in arm_rows(sluice).values())
          == 157)
    rows = arm_rows(sluice)
    assert sum(r["units"] for r in rows.values()) == 50
    assert sum(r["errors"] for r in rows.values()) == 7
    assert all(r["statements"] >= 3 * r["units"] > 0 for r in rows.values())
    # No rewrite is for the counts; there is one for the update, which names no
    # tenant.
    assert sum(r["unserved"] for r in rows.values()) == 51
    assert rows["one"]["unitless"] == 50
    by_shape = [r for r in sluice.console("SHOW EXPERIMENT try")
                if r["statement"]]
    assert all("things" in r["statement"] for r in by_shape)
    assert sum(r["statements"] for r in by_shape) == 157
    series = sluice.metrics()
    assert sum(v for k, v in series.items() if k.startswith(
        "pgsluice_experiment_arm_statements_total")) == 157
    assert sum(v for k, v in series.items() if k.startswith(
        "pgsluice_experiment_arm_duration_seconds_count")) == 150
    assert series['pgsluice_experiment_state{experiment="try",'
                  'state="running"}'] == 1


@pytest.mark.parametrize("option,prepare,query", ids=("errors", "p95"),
                         argvalues=[
    ("stop_if_error_ratio", "ALTER TABLE two DROP COLUMN n",
     "SELECT sum(n) FROM things WHERE tenant = %s"),
    ("stop_if_p95_ratio",
     "ALTER TABLE two RENAME TO two_; CREATE VIEW two AS SELECT t.* "
     "FROM two_ t, (SELECT pg_sleep(0.02)) s; GRANT SELECT ON two TO PUBLIC",
     "SELECT count(*) FROM things WHERE tenant = %s")])
def test_a_guard_stops_it(make, pg, db, option, prepare, query):
    """Everybody is back with the control, and it says why, everywhere."""
    pg.psql(f"SET ROLE app; {prepare}", db)
    sluice = make(f'unit = "tenant" {option} = "2"')
    with connect(sluice) as c:
        def stopped():
            for t in range(50):
                with contextlib.suppress(psycopg.Error):
                    c.execute(query, (t,))
            return state(sluice) == "stopped"
        until(stopped, timeout=60)
        for t in range(50):
            assert c.execute(ARM, (t,)).fetchone() == ("one",)
    row = sluice.console("SHOW EXPERIMENTS")[0]
    assert "guard" in row["reason"] and "two" in row["reason"]
    assert arm_rows(sluice)["two"]["statements"] > 0
    assert "guard" in sluice.tail(20)
    assert sluice.metrics()['pgsluice_experiment_state{experiment="try",'
                            'state="stopped"}'] == 1


def test_the_api_says_the_same(make):
    sluice = make('unit = "tenant"')
    with connect(sluice) as c:
        for _ in range(40):
            for t in range(50):
                c.execute(ARM, (t,)).fetchone()
    until(lambda: sum(r["statements"] for r in arm_rows(sluice).values())
          == 2000)
    status, text = sluice.http("/api/experiments.json")
    assert status == 200
    (told,) = json.loads(text)["experiments"]
    assert told["name"] == "try" and told["state"] == "running"
    rows = arm_rows(sluice)
    for arm in told["arms"]:
        r = rows[arm["name"]]
        assert [arm[k] for k in ("statements", "units", "errors", "astray")] \
            == [r[k] for k in ("statements", "units", "errors", "astray")]
        assert f"{arm['p95_seconds'] * 1000:.3f}" == str(r["p95_ms"])
        assert sum(b["count"] for b in arm["histogram"]) == r["statements"]
    ratio = next(a for a in told["arms"] if a["name"] == "two")[
        "ratio_to_control"]
    assert [f"{ratio[k]:.4f}" for k in ("value", "low", "high")] == [
        str(rows["two"][k]) for k in ("ratio", "ratio_low", "ratio_high")]
    (shape,) = told["shapes"]
    assert "things" in shape["statement"] and len(shape["arms"]) == 2


def kept(lab, name):
    return f'experiment_file = "{os.path.join(lab.work, name)}"'


def test_a_restart_changes_nothing(make, lab):
    """State, reason, weights, what was measured, and who is whose."""
    sluice = make('unit = "tenant"', settings=kept(lab, "restart.exp"))
    sluice.console("WEIGH EXPERIMENT try 'one:30, two:70'")
    with connect(sluice) as c:
        for _ in range(3):
            before = [c.execute(ARM, (t,)).fetchone() for t in range(50)]
    rows = arm_rows(sluice)
    told = sluice.console("SHOW EXPERIMENTS")
    sluice.stop()
    sluice.start()
    until(lambda: state(sluice) == "running")
    assert sluice.console("SHOW EXPERIMENTS") == told
    assert arm_rows(sluice) == rows
    with connect(sluice) as c:
        assert [c.execute(ARM, (t,)).fetchone() for t in range(50)] == before
    until(lambda: sum(r["statements"] for r in arm_rows(sluice).values())
          == 200)
    # The same tenants as before.
    assert sum(r["units"] for r in arm_rows(sluice).values()) == 50
    sluice.console("PROMOTE EXPERIMENT try two")
    sluice.stop()
    sluice.start()
    until(lambda: state(sluice) == "promoted")
    with connect(sluice) as c:
        assert {c.execute(ARM, (t,)).fetchone() for t in range(50)} == \
            {("two",)}


class Page(html.parser.HTMLParser):
    """Well formed, or it fails; what stands in elements of each kind."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts = [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def report(sluice, how="--report"):
    return subprocess.run([binary(), how, sluice.conf], capture_output=True,
                          text=True, timeout=60, check=False)


def test_a_report(make, lab):
    """It says what the console says, by the file alone."""
    sluice = make('unit = "tenant"', settings=kept(lab, "report.exp"))
    with connect(sluice) as c:
        for t in range(60):
            c.execute(ARM + " -- <b>", (t,)).fetchone()
    until(lambda: sum(r["statements"] for r in arm_rows(sluice).values())
          == 60)
    rows = arm_rows(sluice)
    sluice.stop()
    done = report(sluice)
    assert (done.returncode, done.stderr) == (0, "")
    page = Page(done.stdout)
    assert page.texts["h1"] == ["Experiment try"]
    assert page.texts["td"].count("plain on main") == 2
    for row in rows.values():
        assert str(row["statements"]) in page.texts["td"]
        assert str(row["units"]) in page.texts["td"]
    assert any("from things" in t.lower() for t in page.texts["th"])
    text = report(sluice, "--report-markdown").stdout
    assert text.startswith("# Experiment try\n")
    assert "| two | plain on main | 50 |" in text


def test_a_report_of_nothing(make, lab):
    sluice = make('unit = "tenant"')
    done = report(sluice)
    assert done.returncode == 1 and done.stdout == ""
    assert "experiment_file is not set" in done.stderr
    sluice = make('unit = "tenant"', settings=kept(lab, "nothing.exp"))
    sluice.stop()
    with open(os.path.join(lab.work, "nothing.exp"), "w") as f:
        f.write("nonsense\n")
    done = report(sluice)
    assert done.returncode == 1
    assert 'nothing.exp: line 1: expected "pgsluice-experiments 1"' in \
        done.stderr


def test_a_killed_daemon_remembers(make, lab):
    """What has become of an experiment is on the disk at once."""
    sluice = make('unit = "tenant"', settings=kept(lab, "killed.exp"))
    sluice.console("STOP EXPERIMENT try")
    path = os.path.join(lab.work, "killed.exp")

    def written():
        with contextlib.suppress(FileNotFoundError), open(path) as f:
            return "state stopped" in f.read()
    until(written)
    sluice.kill()
    sluice.start()
    assert state(sluice) == "stopped"


def test_a_damaged_file_is_set_aside(make, lab):
    path = os.path.join(lab.work, "damaged.exp")
    sluice = make('unit = "tenant"', settings=kept(lab, "damaged.exp"))
    sluice.console("STOP EXPERIMENT try")
    sluice.stop()
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("state stopped", "state running"))
    sluice.start()
    until(lambda: state(sluice) == "running")
    assert "set aside" in sluice.tail(20)
    assert os.path.exists(path + ".damaged")


def test_a_file_that_cannot_be_written(make):
    sluice = make('unit = "tenant"',
                  settings='experiment_file = "/nowhere/at.all"')
    until(lambda: "cannot be made" in sluice.tail(20))
    with connect(sluice) as c:
        assert c.execute(ARM, (1,)).fetchone() is not None


WRONG = [
    ('"one:1"', "", "expected 2 to 8"),
    ('"two:1", "one:1"', "", "is not the variant in use"),
    ('"one:1", "four:1"', "", "unknown variant"),
    ('"one:1", "one:1"', "", "stands in it twice"),
    ('"one:1", "two"', "", "has no weight"),
    ('"one:0", "two:0"', "", "all weights are 0"),
    ('"one:1", "two:-1"', "", "expected a whole number"),
    ('"one:1", "two:1"', 'stop_if_p95_ratio = "1"', "above 1"),
    ('"one:1", "two:1"', 'mode = "shadow" writes = "arm"', "shadow mode"),
    ('"one:1", "two:1"', 'unit = "statement" writes = "arm"',
     "not divided by statements"),
]


@pytest.mark.parametrize("arms,options,why", WRONG)
def test_wrong_experiments_are_refused(pgsluice, pg, db, arms, options, why):
    sluice = pgsluice(CONF, start=False, OPTIONS=options, ARMS=arms,
                      SIDE="main", SETTINGS="")
    said = complaints(sluice)
    assert why in said and ".conf:" in said


REWRITES = [
    ("SELECT arm FROM things WHERE id = 1", "SELECT arm FROM core",
     "a value without a name"),
    ("SELECT arm FROM things WHERE id = :a", "SELECT arm FROM core",
     "has no :a"),
    ("SELECT arm FROM things WHERE id = :a",
     "SELECT arm FROM core WHERE id = :b", "query has no :b"),
    ("SELECT arm FROM things WHERE id = :a",
     "UPDATE core SET arm = arm WHERE id = :a", "writes where"),
    ("SELECT arm FROM things WHERE id = :a",
     "SELECT arm FROM core WHERE id = :a; SELECT 1", "no single"),
    ("SELECT arm FORM things", "SELECT 1", "cannot be parsed"),
    ("SELECT arm FROM others WHERE id = :a",
     "SELECT arm FROM core WHERE id = :a", "does not name"),
]


@pytest.mark.parametrize("query,text,why", REWRITES)
def test_wrong_rewrites_are_refused(pgsluice, pg, db, query, text, why):
    conf = CONF.replace('only_rewrites = true', 'only_rewrites = true '
                        f'rewrite "wrong" {{ query = "{query}" '
                        f'text = "{text}" }}')
    sluice = pgsluice(conf, start=False, OPTIONS="", SIDE="main",
                      ARMS='"one:1", "two:1"', SETTINGS="")
    said = complaints(sluice)
    assert why in said and ".conf:" in said
