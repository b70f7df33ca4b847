# SPDX-License-Identifier: PostgreSQL
"""S25: no secret is told, by whatever is asked.

Every secret that pgsluice holds or is sent is a word of its own. Everything is
exercised with the log at its loudest; then all that anybody but the secret's
owner can read is searched for these words, as they are, in hex and in base64.
"""

import base64
import contextlib
import http.client
import json
import os
import pty
import re
import select
import subprocess
import uuid

import psycopg
import pytest

import rawpg
from harness import TOP, binary, lablib, private_file, until
from rawpg import RawConn

CONF = """
log_level = "debug"
log_min_duration_statement = "0"
track_shapes = true
trace_exemplars = true
auth = "hba"
auth_hba_file = "$HBA"
users_file = "$USERS"
auth_user = "postgres"
layout_user = "postgres"
admin_users = {"app"}
http_token_file = "$TOKEN"
redis_host = "127.0.0.1"
redis_port = $REDISPORT
redis_password_file = "$REDISPW"
redis_key_file = "$REDISKEY"
redis_timeout = 1s
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "kept" { conninfo =
    "host=127.0.0.1 port=$PG dbname=$DB user=keeper password=$BACKEND sslpassword=$PHRASE" }
backend "lost" { conninfo =
    "host=127.0.0.1 port=$PG dbname=$DB user=keeper password=$BADBACKEND" }
database "app" { backend = "main" }
database "kept" { backend = "kept" }
database "lost" { backend = "lost" }
cache "things" { databases = {"app"} tables = {"things"} ttl = 60s }
"""


