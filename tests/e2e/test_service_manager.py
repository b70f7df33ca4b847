# SPDX-License-Identifier: PostgreSQL
"""What systemd is told, what it hands over: readiness, reload, stop, the
watchdog of every worker, listening sockets, credentials."""

import contextlib
import ctypes
import os
import socket
import subprocess
import sys

import pytest

import rawpg
from harness import (ROLES, Sluice, binary, fill, lablib, private_file, until)

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


# -- a service manager that only listens ------------------------------------------

class Manager:
    """The socket that a service tells its state to."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(30)

    def next(self):
        """One message, as a dict."""
        text = self.socket.recv(4096).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    def next_with(self, key):
        """The next one that says something about key."""
        while True:
            message = self.next()
            if key in message:
                return message

    def waiting(self):
        """All that are there now."""
        out = []
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                out.append(self.next())
        self.socket.settimeout(30)
        return out


@pytest.fixture
def manager(tmp_path):
    m = Manager(str(tmp_path / "notify"))
    yield m
    m.socket.close()


def test_ready_reload_stop(pg, db, pgsluice, manager):
    sluice = pgsluice(CONF, environment={"NOTIFY_SOCKET": manager.path})
    first = manager.next()
    assert first["READY"] == "1" and first["STATUS"] == "serving"
    sluice.reload()
    began, over = manager.next(), manager.next()
    assert began["RELOADING"] == "1"
    assert int(began["MONOTONIC_USEC"]) > 0
    assert over["READY"] == "1"
    sluice.rewrite(CONF + "nonsense = 1\n")
    sluice.hangup()
    # A refused file is the end of a reload, too.
    assert manager.next_with("RELOADING") and manager.next()["READY"] == "1"
    sluice.stop()
    assert manager.next()["STOPPING"] == "1"


def test_not_ready_before_it_can_serve(pg, db, pgsluice, manager):
    sluice = pgsluice(CONF, start=False,
                      environment={"NOTIFY_SOCKET": manager.path})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sluice.write_conf(fill(f'listen = {{"127.0.0.1:{port}"}}\n' + CONF,
                               sluice.holes))
        sluice.spawn()
        sluice.proc.wait(30)
        sluice.stop(expect=1)
        assert manager.waiting() == []


# -- the watchdog -----------------------------------------------------------------

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


class Frozen:
    """One thread of another process stands still in the block; the others
    go on."""

    def __init__(self, tid):
        self.tid = tid

    def ptrace(self, request):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.restype = ctypes.c_long
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                                ctypes.c_void_p]
        if libc.ptrace(request, self.tid, None, None) == -1:
            raise OSError(ctypes.get_errno(), f"ptrace {request}")

    def __enter__(self):
        self.ptrace(PTRACE_SEIZE)
        self.ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.tid, WALL)
        return self

    def __exit__(self, *_):
        self.ptrace(PTRACE_DETACH)


def threads(pid):
    """{name: tid} of a process's threads."""
    out = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8") as f:
            out[f.read().strip()] = int(tid)
    return out


@pytest.mark.parametrize("worker", [0, 1])
def test_watchdog_goes_hungry_when_one_worker_stands(pg, db, pgsluice,
                                                     manager, worker):
    sluice = pgsluice(CONF, environment={"NOTIFY_SOCKET": manager.path,
                                         "WATCHDOG_USEC": "800000"})
    assert manager.next_with("WATCHDOG")["WATCHDOG"] == "1"
    line = f'msg="worker does not move" worker={worker}'
    with Frozen(threads(sluice.pid)[f"worker {worker}"]):
        seen = sluice.log.count(line)
        until(lambda: sluice.log.count(line) > seen)
        # As of the first look that found it standing there is no food.
        manager.waiting()
        until(lambda: sluice.log.count(line) > seen + 2)
        assert manager.waiting() == []
        # The process itself is not gone: it answers by another thread.
        assert sluice.http("/metrics")[0] == 200
    assert manager.next_with("WATCHDOG")["WATCHDOG"] == "1"
    assert sluice.query("SELECT 1") == [(1,)]


# -- sockets of somebody else -------------------------------------------------------

