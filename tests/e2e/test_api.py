# SPDX-License-Identifier: PostgreSQL
"""The JSON API on the HTTP port: pages, views of console commands, actions, and
who may ask for them."""

import http.client
import json
import os
import re
import signal
import socket
import threading

import pytest

from harness import TOP, private_file, until

TOKEN = "0123456789abcdef0123456789abcdef"
CONF = """
auth = "trust"
admin_users = {"app"}
http_token_file = "$TOKEN"
http_hosts = {"sluice.example"}
track_shapes = true
cache_governor = false
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB password=dont-tell" }
database "app" { backend = "main" }
cache "numbers" { databases = {"app"} tables = {"numbers"} ttl = 60s }
"""
HOSTILE = '<img src=x onerror="document.title=1">\u2028\\"\t\u00e9'


def ask(sluice, path, method="GET", headers=None, body=None):
    """(status, headers, body as JSON or text) of one request."""
    conn = http.client.HTTPConnection("127.0.0.1", sluice.http_port,
                                      timeout=20)
    try:
        conn.request(method, path, body=body, headers=headers or {})
        r = conn.getresponse()
        text = r.read().decode("utf-8")
        if r.headers.get("Content-Type") == "application/json" and text:
            return r.status, r.headers, json.loads(text)
        return r.status, r.headers, text
    finally:
        conn.close()


def bearer(token=TOKEN):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def tokened(lab, pg, db, pgsluice):
    """A daemon with a token for actions and a cached table."""
    pg.psql("CREATE TABLE numbers (id int PRIMARY KEY); "
            "INSERT INTO numbers SELECT generate_series(1, 100); "
            "GRANT ALL ON numbers TO app", dbname=db)
    path = os.path.join(lab.work, "token")
    if not os.path.exists(path):
        private_file(path, TOKEN + "\n")
    return pgsluice(CONF, TOKEN=path)


def index_of(sluice):
    status, _, index = ask(sluice, "/api/index.json")
    assert status == 200
    return index


def test_every_page_and_view(tokened):
    with tokened.connect(application_name="looker") as conn:
        conn.execute("SELECT * FROM numbers WHERE id = 1")
        index = index_of(tokened)
        for page in index["pages"]:
            status, _, body = ask(tokened, f"/api/{page['name']}.json")
            assert status == 200 and body["page"] == page["name"]
            assert body["process"]["state"] == "serving"
            for name, part in body.items():
                if isinstance(part, dict) and "rows" in part:
                    assert part["truncated"] is False, name
                    assert "error" not in part, name
        for view in index["show"]:
            if view["args"] > 0:
                continue
            status, _, body = ask(tokened, f"/api/show/{view['name']}.json")
            if status == 403:
                assert view["name"] == "prepared_statements"
                status, _, body = ask(
                    tokened, f"/api/show/{view['name']}.json",
                    headers=bearer())
            assert status == 200, view
            assert all(len(row) == len(body["columns"])
                       for row in body["rows"])


def test_views_say_what_the_console_says(tokened):
    tokened.query("SELECT 1")
    for name in ("databases", "users", "config", "state", "help"):
        _, _, body = ask(tokened, f"/api/show/{name}.json")
        told = [dict(zip((c["name"] for c in body["columns"]), row))
                for row in body["rows"]]
        asked = tokened.console(f"SHOW {name.upper()}")
        assert [{k: None if v is None else str(v) for k, v in row.items()}
                for row in told if row.get("name") != "pgsluice"] == \
            [{k: None if v is None else str(v) for k, v in row.items()}
             for row in asked if row.get("name") != "pgsluice"]


def hot_keys(sluice):
    _, _, body = ask(sluice, "/api/cache.json")
    return body["hot_keys"]["rows"]