class Canaries:
    """Words, each once, and where they turn up."""

    def __init__(self):
        self.words = {}
        self.places = {}

    def make(self, name, word=None):
        self.words[name] = word or f"canary{uuid.uuid4().hex[:20]}"
        return self.words[name]

    @staticmethod
    def forms(word):
        raw = word.encode()
        yield raw
        yield raw.hex().encode()
        # In base64 all but the ends of any text that holds it.
        for shift in range(3):
            yield base64.b64encode(b"-" * shift + raw)[4:-4]

    def found_in(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        return [n for n, w in self.words.items()
                if any(f in data for f in self.forms(w))]

    def put(self, place, data):
        self.places[place] = data
        return data

    def told(self):
        return {p: f for p, d in self.places.items()
                for f in [self.found_in(d)] if f}


def test_the_search_finds_what_there_is():
    c = Canaries()
    word = c.make("one")
    for shift in range(5):
        text = "x" * shift + word + "yz"
        assert c.found_in(text) == ["one"]
        assert c.found_in(text.encode().hex()) == ["one"]
        assert c.found_in(base64.b64encode(text.encode())) == ["one"]
    assert c.found_in(word[:-1]) == []


@pytest.fixture
def c():
    return Canaries()


@pytest.fixture
def sluice(c, lab, pg, db, pgsluice):
    work = os.path.join(lab.work, f"canary-{db}")
    os.mkdir(work)

    def secret(name, text):
        return private_file(os.path.join(work, name), text + "\n")
    with open(f"{work}/hba", "w", encoding="utf-8") as f:
        f.write("host app keeper,alice all password\n"
                "host all all all scram-sha-256\n")
    pg.psql("CREATE ROLE keeper LOGIN IN ROLE asked PASSWORD "
            f"'{c.make('backend password')}'")
    pg.psql(f"CREATE ROLE looked LOGIN PASSWORD '{c.make('looked up')}'")
    c.make("verifier", pg.psql(
        "SELECT split_part(rolpassword, ':', 2) FROM pg_authid "
        "WHERE rolname = 'looked'"))
    pg.psql("CREATE TABLE things (id int PRIMARY KEY, v text); "
            "INSERT INTO things VALUES (1, 'one'); "
            "GRANT ALL ON things TO public", dbname=db)
    redis = lablib.Redis(lab, f"redis-{db}", arguments=[
        "--requirepass", c.make("redis password")])
    redis.is_ready = lambda: b"NOAUTH" in redis.ask(b"PING\r\n")
    redis.start()
    key = c.make("redis key", uuid.uuid4().hex + uuid.uuid4().hex)
    s = pgsluice(
        CONF, HBA=f"{work}/hba", REDISPORT=redis.port,
        BACKEND=c.words["backend password"], PHRASE=c.make("passphrase"),
        BADBACKEND=c.make("wrong backend password"),
        REDISPW=secret("redispw", c.words["redis password"]),
        REDISKEY=secret("rediskey", key),
        TOKEN=secret("token", c.make("http token")),
        USERS=secret("users", f'"bob" "{c.make("user password")}"\n'
                     '"app" "app-password"'))
    s.redis = redis
    until(s.on_redis)
    yield s
    s.stop()
    redis.stop()
    lab.services.remove(redis)
    pg.psql("DROP ROLE keeper; DROP ROLE looked")


def use(c, s):
    """Logins, statements, errors, cancelling: as clients do it."""
    for user, word in (("bob", "user password"), ("looked", "looked up"),
                       ("keeper", "backend password")):
        with s.connect(user=user, password=c.words[word]) as conn:
            assert conn.execute("SELECT current_user").fetchone() == (user,)
    with s.connect(user="bob", dbname="kept",
                   password=c.words["user password"]) as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("keeper",)
    replies = []
    for user, dbname, password in (
            ("alice", "app", c.make("wrong password")),
            ("nobody", "app", c.make("password of nobody")),
            ("bob", "lost", c.words["user password"]),
            ("bob", c.make("no database"), c.words["user password"])):
        with pytest.raises(psycopg.OperationalError) as e:
            s.connect(user=user, dbname=dbname, password=password)
        replies.append(str(e.value).replace(c.words["no database"], ""))
    # Names are no secrets: this one was there to make an error.
    del c.words["no database"]
    value = c.make("bind value")
    with s.connect(user="bob", password=c.words["user password"]) as conn:
        for _ in range(4):
            conn.execute("SELECT v FROM things WHERE v = %s", (value,))
            conn.execute("SELECT v FROM things WHERE v = '" +
                         c.words["bind value"] + "' /* a comment */")
        with pytest.raises(psycopg.DataError):
            conn.execute("SELECT %s::text::int", (value,))
        with pytest.raises(psycopg.DataError):
            conn.execute(f"SELECT '{value}'::text::int")
        conn.execute("SELECT set_config('own.value', %s, false)", (value,))
        conn.execute(f"SET own.other = '{value}'")
        conn.execute("SELECT v FROM things")
    with s.connect(user="app", password="app-password") as conn:
        with contextlib.suppress(psycopg.Error):
            conn.execute("ALTER ROLE nosuch PASSWORD "
                         f"'{c.make('new password')}'")
    return replies


def cancel(c, s, pg):
    raw = RawConn(s.host, s.port, user="bob", database="app",
                  password=c.words["user password"])
    key = raw.key[1]
    c.make("cancel key in hex", key.hex())
    c.make("cancel key", str(int.from_bytes(key, "big")))
    assert len(c.words["cancel key"]) > 6
    raw.send(rawpg.query("SELECT pg_sleep(30)"))
    # Before it runs there is nothing to cancel.
    until(lambda: pg.pids(state="active", query="SELECT pg_sleep(30)"))
    raw.cancel((raw.key[0], bytes(4)))
    raw.cancel()
    answer = raw.read_until_ready()
    assert rawpg.sqlstates(answer) == ["57014"]
    raw.abort()


def console(s, command):
    with psycopg.connect(s.dsn("pgsluice", "app", "app-password"),
                         autocommit=True, row_factory=psycopg.rows.dict_row,
                         prepare_threshold=None) as conn:
        cur = conn.execute(command)
        return cur.fetchall() if cur.description else []


def ask(s, path, token=None, method="GET"):
    conn = http.client.HTTPConnection("127.0.0.1", s.http_port, timeout=20)
    conn.request(method, path, headers={
        "Accept": "application/openmetrics-text;version=1.0.0",
        **({"Authorization": f"Bearer {token}"} if token else {})})
    with contextlib.closing(conn):
        r = conn.getresponse()
        return r.status, str(r.headers) + r.read().decode("utf-8")


def look(c, s):
    """All that can be asked for."""
    with open(os.path.join(TOP, "src/tbl/console_commands.h"),
              encoding="utf-8") as f:
        shows = re.findall(r'^COMMAND\("(SHOW [A-Z_ ]+)"', f.read(), re.M)
    assert "SHOW CONFIG" in shows and "SHOW PREPARED_STATEMENTS" in shows
    for show in shows:
        c.put(show, str(console(s, show)))
    token = c.words["http token"]
    index = json.loads(ask(s, "/api/index.json", token)[1].split("\n\n", 1)[-1])
    paths = ["/metrics", "/healthz", "/readyz", "/", "/api/index.json"]
    paths += [f"/api/{p['name']}.json" for p in index["pages"]]
    paths += [f"/api/show/{v['name']}.json" for v in index["show"]]
    assert len(paths) > 30
    for path in paths:
        c.put(path, ask(s, path, token)[1])
    status, text = ask(s, "/api/action/reload", c.make("wrong token"), "POST")
    assert status == 401
    c.put("refused action", text)
    for name in ("cmdline", "environ"):
        with open(f"/proc/{s.pid}/{name}", "rb") as f:
            c.put(name, f.read())


def test_no_secret_is_told(c, sluice, pg):
    replies = use(c, sluice)
    cancel(c, sluice, pg)
    console(sluice, "SET log_statement_text = 'full'")
    with sluice.connect(user="app", password="app-password") as conn:
        with contextlib.suppress(psycopg.Error):
            conn.execute(f"alter role nosuch Password "
                         f"'{c.make('password in a full text')}'")
        conn.execute("SELECT 'in full'")
    console(sluice, "RELOAD")
    c.put("error replies", "\n".join(replies))
    look(c, sluice)
    with open(sluice.conf, encoding="utf-8") as f:
        text = f.read()
    sluice.write_conf(text.replace("sslpassword=", "sslpasswort="))
    with pytest.raises(psycopg.Error) as refused:
        console(sluice, "RELOAD")
    c.put("refused reload", str(refused.value))
    checked = subprocess.run([binary(), "--check", sluice.conf], text=True,
                             capture_output=True, check=False, timeout=60)
    assert checked.returncode == 1
    c.put("--check", checked.stdout + checked.stderr)
    sluice.write_conf(text)
    log = c.put("log", sluice.log)
    for said in ("slow statement", "SELECT 'in full'", "cannot connect",
                 "level=debug", "client closed", "user=looked"):
        assert said in log
    assert "things" in c.places["SHOW CACHE"]
    assert len(c.words) >= 16
    assert c.told() == {}


def test_a_passphrase_is_asked_of_nobody(lab, pg, db, pgsluice, certificate):
    """On a terminal OpenSSL would wait for an answer."""
    key = os.path.join(lab.work, "locked.key")
    subprocess.run(["openssl", "ec", "-aes256", "-in", certificate[1], "-out",
                    key, "-passout", "pass:of-the-key"], check=True,
                   capture_output=True)
    os.chmod(key, 0o600)
    s = pgsluice("""
        auth = "trust"
        tls_mode = "allow"
        tls_cert_file = "$CERT"
        tls_key_file = "$KEY"
        backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
        database "app" { backend = "main" }
    """, start=False, CERT=certificate[0], KEY=key)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(binary(), [binary(), "--check", s.conf])
    said = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while select.select([terminal], [], [], 30)[0]:
            more = os.read(terminal, 4096)
            said += more
            assert b"pass phrase" not in said
            if not more:
                break
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert key.encode() in said
