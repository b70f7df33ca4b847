# SPDX-License-Identifier: PostgreSQL
"""--import-pgbouncer: PgBouncer and a pgsluice that was configured from its
file answer the same."""

import os
import subprocess

import psycopg
import pytest

from harness import TOP, binary, lablib, private_file

INI = """\
;; a comment
[databases]
app = host=127.0.0.1 port={pg} dbname={db}
alias = host=127.0.0.1 port={pg} dbname={db}
forced = host=127.0.0.1 port={pg} dbname={db} user=scram
narrow = host=127.0.0.1 port={pg} dbname={db} pool_size=1 pool_mode=transaction
dated = host=127.0.0.1 port={pg} dbname={db} datestyle='SQL, DMY' timezone=Asia/Tokyo
hooked = host=127.0.0.1 port={pg} dbname={db} connect_query='SELECT 1'
* = host=127.0.0.1 port={pg}
%include {more}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {dir}
auth_type = md5
auth_file = {users}
admin_users = alice
stats_users = bob
default_pool_size = 5
ignore_startup_parameters = extra_float_digits
server_fast_close = 1
server_tls_sslmode = disable
"""
PASSWORDS = {"app": "app-password", "alice": "alice-password",
             "bob": "bob-password", "scram": "scram-password"}


class PgBouncer(lablib.Service):
    as_postgres = True

    def __init__(self, lab, name, ini, port):
        super().__init__(lab, name)
        self.ini, self.port = ini, port

    def command(self):
        return [lablib.program("pgbouncer"), self.ini]

    def is_ready(self):
        return lablib.can_connect(self.port)


def run(*args):
    return subprocess.run([binary(), "--import-pgbouncer", *args], text=True,
                          capture_output=True, check=False, timeout=60)


def checks(path):
    return subprocess.run([binary(), "--check", path], text=True,
                          capture_output=True, check=False, timeout=60)


@pytest.fixture
def both(lab, pg, db, pgsluice):
    """(PgBouncer, pgsluice from its file, what the import said)"""
    work = os.path.join(lab.work, f"import-{db}")
    os.mkdir(work)
    md5 = pg.psql("SET password_encryption = 'md5'; "
                  "CREATE ROLE hashed LOGIN PASSWORD 'hashed-password'; "
                  "SELECT rolpassword FROM pg_authid WHERE rolname = 'hashed'"
                  ).splitlines()[-1]
    verifier = pg.psql("SELECT rolpassword FROM pg_authid "
                       "WHERE rolname = 'bob'")
    users = private_file(f"{work}/userlist.txt",
                         f'"app" "app-password"\n"hashed" "{md5}"\n'
                         f'"alice" "alice-password" "more"\n'
                         f'"bob" "{verifier}"\n"scram" "scram-password"\n')
    more = private_file(f"{work}/more.ini",
                        "[users]\nalice = max_user_connections=3\n")
    port, ours = lablib.free_port(), lablib.free_port()
    made = {}
    for name, at in (("theirs", port), ("ours", ours)):
        made[name] = private_file(f"{work}/{name}.ini", INI.format(
            pg=pg.port, db=db, port=at, users=users, more=more, dir=work))
    for path in (work, users, more, made["theirs"]):
        lab.give(path)
    bouncer = PgBouncer(lab, f"pgbouncer-{db}", made["theirs"], port).start()
    done = run(made["ours"], "--users", f"{work}/users.txt")
    assert done.returncode == 0, done.stderr
    sluice = pgsluice(done.stdout, PORT=ours)
    yield bouncer, sluice, done
    sluice.stop()
    bouncer.stop()
    lab.services.remove(bouncer)
    pg.psql("DROP ROLE hashed")


def connect(service, dbname, user, password):
    return psycopg.connect(host="127.0.0.1", port=service.port, dbname=dbname,
                           user=user, password=password, autocommit=True,
                           prepare_threshold=None, connect_timeout=10)


def ask(service, dbname, user, password,
        sql="SELECT current_user, current_database(), "
            "current_setting('datestyle'), current_setting('timezone')"):
    """A row, or that there was none."""
    try:
        with connect(service, dbname, user, password) as conn:
            return conn.execute(sql).fetchone()
    except psycopg.OperationalError:
        return "refused"


LOGINS = [(d, u, u + "-password")
          for d in ("app", "alias", "forced", "dated", "postgres", "hooked")
          for u in ("app", "alice", "bob", "hashed")] + [
    ("app", "alice", "wrong"), ("app", "hashed", "wrong"),
    ("app", "bob", "wrong"), ("app", "alice", None), ("app", "nobody", "x"),
    ("app", "scram", "scram-password"), ("nosuchdb", "alice",
                                         "alice-password")]