def test_hot_keys(tokened):
    """The results that are hit most, by both protocols, without values."""
    with tokened.connect(prepare_threshold=None) as conn:
        for n, times in ((41, 40), (42, 10), (43, 1)):
            for _ in range(1 + times): # one of them is the miss
                conn.execute(f"SELECT * FROM numbers WHERE id = {n}")
        for _ in range(6):
            conn.execute("SELECT count(*) FROM numbers WHERE id < %s", [77])
    rows = hot_keys(tokened)
    # What was hit once is not hot.
    assert [r["statement"] for r in rows] == \
        2 * ["SELECT * FROM numbers WHERE id = ?"] + \
        ["SELECT count(*) FROM numbers WHERE id < $1"]
    rates = [r["hits_per_second"] for r in rows]
    assert rates[0] / rates[1] == pytest.approx(4, rel=0.2)
    assert rates[0] / rates[2] == pytest.approx(8, rel=0.2)
    assert [r["share"] for r in rows] == pytest.approx(
        [40 / 56, 10 / 56, 5 / 56], rel=0.2)
    assert len({r["digest"] for r in rows}) == 3
    assert rows[0]["shape"] == rows[1]["shape"] != rows[2]["shape"]
    assert rows[0]["shape"] in {
        r["shape"] for r in tokened.console("SHOW SHAPES")}
    for r in rows:
        assert (r["name"], r["database"], r["layer"]) == \
            ("numbers", "app", "l1")
        assert 0 < r["life_seconds"] <= 60
        assert 30 < r["bytes"] < 200
    assert not re.search(r"\b(41|42|43|77)\b", " ".join(
        f"{r['name']} {r['statement']}" for r in rows))
    # Not in memory any more; known all the same.
    tokened.query("UPDATE numbers SET id = id WHERE id = 1")
    again = tokened.console("SHOW HOT KEYS")
    assert [r["digest"] for r in again] == [r["digest"] for r in rows]
    assert [r["life_ms"] for r in again] == 3 * [None]


def test_hot_keys_of_several_workers(tokened):
    """A row for each key, whichever workers have met it."""
    tokened.query("SELECT * FROM numbers WHERE id = 9")
    conns = [tokened.connect(prepare_threshold=None) for _ in range(20)]
    for conn in conns:
        for _ in range(2):
            conn.execute("SELECT * FROM numbers WHERE id = 9")
    clients = {r["worker"] for r in tokened.console("SHOW CLIENTS")
               if r["database"] == "app"}
    assert len(clients) > 1
    for conn in conns:
        conn.close()
    row, = hot_keys(tokened)
    assert row["share"] == 1


def test_numbers_are_numbers_and_times_are_seconds(tokened):
    for _ in range(3):
        tokened.query("SELECT * FROM numbers")

    def counted():
        _, _, body = ask(tokened, "/api/overview.json")
        rows = body["latency"]["rows"]
        return body if sum(r["count"] for r in rows) >= 3 else None
    body = until(counted)
    row = body["latency"]["rows"][0]
    assert isinstance(row["count"], int)
    assert 0 < row["p95_seconds"] < 10 and "p95_ms" not in row
    assert body["counters"]["queries"] >= 3
    for route in body["histograms"]:
        assert sum(b["count"] for b in route["buckets"]) == route["count"]
        bounds = [b["le_seconds"] for b in route["buckets"]]
        assert bounds == sorted(bounds)


def test_secrets_are_not_told(tokened):
    index = index_of(tokened)
    for path in [f"/api/{p['name']}.json" for p in index["pages"]] + \
            [f"/api/show/{v['name']}.json" for v in index["show"]]:
        _, _, body = ask(tokened, path, headers=bearer())
        text = json.dumps(body)
        assert "dont-tell" not in text and TOKEN not in text, path


def test_hostile_names_are_text(tokened):
    with tokened.connect(application_name=HOSTILE) as conn:
        conn.execute("SELECT 1")

        def seen():
            _, _, body = ask(tokened, "/api/sessions.json")
            return [r["application_name"] for r in body["clients"]["rows"]
                    if "img" in r["application_name"]]
        assert "<img src=x onerror=" in until(seen)[0]
    with tokened.wire() as wire:
        wire.query(b"SET application_name TO '\xff\xfe<b>'".decode("latin-1"))
        status, _, _ = ask(tokened, "/api/show/clients.json")
        assert status == 200


