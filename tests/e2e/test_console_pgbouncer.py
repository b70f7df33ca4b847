# SPDX-License-Identifier: PostgreSQL
"""What PgBouncer's admins and their tools rely on: commands, columns, types.

RECORDED is what PgBouncer 1.18.0 of Debian 12 answers to each SHOW: the names
of its columns in order, :4 int4, :8 int8, :n numeric, else text.  Ours must
begin with the same; those in WIDER may have a wider type.
"""

import time

import psycopg2
import pytest

from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
operator_users = {"oncall"}
stats_users = {"alice", "app"}
stats_period = "1s"
users_file = "$USERS"
backend "main" { conninfo =
    "host=127.0.0.1 port=$PG dbname=$DB user=app" pool_size = 7 }
backend "shard" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "twin" { backend = "main" pool_mode = "session" }
"""
SOCKET = ("type user database state addr port:4 local_addr local_port:4 "
          "connect_time request_time wait:4 wait_us:4 close_needed:4 ptr link "
          "remote_pid:4 tls application_name")
POSITIONS = (" recv_pos:4 pkt_pos:4 pkt_remain:4 send_pos:4 send_remain:4 "
             "pkt_avail:4 send_avail:4")
SUMS = ("database xact_count:n query_count:n bytes_received:n bytes_sent:n "
        "xact_time:n query_time:n wait_time:n")
RECORDED = {
    "CLIENTS": SOCKET,
    "SERVERS": SOCKET,
    "SOCKETS": SOCKET + POSITIONS,
    "ACTIVE_SOCKETS": SOCKET + POSITIONS,
    "CONFIG": "key value default changeable",
    "DATABASES": "name host port:4 database force_user pool_size:4 "
                 "min_pool_size:4 reserve_pool:4 pool_mode "
                 "max_connections:4 current_connections:4 paused:4 "
                 "disabled:4",
    "LISTS": "list items:4",
    "MEM": "name size:4 used:4 free:4 memtotal:4",
    "POOLS": "database user cl_active:4 cl_waiting:4 cl_active_cancel_req:4 "
             "cl_waiting_cancel_req:4 sv_active:4 sv_active_cancel:4 "
             "sv_being_canceled:4 sv_idle:4 sv_used:4 sv_tested:4 sv_login:4 "
             "maxwait:4 maxwait_us:4 pool_mode",
    "STATS": "database total_xact_count:n total_query_count:n "
             "total_received:n total_sent:n total_xact_time:n "
             "total_query_time:n total_wait_time:n avg_xact_count:n "
             "avg_query_count:n avg_recv:n avg_sent:n avg_xact_time:n "
             "avg_query_time:n avg_wait_time:n",
    "STATS_TOTALS": SUMS,
    "STATS_AVERAGES": SUMS,
    "TOTALS": "name value:n",
    "USERS": "name pool_mode",
    "VERSION": "version",
}
TYPES = {25: "", 23: ":4", 20: ":8", 1700: ":n"}
WIDER = {"MEM"}
LISTS = ["databases", "users", "pools", "free_clients", "used_clients",
         "login_clients", "free_servers", "used_servers", "dns_names",
         "dns_zones", "dns_queries", "dns_pending"]
TOTALS = ["xact_count", "query_count", "client_bytes", "server_bytes",
          "xact_time", "query_time", "wait_time"]


@pytest.fixture
def sluice(pg, db, lab, pgsluice):  # pylint: disable=unused-argument
    from harness import private_file
    users = private_file(f"{lab.work}/users-{db}.txt", '"bob" "x"\n')
    return pgsluice(CONF, USERS=users)


@pytest.mark.parametrize("what", RECORDED)
def test_columns(sluice, what):
    conn = psycopg2.connect(sluice.dsn("pgsluice", "app"))
    conn.autocommit = True
    cur = conn.cursor()
    cur.execute(f"SHOW {what}")
    ours = [d.name + TYPES[d.type_code] for d in cur.description]
    theirs = RECORDED[what].split()
    if what in WIDER:
        theirs = [c.replace(":4", ":8") for c in theirs]
    assert ours[:len(theirs)] == theirs
    assert cur.statusmessage == "SHOW"
    conn.close()


@pytest.mark.parametrize("what", ["FDS", "DNS_HOSTS", "DNS_ZONES",
                                  "PEER_POOLS"])
def test_what_there_is_not(sluice, what):
    with pytest.raises(psycopg2.errors.FeatureNotSupported,
                       match=f"SHOW {what} is not supported"):
        sluice.console(f"SHOW {what}")


def test_suspend_is_refused(sluice):
    with pytest.raises(psycopg2.errors.FeatureNotSupported):
        sluice.console("SUSPEND")
    assert sluice.query("SELECT 1") == [(1,)]


def one(rows, **want):
    found = [r for r in rows if all(r[k] == v for k, v in want.items())]
    assert len(found) == 1, rows
    return found[0]


def test_client_and_server_point_at_each_other(sluice):
    with sluice.connect(application_name="my program") as conn:
        conn.execute("BEGIN")
        pid = conn.execute("SELECT pg_backend_pid()").fetchone()[0]
        client = one(sluice.console("SHOW CLIENTS"), database="app")
        server = one(sluice.console("SHOW SERVERS"), remote_pid=pid)
        assert client["link"] == server["ptr"]
        assert server["link"] == client["ptr"]
        assert client["server_pid"] == pid and client["backend"] == "main"
        assert (client["type"], server["type"]) == ("C", "S")
        assert client["application_name"] == "my program"
        assert client["addr"] == server["addr"] == "127.0.0.1"
        assert client["local_port"] == sluice.port
        assert client["port"] > 0 and server["port"] > 0
        assert client["tls"] == server["tls"] == ""
        assert server["database"] == "app,twin"
        assert not server["close_needed"]
        active = sluice.console("SHOW ACTIVE_SOCKETS")
        assert {s["ptr"] for s in active} >= {server["ptr"]}
        assert client["ptr"] not in {s["ptr"] for s in active}
        everything = sluice.console("SHOW SOCKETS")
        assert {s["ptr"] for s in everything} >= {client["ptr"],
                                                  server["ptr"]}
        sluice.console("RECONNECT")
        assert one(sluice.console("SHOW SERVERS"),
                   remote_pid=pid)["close_needed"]


def test_pools_and_databases(sluice):
    with sluice.connect() as conn, sluice.connect(dbname="twin"):
        conn.execute("BEGIN")
        conn.execute("SELECT 1")
        pool = one(sluice.console("SHOW POOLS"), user="app")
        assert pool["database"] == "app,twin" and pool["cl_active"] == 2
        assert pool["sv_active"] == 2 and pool["pool_mode"] == "transaction"
        assert pool["sv_login"] == pool["cl_waiting"] == 0
        d = one(sluice.console("SHOW DATABASES"), name="app")
        assert d["force_user"] == "app" and d["host"] == "127.0.0.1"
        assert d["pool_size"] == 7 and d["paused"] == d["disabled"] == 0
        assert d["current_connections"] >= 1
    until(lambda: one(sluice.console("SHOW POOLS"),
                      user="app")["cl_active"] == 0)


def test_lists_users_and_state(sluice):
    lists = sluice.console("SHOW LISTS")
    assert [r["list"] for r in lists][:len(LISTS)] == LISTS
    items = {r["list"]: r["items"] for r in lists}
    assert items["databases"] == 2 and items["users"] == 1
    assert items["used_clients"] == 1 and items["login_clients"] == 0
    users = {r["name"]: r["role"] for r in sluice.console("SHOW USERS")}
    assert users == {"bob": "", "app": "admin", "oncall": "operate",
                     "alice": "read"}
    state = {r["key"]: r["value"] for r in sluice.console("SHOW STATE")}
    assert state == {"active": "yes", "paused": "no", "suspended": "no"}
    sluice.console("PAUSE")
    state = {r["key"]: r["value"] for r in sluice.console("SHOW STATE")}
    assert state == {"active": "no", "paused": "yes", "suspended": "no"}
    assert all(r["used"] >= 0 for r in sluice.console("SHOW MEM"))


def test_statistics_by_database(sluice):
    began = time.monotonic()
    # A Sync of its own, as for preparing, is a transaction to PostgreSQL.
    with sluice.connect(prepare_threshold=None) as conn:
        for _ in range(10):
            conn.execute("SELECT 1")
        conn.execute("BEGIN")
        conn.execute("SELECT pg_sleep(0.1)")
        conn.execute("SELECT repeat('x', 5000)")
        conn.execute("COMMIT")
    took = (time.monotonic() - began) * 1e6
    row = one(sluice.console("SHOW STATS"), database="app")
    assert row["total_xact_count"] == 11 and row["total_query_count"] == 14
    assert row["total_sent"] > 5000 and row["total_received"] > 200
    assert 100000 <= row["total_query_time"] <= row["total_xact_time"] <= took
    assert one(sluice.console("SHOW STATS_TOTALS"),
               database="app")["xact_count"] == 11
    assert one(sluice.console("SHOW STATS"), database="twin")[
        "total_query_count"] == 0
    assert one(sluice.console("SHOW STATS"), database="pgsluice")[
        "total_query_count"] > 0
    seen = []

    def averages():
        avg = one(sluice.console("SHOW STATS_AVERAGES"), database="app")
        if avg["query_count"]:
            seen.append(avg)
        return seen
    until(averages)
    assert 1 <= seen[0]["query_count"] <= 14
    assert seen[0]["xact_time"] > 0
    totals = {r["name"]: r["value"] for r in sluice.console("SHOW TOTALS")}
    assert list(totals) == ([f"total_{n}" for n in TOTALS] +
                            [f"avg_{n}" for n in TOTALS])
    assert totals["total_xact_count"] == 11


def test_prepared_statements(sluice):
    with sluice.connect() as conn:
        for _ in range(3):
            conn.execute("SELECT 'told', %s::int", (1,), prepare=True)
        rows = sluice.console("SHOW PREPARED_STATEMENTS", user="oncall")
        row = one(rows, query="SELECT 'told', $1::int")
        assert row["references"] == 1 and row["bytes"] > 20
        # Other people's statements are not for everybody.
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            sluice.console("SHOW PREPARED_STATEMENTS", user="alice")