def pids(service, dbname):
    """Servers of two clients that are connected at once, twice each."""
    seen = []
    with connect(service, dbname, "alice", "alice-password") as a, \
            connect(service, dbname, "alice", "alice-password") as b:
        for conn in (a, b, a, b):
            seen.append(conn.execute("SELECT pg_backend_pid()").fetchone()[0])
    return [seen.index(p) for p in seen]


def console(service, name, user, command):
    try:
        with connect(service, name, user, user + "-password") as conn:
            raw = conn.pgconn.exec_(command.encode())
            return raw.error_message == b""
    except psycopg.OperationalError:
        return "refused"


def test_they_answer_the_same(both):
    bouncer, sluice, done = both
    answers = {login: ask(bouncer, *login) for login in LOGINS}
    assert {login: ask(sluice, *login) for login in LOGINS} == answers
    # What was compared is not that nothing works.
    assert answers["forced", "bob", "bob-password"][0] == "scram"
    assert answers["dated", "app", "app-password"][2:] == (
        "SQL, DMY", "Asia/Tokyo")
    assert answers["postgres", "hashed", "hashed-password"][1] == "postgres"
    assert answers["app", "alice", "wrong"] == "refused"
    assert list(answers.values()).count("refused") == 6
    # Session pooling is what the file does not say; one server in narrow.
    assert pids(bouncer, "app") == pids(sluice, "app") == [0, 1, 0, 1]
    assert pids(bouncer, "narrow") == pids(sluice, "narrow") == [0, 0, 0, 0]
    for user, command in (("alice", "SHOW POOLS"), ("alice", "PAUSE narrow"),
                          ("alice", "RESUME narrow"), ("bob", "SHOW POOLS"),
                          ("bob", "PAUSE narrow"), ("app", "SHOW POOLS")):
        assert console(bouncer, "pgbouncer", user, command) == \
            console(sluice, "pgsluice", user, command), (user, command)
    sizes = {r["name"]: r["pool_size"] for r in
             sluice.console("SHOW DATABASES", user="alice password="
                            "alice-password")}
    assert sizes["narrow"] == 1 and sizes["app"] == 5
    for line in ("connect_query = SELECT 1: ", "* = ...: names that are not",
                 "ignore_startup_parameters = ", "server_fast_close = 1: "):
        assert line in done.stderr and "ours.ini:" in done.stderr
        assert line in done.stdout
    # Nobody else reads what has passwords in it.
    users = done.stdout.split('users_file = "')[1].split('"')[0]
    assert os.stat(users).st_mode & 0o777 == 0o600


def test_what_comes_out_is_taken(lab):
    """Debian's own file, too."""
    debian = "/etc/pgbouncer/pgbouncer.ini"
    files = [os.path.join(TOP, "tests/fuzz/corpus/import/debian")]
    files += [debian] if os.access(debian, os.R_OK) else []
    for n, path in enumerate(files):
        done = run(path)
        assert done.returncode == 0, done.stderr
        assert "logfile = " in done.stderr
        out = private_file(f"{lab.work}/debian{n}.conf", done.stdout)
        ran = checks(out)
        assert ran.returncode == 0, ran.stderr


def test_mistakes_give_nothing(lab):
    ini = private_file(f"{lab.work}/bad.ini",
                       "[pgbouncer]\nlisten_port = 1\nfrob = 1\n")
    done = run(ini)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{ini}:3: frob: PgBouncer has no such setting" in done.stderr
    done = run(f"{lab.work}/nosuch.ini")
    assert (done.returncode, done.stdout) == (1, "")
    assert "No such file" in done.stderr


def test_users_are_never_written_over(lab):
    auth = private_file(f"{lab.work}/auth.txt", '"a" "secret-of-a" x\n')
    ini = private_file(f"{lab.work}/u.ini",
                       f"[pgbouncer]\nauth_file = {auth}\n")
    # As it is it has a third value, which pgsluice does not take.
    done = run(ini)
    assert done.returncode == 0 and "more than two values" in done.stderr
    assert "\nusers_file" not in done.stdout
    target = private_file(f"{lab.work}/taken.txt", "mine\n")
    done = run(ini, "--users", target)
    assert (done.returncode, done.stdout) == (1, "")
    assert "File exists" in done.stderr and "secret-of-a" not in done.stderr
    with open(target, encoding="utf-8") as f:
        assert f.read() == "mine\n"
    os.unlink(target)
    done = run(ini, "--users", target)
    assert done.returncode == 0
    assert f'users_file = "{target}"' in done.stdout
    with open(target, encoding="utf-8") as f:
        assert f.read() == '"a" "secret-of-a"\n'