def test_actions_need_the_token(tokened, pgsluice):
    path = "/api/action/pause"
    assert ask(tokened, path, "POST", body="")[0] == 401
    assert ask(tokened, path, "POST", bearer("x" * 32), "")[0] == 401
    assert ask(tokened, path, "POST", {"Authorization": TOKEN}, "")[0] == 401
    assert ask(tokened, path, "GET", bearer())[0] == 405
    assert tokened.console("SHOW STATE")[1]["value"] == "no"
    status, _, body = ask(tokened, path, "POST", bearer(), "")
    assert status == 200 and body["command"] == "PAUSE"
    assert tokened.console("SHOW STATE")[1]["value"] == "yes"
    assert ask(tokened, path, "POST", bearer(), "")[0] == 409
    assert ask(tokened, "/api/action/resume", "POST", bearer(), "")[0] == 200
    assert ask(tokened, "/api/action/shutdown", "POST", bearer(), "")[0] == 404
    plain = pgsluice()
    status, _, body = ask(plain, path, "POST", bearer(), "")
    assert status == 403 and "http_token_file" in body["error"]["message"]


def test_actions_with_arguments(tokened):
    def act(name):
        return ask(tokened, f"/api/action/{name}", "POST", bearer(), "")
    status, _, body = act("invalidate_table?arg=public.numbers")
    assert status == 200 and body["rows"][0][0] == "numbers"
    assert act("pause_database?arg=none%20such")[0] == 404
    assert act("pause_database")[0] == 400
    assert act("pause_database?arg=a&arg=b")[0] == 400
    assert act("kill_client?arg=x%3B")[0] == 400
    assert act("kill_client?arg=123456")[0] == 404
    # Quotes end nothing.
    status, _, body = act("pause_database?arg=a%22%3B%20SHUTDOWN%20%22")
    assert status == 404 and tokened.console("SHOW STATE")
    with open(tokened.conf, encoding="utf-8") as f:
        text = f.read()
    tokened.write_conf("pool_size = 7\n" + text)
    status, _, body = act("reload")
    assert status == 200
    assert any("pool_size" in line for line in body["notices"])


def test_pause_that_takes_too_long_is_told_by_others(tokened):
    """A pause waits for a transaction; RESUME ends it and the answer says so."""
    answers = []
    with tokened.connect() as conn:
        conn.execute("BEGIN")
        conn.execute("SELECT 1")
        t = threading.Thread(target=lambda: answers.append(
            ask(tokened, "/api/action/pause", "POST", bearer(), "")))
        t.start()
        until(lambda: tokened.console("SHOW STATE")[1]["value"] == "yes")
        # Others are answered meanwhile.
        assert ask(tokened, "/api/overview.json")[2]["process"]["state"] == \
            "paused"
        tokened.console("RESUME")
        t.join()
        conn.execute("COMMIT")
    assert answers[0][0] == 409


def test_a_stop_leaves_nobody_waiting(tokened):
    """Who waits for an action when the process ends is let go, or hears that
    it is done: the stop closes what a pause waits for."""
    over = []

    def pause():
        try:
            over.append(ask(tokened, "/api/action/pause", "POST", bearer(),
                            "")[0])
        except ConnectionError:
            over.append("gone")
    conn = tokened.connect()
    conn.execute("BEGIN")
    conn.execute("SELECT 1")
    t = threading.Thread(target=pause)
    t.start()
    until(lambda: tokened.console("SHOW STATE")[1]["value"] == "yes")
    tokened.stop([signal.SIGINT])
    t.join()
    conn.close()
    assert over in (["gone"], [200])
    assert "[warn]" not in tokened.log