# Descriptors go to 3 and up, as sd_listen_fds() expects them.
HAND_OVER = """
import fcntl, os, sys
fds = [fcntl.fcntl(int(n), fcntl.F_DUPFD, 100) for n in sys.argv[1].split(",")]
for n, fd in enumerate(fds, 3):
    os.dup2(fd, n)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Activated(Sluice):
    """Gets sockets that were there before it."""

    sockets = ()

    def spawn(self):
        fds = [s.fileno() for s in self.sockets]
        with open(self.logfile, "ab") as log:
            self.proc = subprocess.Popen(
                self.lab.run_as(False, True) +
                [sys.executable, "-c", HAND_OVER, ",".join(map(str, fds)),
                 *self.command()], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, pass_fds=fds,
                env=self.environment(), cwd=self.lab.work)


STARTUP = rawpg.startup_message({"user": "app", "database": "app"})


@pytest.fixture
def activated(lab, pg, db, tmp_path):
    port, path = lablib.free_port(), str(tmp_path / ".s.PGSQL.6432")
    tcp, local = socket.socket(), socket.socket(socket.AF_UNIX)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind(("127.0.0.1", port))
    local.bind(path)
    holes = {"PG": pg.port, "DB": db}
    sluice = Activated(lab, binary(), fill(
        'listen = {"192.0.2.1:1"}\nhttp_listen = ""\n' + CONF, holes),
        port, 0, "activated")
    sluice.sockets = (tcp, local)
    sluice.unix_path = path
    for s in sluice.sockets:
        s.listen(64)
    yield sluice
    sluice.stop()
    lab.services.remove(sluice)
    lablib.release_port(port)
    for s in sluice.sockets:
        s.close()


def test_sockets_that_were_there_before(activated):
    # 192.0.2.1 is nobody's: the setting is not looked at.
    early = socket.create_connection(("127.0.0.1", activated.port), 20)
    early.sendall(STARTUP)
    activated.start()
    assert early.recv(1) == b"R"  # waited, and was let in
    early.close()
    assert activated.query("SELECT 1") == [(1,)]
    assert activated.psql("SELECT 2", PGHOST=os.path.dirname(
        activated.unix_path))[1] == "2"
    # A restart: who comes in between waits, too.
    activated.stop()
    assert os.path.exists(activated.unix_path)
    between = socket.create_connection(("127.0.0.1", activated.port), 20)
    between.sendall(STARTUP)
    activated.start()
    assert between.recv(1) == b"R"
    between.close()


# -- credentials ----------------------------------------------------------------------

SECRETS = """
auth = "scram-sha-256"
workers = 1
users_file = "${CREDENTIALS_DIRECTORY}/users"
http_token_file = "${CREDENTIALS_DIRECTORY}/token"
tls_mode = "require"
tls_cert_file = "$CERT"
tls_key_file = "${CREDENTIALS_DIRECTORY}/tls.key"
server_tls_cert_file = "$CERT"
server_tls_key_file = "${CREDENTIALS_DIRECTORY}/server.key"
redis_host = "127.0.0.1"
redis_port = 1
redis_password_file = "${CREDENTIALS_DIRECTORY}/redis"
redis_key_file = "${CREDENTIALS_DIRECTORY}/redis.keys"
redis_tls = "require"
redis_tls_cert_file = "$CERT"
redis_tls_key_file = "${CREDENTIALS_DIRECTORY}/redis.key"
backend "main" {
    conninfo = "host=127.0.0.1 port=$PG dbname=$DB user=scram sslmode=disable \
passfile=${CREDENTIALS_DIRECTORY}/pgpass"
}
database "app" { backend = "main" }
"""


@pytest.fixture
def credentials(tmp_path, certificate):
    """A folder as LoadCredential= makes one."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    with open(certificate[1], encoding="utf-8") as f:
        key = f.read()
    for name, text in {
            "users": '"app" "in-a-credential"\n', "token": "t" * 32 + "\n",
            "tls.key": key, "server.key": key, "redis.key": key,
            "redis": "secret\n", "redis.keys": "0" * 64 + "\n",
            "pgpass": f"*:*:*:scram:{ROLES['scram']}\n"}.items():
        private_file(str(folder / name), text)
        (folder / name).chmod(0o400)
    folder.chmod(0o500)
    return folder


def test_every_secret_may_be_a_credential(pg, db, pgsluice, certificate,
                                          credentials):
    where = {"CREDENTIALS_DIRECTORY": str(credentials)}
    sluice = pgsluice(SECRETS, environment=where, CERT=certificate[0])
    assert sluice.query("SELECT current_user", password="in-a-credential",
                        sslmode="require") == [("scram",)]
    sluice.stop()

    def check(**environment):
        env = {k: v for k, v in os.environ.items()
               if k != "CREDENTIALS_DIRECTORY"}
        return subprocess.run([binary(), "--check", sluice.conf], text=True,
                              capture_output=True, env={**env, **environment},
                              timeout=60, check=False)
    assert check(**where).returncode == 0
    # Each of them is read from there: without it there is a complaint.
    credentials.chmod(0o700)
    for secret in sorted(credentials.iterdir()):
        if secret.name == "pgpass":
            continue  # libpq's: it is looked at when there is a login
        aside = secret.rename(credentials.parent / "aside")
        said = check(**where)
        assert said.returncode == 1 and str(secret) in said.stderr, secret
        aside.rename(secret)
    # By hand there is no such folder.
    said = check()
    assert said.returncode == 1 and "'/users'" in said.stderr


def test_a_folder_for_when_there_are_no_credentials(pg, db, pgsluice,
                                                    certificate, credentials):
    conf = SECRETS.replace("${CREDENTIALS_DIRECTORY}",
                           "${CREDENTIALS_DIRECTORY:-%s}" % credentials)
    sluice = pgsluice(conf, CERT=certificate[0])
    assert sluice.query("SELECT 1", password="in-a-credential",
                        sslmode="require") == [(1,)]
