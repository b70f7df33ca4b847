# SPDX-License-Identifier: PostgreSQL
"""Checks: questions of the configuration whose answers are metrics."""

from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
listen = "127.0.0.1:$PORT"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "gone" { conninfo = "host=127.0.0.1 port=1 dbname=$DB" }
database "app" { backend = "main" }
check "rows" { backend = "main" query = "$QUERY" interval = "100ms" }
$MORE
"""
QUERY = "SELECT count(*) / 2.0 FROM counted"
BAD = {
    "writes": "INSERT INTO counted VALUES (9) RETURNING a",
    "null": "SELECT NULL::int",
    "two": "SELECT 1, 2",
    "rows": "SELECT 1 UNION ALL SELECT 2",
    "text": "SELECT 'NaN'::float8",
    "slow": "SELECT 1 FROM pg_sleep(600)",
    "syntax": "SELEC 1",
}


def checks(s):
    return {r["check"]: r for r in s.console("SHOW CHECKS")}


def value(s, name, check="rows"):
    return s.metrics().get(f'pgsluice_check_{name}{{check="{check}"}}')


def test_answers_are_metrics(pg, db, pgsluice):
    pg.psql("CREATE TABLE counted (a int); GRANT ALL ON counted TO app; "
            "INSERT INTO counted VALUES (1), (2), (3)", db)
    s = pgsluice(CONF, QUERY=QUERY, MORE="")
    until(lambda: value(s, "value") == 1.5)
    assert value(s, "up") == 1
    assert value(s, "duration_seconds") > 0
    pg.psql("INSERT INTO counted VALUES (4)", db)
    until(lambda: value(s, "value") == 2)
    row = checks(s)["rows"]
    assert (row["state"], row["value"], row["error"]) == ("up", "2", None)
    assert row["query"] == QUERY and int(row["runs"]) >= 2
    # Its answer gone, so is the number; and it comes back.
    pg.psql("ALTER TABLE counted RENAME TO other", db)
    until(lambda: value(s, "up") == 0)
    assert value(s, "value") is None
    assert "counted" in checks(s)["rows"]["error"]
    assert value(s, "failures_total") >= 1
    pg.psql("ALTER TABLE other RENAME TO counted", db)
    until(lambda: value(s, "value") == 2)
    # A reload does not forget what is asked as before, and drops the rest.
    runs = value(s, "runs_total")
    s.reload()
    assert value(s, "runs_total") >= runs
    s.holes["QUERY"] = "SELECT 77"
    s.rewrite(CONF)
    s.reload()
    until(lambda: value(s, "value") == 77)


def test_what_is_no_answer(pg, db, pgsluice):
    pg.psql("CREATE TABLE counted (a int); GRANT ALL ON counted TO app", db)
    more = "\n".join(
        f'check "bad {name}" {{ backend = "main" query = "{q}" '
        'interval = "100ms" timeout = "200ms" }' for name, q in BAD.items())
    more += '\ncheck "gone" { backend = "gone" query = "SELECT 1" }'
    s = pgsluice(CONF, QUERY="SELECT 5", MORE=more)

    def all_down():
        rows = checks(s)
        return all(r["state"] == ("up" if n == "rows" else "down")
                   for n, r in rows.items()) and len(rows) == 9
    until(all_down)
    errors = {n: r["error"] for n, r in checks(s).items()}
    assert "read-only" in errors["bad writes"]
    assert "NULL" in errors["bad null"]
    assert "one value" in errors["bad two"] + errors["bad rows"]
    assert "finite" in errors["bad text"]
    assert "syntax" in errors["bad syntax"]
    assert errors["bad slow"]
    # Who hangs holds up neither the others nor a stop, and leaves nothing
    # running on the server for long.
    assert value(s, "value") == 5
    assert s.query("SELECT count(*) FROM counted") == [(0,)]
    s.stop()
    until(lambda: not pg.pids(application_name="pgsluice check"))