def test_clients_that_do_not_wait(tokened):
    """Whoever goes before the answer harms nobody."""
    with tokened.connect() as conn:
        conn.execute("BEGIN")
        conn.execute("SELECT 1")
        for path in ("POST /api/action/pause", "GET /api/overview.json",
                     "GET /api/show/clients.json"):
            with socket.create_connection(
                    ("127.0.0.1", tokened.http_port)) as s:
                s.sendall(f"{path} HTTP/1.1\r\nHost: localhost\r\n"
                          f"Authorization: Bearer {TOKEN}\r\n"
                          "Content-Length: 0\r\n\r\n".encode())
        until(lambda: tokened.console("SHOW STATE")[1]["value"] == "yes")
        conn.execute("COMMIT")
    until(lambda: ask(tokened, "/api/overview.json")[0] == 200)
    tokened.console("RESUME")
    assert tokened.query("SELECT 1") == [(1,)]


def test_who_may_look(tokened, pgsluice):
    path = "/api/overview.json"
    for host, status in (("localhost", 200), ("127.0.0.1:1", 200),
                         ("[::1]:99", 200), ("sluice.example", 200),
                         ("SLUICE.EXAMPLE:443", 200), ("evil.example", 421),
                         ("127.0.0.1.evil.example", 421), ("", 421)):
        assert ask(tokened, path, headers={"Host": host})[0] == status, host
        got = ask(tokened, "/", headers={"Host": host})
        assert got[0] == 200
        assert ("app.js" in got[2]) is (status == 200), host
    closed = pgsluice('http_dashboard = off\nauth = "trust"\n'
                      'backend "b" { conninfo = "host=127.0.0.1 port=$PG" }\n'
                      'database "app" { backend = "b" }\n')
    assert ask(closed, path)[0] == 403
    assert ask(closed, "/app.js")[0] == 404
    assert ask(closed, "/metrics")[0] == 200


def test_reading_can_need_the_token(tokened):
    tokened.console("SET http_dashboard = token")
    status, headers, _ = ask(tokened, "/api/overview.json")
    assert status == 401 and headers["WWW-Authenticate"] == "Bearer"
    assert ask(tokened, "/api/overview.json", headers=bearer())[0] == 200
    assert "app.js" in ask(tokened, "/")[2]


def test_headers_and_methods(tokened):
    for path in ("/", "/app.js", "/api/overview.json", "/api/none.json"):
        _, headers, _ = ask(tokened, path)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, _ = ask(tokened, "/api/overview.json", method,
                                 body="")
        assert (status, headers["Allow"]) == (405, "GET, HEAD"), method
    status, headers, body = ask(tokened, "/api/overview.json", "HEAD")
    assert status == 200 and body == "" and \
        int(headers["Content-Length"]) > 100
    for path in ("/api/none.json", "/api/show/none.json", "/api/show/pause.json",
                 "/api/overview", "/api/", "/api/action/"):
        method = "POST" if "action" in path else "GET"
        assert ask(tokened, path, method, bearer(), "")[0] == 404, path


def test_answers_are_shared(tokened):
    """However many ask, the console is asked twice a second at most."""
    bodies = set()
    lock = threading.Lock()

    def look():
        for _ in range(10):
            status, _, body = ask(tokened, "/api/show/counters.json")
            assert status == 200
            with lock:
                bodies.add(json.dumps(body))
    threads = [threading.Thread(target=look) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(bodies) < 40


def test_page_uses_relative_addresses_only():
    folder = os.path.join(TOP, "src", "admin", "web")
    for name in os.listdir(folder):
        if not name.endswith((".html", ".js", ".css")):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            text = f.read()
        assert not re.search(r"""(?:src|href|fetch\(|ask\()=?["'`]/""", text)
        assert "innerHTML" not in text and "eval(" not in text
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_a_token_that_can_be_guessed_is_refused(lab, tokened):
    short = private_file(os.path.join(lab.work, "short-token"), "secret\n")
    with open(tokened.conf, encoding="utf-8") as f:
        text = f.read()
    tokened.write_conf(re.sub(r'http_token_file = ".*"',
                              f'http_token_file = "{short}"', text))
    status, _, body = ask(tokened, "/api/action/reload", "POST", bearer(), "")
    assert status == 409 and "16 bytes" in body["error"]["detail"]
    os.chmod(short, 0o644)
    _, _, body = ask(tokened, "/api/action/reload", "POST", bearer(), "")
    assert "mode" in body["error"]["detail"]
