# SPDX-License-Identifier: PostgreSQL
"""A startup setting that the server refuses: the client is told so in the
server's words, as without pgsluice, and nobody else notices."""

import pytest

import rawpg
from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
server_login_retry = "$RETRY"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
"""
REFUSED = [
    ({"no_such_setting": "1"}, "42704"),
    ({"DateStyle": "nonsense"}, "22023"),
    ({"shared_buffers": "1GB"}, "55P02"),
    ({"log_statement": "all"}, "42501"),
    ({"options": "-c work_mem=a"}, "22023"),
    ({"options": "-c role=no_such_role"}, "22023"),
    ({"client_encoding": "KLINGON"}, "22023"),
    ({"TimeZone": "Nowhere/At\\all"}, "22023"),
]


def refusal(port, dbname, params):
    with pytest.raises(rawpg.ServerError) as e:
        rawpg.RawConn("127.0.0.1", port, "app", dbname, timeout=20,
                      params=params).close()
    return e.value.severity, e.value.sqlstate, e.value.message


def welcome(sluice, params):
    """A connection, or None while it is refused."""
    try:
        return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app",
                             timeout=20, params=params)
    except rawpg.ServerError:
        return None


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_in_the_servers_words(pg, db, pgsluice, mode):
    sluice = pgsluice(CONF, MODE=mode, RETRY="10min")
    for params, sqlstate in REFUSED:
        direct = refusal(pg.port, db, params)
        assert direct[:2] == ("FATAL", sqlstate), params
        # The second one is not even tried, within server_login_retry.
        for _ in range(2):
            assert refusal(sluice.port, "app", params) == direct
    until(lambda: sluice.metrics()[
        'pgsluice_client_closes_total{reason="unwelcome"}'] ==
        2 * len(REFUSED))
    # The backend is well, and everyone else is served.
    assert sluice.http("/readyz")[0] == 200
    assert sluice.query("SELECT 1") == [(1,)]
    for line in sluice.log.splitlines():
        assert "LOCATION" not in line


def test_what_is_mended_is_tried_again(pg, db, pgsluice):
    sluice = pgsluice(CONF, MODE="transaction", RETRY="100ms")
    params = {"options": "-c role=late_comer"}
    pg.psql("DROP ROLE IF EXISTS late_comer", db)
    try:
        for _ in range(6):
            assert refusal(sluice.port, "app", params)[1] == "22023"
        pg.psql("CREATE ROLE late_comer; GRANT late_comer TO app", db)
        with until(lambda: welcome(sluice, params)) as conn:
            assert conn.ask_rows("SELECT current_user") == [("late_comer",)]
    finally:
        pg.psql("DROP ROLE IF EXISTS late_comer", db)
