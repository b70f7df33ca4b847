#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Private PostgreSQL clusters, Redis servers and pgsluice processes on loopback.

Everything lives under one work folder and is started by this module alone; it
never looks at, talks to or stops a service that the machine already runs.

Every service is a direct child in a session of its own.  Unless the lab is
told to keep its services, the kernel sends them a signal when the lab dies
(PR_SET_PDEATHSIG), so that even kill -9 of the lab leaves nothing behind.  Run
as root, PostgreSQL and Redis run as the user postgres, otherwise as the
current user.

    python3 lab.py stop WORK     stops what a lab started with keep left running
"""

import atexit
import contextlib
import fcntl
import glob
import importlib
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

READY_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
POLL = 0.02
STATE = "lab.json"
LOCKS = os.path.join(tempfile.gettempdir(), f"pgsluice-ports-{os.getuid()}")
# Below the kernel's range for outgoing connections, so that nothing but a
# listener can hold one of these.
PORTS = range(20000, 32000)
USER = "postgres"

# port -> file descriptor of its lock
_port_locks = {}


class LabError(Exception):
    """A service did not do what it was asked for; the text says which."""


TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
INSTALL = "contrib/deps.sh lab installs what the lab needs, on Debian"


def pg_bindir():
    """Folder of initdb and postgres: $PG_BINDIR, else Debian's newest."""
    given = os.environ.get("PG_BINDIR")
    if given:
        if not os.path.exists(os.path.join(given, "initdb")):
            raise LabError(f"PG_BINDIR is {given}, but no initdb is there; "
                           "expected the folder of PostgreSQL's programs")
        return given
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if not found:
        raise LabError("no PostgreSQL server found; expected "
                       "/usr/lib/postgresql/*/bin, or PG_BINDIR in the "
                       f"environment ({INSTALL})")
    return os.path.dirname(max(found, key=lambda p: float(p.split("/")[4])))


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") +
                        ":/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        raise LabError(f"program {name} not found ({INSTALL})")
    return path


def pgsluice_binary(given=None):
    """What was given, else $PGSLUICE_BIN, else the one that was built here,
    else the one on the PATH."""
    built = os.path.join(TOP, "pgsluice")
    path = given or os.environ.get("PGSLUICE_BIN") or (
        built if os.path.exists(built) else shutil.which("pgsluice"))
    if not path:
        raise LabError(f"no pgsluice found: build it in {TOP} (./autogen.sh, "
                       "./configure, make), or give --bin PATH")
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise LabError(f"no program {path}: build pgsluice, or give --bin "
                       "PATH")
    return os.path.abspath(path)


def require(programs=(), modules=()):
    """Everything that a scenario will ask for, before it begins."""
    folder = pg_bindir()
    for name in ("postgres", "psql", "pgbench"):
        if not os.path.exists(os.path.join(folder, name)):
            raise LabError(f"no {name} in {folder} ({INSTALL})")
    for name in programs:
        program(name)
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as e:
            raise LabError(f"{sys.executable} has no module {name}: {e} "
                           f"({INSTALL})") from None


def require_writable(path):
    """A file that is written at the end must not be what fails there."""
    try:
        with open(path, "a", encoding="utf-8"):
            pass
    except OSError as e:
        raise LabError(f"{path} cannot be written: {e.strerror}") from None


def trouble(error):
    """Status 2: nothing can be said of what was to be tried."""
    print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
    sys.exit(2)


def positive(kind):
    """For arguments: a number over 0."""
    def number(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value
    number.__name__ = f"positive {kind.__name__}"
    return number


def free_port():
    """A port that nobody listens on and that no other lab will be given."""
    os.makedirs(LOCKS, exist_ok=True)
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        fd = os.open(os.path.join(LOCKS, str(port)),
                     os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            os.close(fd)
            continue
        _port_locks[port] = fd
        return port
    raise LabError(f"no free port between {PORTS[0]} and {PORTS[-1]}")


def release_port(port):
    """A port of free_port() may be given to others; nobody uses it now."""
    os.close(_port_locks.pop(port))


def held_ports():
    """The ports of free_port() that nobody has released, as a set."""
    return set(_port_locks)


def port_is_taken(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def wait_for(what, condition, timeout=READY_TIMEOUT, poll=POLL):
    """Poll condition() until it is true and return its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"waited {timeout:.0f} s for {what}")
        time.sleep(poll)


def can_connect(port, host="127.0.0.1"):
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


class Service:
    """One child process with a log file."""

    name = "service"
    stop_signals = (signal.SIGTERM, signal.SIGKILL)
    as_postgres = False

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.proc = None
        self.logfile = os.path.join(lab.work, name + ".log")
        lab.services.append(self)

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def environment(self):
        return {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    @property
    def running(self):
        return self.proc is not None and self.proc.poll() is None

    @property
    def pid(self):
        return self.proc.pid if self.proc else None

    @property
    def log(self):
        try:
            with open(self.logfile, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def spawn(self):
        if self.running:
            raise LabError(f"{self.name} is running already")
        argv = self.lab.run_as(self.as_postgres, not self.lab.keep)
        with open(self.logfile, "ab") as log:
            self.proc = subprocess.Popen(
                argv + self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, env=self.environment(),
                cwd=self.lab.work)
        self.lab.save_state()

    def start(self, timeout=READY_TIMEOUT):
        self.spawn()
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=READY_TIMEOUT):
        def ready():
            if not self.running:
                raise LabError(f"{self.name} ended with status "
                               f"{self.proc.returncode}:\n{self.tail()}")
            return self.is_ready()
        try:
            wait_for(f"{self.name} to be ready", ready, timeout)
        except LabError as e:
            raise LabError(f"{e}\n{self.tail()}") from None

    def tail(self, lines=20):
        return "\n".join(self.log.splitlines()[-lines:])

    def stop(self, signals=None, timeout=STOP_TIMEOUT):
        """Send signals, each followed by a wait; the last one is SIGKILL to
        the whole session. Returns the exit status."""
        if self.proc is None:
            return None
        for sig in signals or self.stop_signals:
            if self.proc.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                if sig == signal.SIGKILL:
                    os.killpg(self.proc.pid, sig)
                else:
                    self.proc.send_signal(sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.proc.wait(timeout)
        status = self.proc.wait(timeout)
        self.proc = None
        return status

    def kill(self):
        """As a crash would: SIGKILL at once."""
        return self.stop(signals=(signal.SIGKILL,))

    def freeze(self):
        os.killpg(self.proc.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.proc.pid, signal.SIGCONT)


class Postgres(Service):
    """A cluster of its own. Trust on loopback except for `scram_users`."""

    # Fast, then immediate shutdown, then none at all.
    stop_signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    as_postgres = True
    defaults = {
        "listen_addresses": "127.0.0.1",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "32MB",
        "max_connections": "100",
        "max_wal_size": "1GB",
        "max_prepared_transactions": "10",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "password_encryption": "scram-sha-256",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "update_process_title": "off",
    }

    def __init__(self, lab, name="pg", port=None, settings=None,
                 scram_users=(), fresh=False, tcp_trust=True):
        super().__init__(lab, name)
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.datadir = os.path.join(lab.work, name)
        self.sockdir = lab.socket_dir()
        self.settings = {**self.defaults, **(settings or {})}
        self.create(fresh)
        self.configure(scram_users, tcp_trust)

    def create(self, fresh):
        if os.path.exists(os.path.join(self.datadir, "PG_VERSION")):
            return
        if fresh:
            self.lab.initdb(self.datadir)
            return
        template = self.lab.template()
        subprocess.run(["cp", "-a", "--reflink=auto", template, self.datadir],
                       check=True)

    def configure(self, scram_users, tcp_trust):
        # Superusers come through the private socket folder only, unless the
        # caller wants trust for everybody on loopback.
        lines = ["local all all trust", "local replication all trust"]
        lines += [f"host all {u} 127.0.0.1/32 scram-sha-256"
                  for u in scram_users]
        if tcp_trust:
            lines += ["host all all 127.0.0.1/32 trust"]
        self.write("pg_hba.conf", "\n".join(lines) + "\n")
        self.write("postgresql.auto.conf", "".join(
            f"{k} = '{v}'\n" for k, v in {
                **self.settings, "port": self.port,
                "unix_socket_directories": self.sockdir}.items()))

    def write(self, name, text):
        path = os.path.join(self.datadir, name)
        with open(path, "w") as f:
            f.write(text)
        self.lab.give(path)

    def command(self):
        return [os.path.join(pg_bindir(), "postgres"), "-D", self.datadir]

    def is_ready(self):
        # The line is written once connections are accepted; asking the
        # server itself makes sure that it is this server.
        r = subprocess.run(
            [os.path.join(pg_bindir(), "pg_isready"), "-q", "-h", self.sockdir,
             "-p", str(self.port)], check=False)
        return r.returncode == 0 and can_connect(self.port)

    def stop(self, signals=None, timeout=STOP_TIMEOUT):
        status = super().stop(signals, timeout)
        # A killed postmaster leaves its pid file; the pid may be reused by
        # anyone, so a later start must not stumble over it.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.datadir, "postmaster.pid"))
        return status

    def freeze(self):
        """The postmaster first, so that no child is made behind our back;
        each of them leads a session of its own."""
        os.kill(self.pid, signal.SIGSTOP)
        self.signal_children(signal.SIGSTOP)

    def thaw(self):
        self.signal_children(signal.SIGCONT)
        os.kill(self.pid, signal.SIGCONT)

    def signal_children(self, sig):
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            for pid in f.read().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), sig)

    def crash(self):
        """Immediate shutdown: no goodbyes, recovery at the next start."""
        return self.stop(signals=(signal.SIGQUIT, signal.SIGKILL))

    def restart(self):
        self.stop()
        self.start()

    def reload(self):
        self.proc.send_signal(signal.SIGHUP)

    def dsn(self, dbname="postgres", user="postgres", password=None, **more):
        """libpq connection string over TCP."""
        parts = {"host": self.host, "port": self.port, "dbname": dbname,
                 "user": user, "password": password, **more}
        return " ".join(f"{k}={v}" for k, v in parts.items() if v is not None)

    def admin_dsn(self, dbname="postgres"):
        """As superuser through the private socket."""
        return f"host={self.sockdir} port={self.port} dbname={dbname} user={USER}"

    def psql(self, sql, dbname="postgres", **variables):
        """Run SQL (a text or a file name ending in .sql) as superuser; the
        output unaligned, without headers."""
        argv = [os.path.join(pg_bindir(), "psql"), "-X", "-q", "-A", "-t",
                "-v", "ON_ERROR_STOP=1", "-d", self.admin_dsn(dbname)]
        for k, v in variables.items():
            argv += ["-v", f"{k}={v}"]
        if sql.endswith(".sql"):
            argv += ["-f", sql]
        r = subprocess.run(argv, input="" if sql.endswith(".sql") else sql,
                           text=True, capture_output=True, check=False)
        if r.returncode:
            raise LabError(f"psql on {self.name}: {r.stderr.strip()}")
        return r.stdout.strip()

    def connect(self, dbname="postgres", **kw):
        import psycopg
        return psycopg.connect(self.admin_dsn(dbname), **kw)


class Standby(Postgres):
    """A streaming standby of a running cluster, over its private socket."""

    def __init__(self, lab, primary, name, settings=None):
        self.primary = primary
        super().__init__(lab, name, settings={**primary.settings,
                                              **(settings or {})})

    def create(self, fresh):
        os.makedirs(self.datadir, mode=0o700)
        self.lab.give(self.datadir)
        r = subprocess.run(
            self.lab.run_as(True, False) +
            [os.path.join(pg_bindir(), "pg_basebackup"), "-D", self.datadir,
             "-h", self.primary.sockdir, "-p", str(self.primary.port),
             "-U", USER, "-X", "stream", "-c", "fast", "--no-sync"],
            text=True, capture_output=True, check=False, cwd="/")
        if r.returncode:
            raise LabError(f"pg_basebackup: {r.stderr.strip()}")
        self.write("standby.signal", "")
        self.settings["primary_conninfo"] = (
            f"host={self.primary.sockdir} port={self.primary.port} "
            f"user={USER}")


class Redis(Service):
    as_postgres = True
    stop_signals = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, lab, name="redis", port=None, arguments=()):
        super().__init__(lab, name)
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.arguments = list(arguments)

    def command(self):
        return [program("redis-server"), "--port", str(self.port), "--bind",
                "127.0.0.1", "--save", "", "--appendonly", "no",
                "--daemonize", "no", "--dir", self.lab.socket_dir(),
                *self.arguments]

    def is_ready(self):
        return b"PONG" in self.ask(b"PING\r\n")

    def ask(self, line):
        try:
            with socket.create_connection((self.host, self.port),
                                          timeout=2) as s:
                s.sendall(line)
                return s.recv(4096)
        except OSError:
            return b""

    def cli(self, *args):
        r = subprocess.run(
            [program("redis-cli"), "-h", self.host, "-p", str(self.port),
             *map(str, args)], text=True, capture_output=True, check=True)
        return r.stdout.strip()


class Pgsluice(Service):
    """The daemon under a configuration file. `{port}`-like holes must be
    filled by the caller; the file is written to the work folder."""

    stop_signals = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)

    def __init__(self, lab, binary, text, port, http_port, name="pgsluice",
                 environment=None):
        super().__init__(lab, name)
        self.host = "127.0.0.1"
        self.binary = os.path.abspath(binary)
        self.port = port
        self.http_port = http_port
        self.extra_environment = environment or {}
        self.conf = os.path.join(lab.work, name + ".conf")
        self.write_conf(text)

    def write_conf(self, text):
        with open(self.conf, "w") as f:
            f.write(text)

    def environment(self):
        return {**super().environment(), **self.extra_environment}

    def command(self):
        return [self.binary, self.conf]

    def is_ready(self):
        return can_connect(self.port) and \
            (not self.http_port or can_connect(self.http_port))

    def dsn(self, dbname, user="app", password=None, **more):
        parts = {"host": self.host, "port": self.port, "dbname": dbname,
                 "user": user, "password": password, **more}
        return " ".join(f"{k}={v}" for k, v in parts.items() if v is not None)

    def http(self, path="/metrics", timeout=10):
        """(status, text) of one request."""
        url = f"http://{self.host}:{self.http_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=timeout) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metrics(self):
        """{'name{labels}': value} of /metrics."""
        status, text = self.http("/metrics")
        if status != 200:
            raise LabError(f"/metrics answered {status}")
        return parse_metrics(text)

    def metric(self, name):
        """Sum of a metric over its label sets, 0 when it has none yet."""
        return sum(v for k, v in self.metrics().items()
                   if k.split("{")[0] == name)


def parse_metrics(text):
    out = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            out[name] = float(value)
    return out


class Lab:
    """A work folder and the services in it; a context manager."""

    def __init__(self, work=None, keep=False):
        self.services = []
        self.keep = keep
        self.made = work is None
        self.work = os.path.abspath(work) if work else tempfile.mkdtemp(
            prefix="pgsluice-lab.", dir=os.environ.get("TMPDIR", "/tmp"))
        try:
            os.makedirs(self.work, exist_ok=True)
        except OSError as e:
            raise LabError(f"the work folder {self.work} cannot be made: "
                           f"{e.strerror}") from None
        if os.geteuid() == 0:
            # The servers' own user has to get through to its folders.
            os.chmod(self.work, 0o755)
            self.check_reachable()
        self.sockets = None
        self.owner = os.getpid()
        atexit.register(self.close)

    # -- users ---------------------------------------------------------

    @staticmethod
    def run_as(postgres, die_with_us):
        argv = [program("setpriv")]
        if postgres and os.geteuid() == 0:
            argv += [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        if die_with_us:
            argv += ["--pdeathsig", "INT" if postgres else "TERM"]
        return argv if len(argv) > 1 else []

    def check_reachable(self):
        try:
            pwd.getpwnam(USER)
        except KeyError:
            raise LabError(f"started as root, but there is no user {USER} "
                           "for the servers (package postgresql)") from None
        r = subprocess.run(self.run_as(True, False) + ["test", "-x", self.work],
                           check=False)
        if r.returncode:
            raise LabError(f"the user {USER} cannot enter {self.work}; "
                           "give another work folder, for instance in /var/tmp")

    @staticmethod
    def give(path):
        if os.geteuid() == 0:
            shutil.chown(path, USER, USER)

    def socket_dir(self):
        """One private folder for unix sockets, short enough for their paths."""
        if self.sockets is None:
            self.sockets = os.path.join(self.work, "s")
            if len(self.sockets) > 80 or re.search(r"[\s'\\]", self.sockets):
                self.sockets = tempfile.mkdtemp(prefix="pgs.", dir="/tmp")
            os.makedirs(self.sockets, exist_ok=True)
            os.chmod(self.sockets, 0o700)
            self.give(self.sockets)
        return self.sockets

    # -- clusters ------------------------------------------------------

    def initdb(self, datadir):
        os.makedirs(datadir, mode=0o700)
        self.give(datadir)
        r = subprocess.run(
            self.run_as(True, False) +
            [os.path.join(pg_bindir(), "initdb"), "-D", datadir, "-A", "trust",
             "-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
             "--no-instructions"],
            text=True, capture_output=True, check=False, cwd="/")
        if r.returncode:
            shutil.rmtree(datadir, ignore_errors=True)
            raise LabError(f"initdb: {r.stdout}{r.stderr}")

    def template(self):
        """A data folder that clusters are copied from: initdb runs once."""
        path = os.path.join(self.work, "template")
        if not os.path.exists(os.path.join(path, "PG_VERSION")):
            self.initdb(path)
        return path

    # -- life ----------------------------------------------------------

    def save_state(self):
        rows = [{"name": s.name, "pid": s.pid, "born": born(s.pid),
                 "signals": [int(n) for n in s.stop_signals]}
                for s in self.services if s.running]
        path = os.path.join(self.work, STATE)
        with open(path + ".new", "w") as f:
            json.dump({"services": rows, "sockets": self.sockets}, f)
        os.replace(path + ".new", path)

    def stop_all(self):
        """In the opposite order of their start; a failure of one does not
        keep the others alive."""
        for s in reversed(self.services):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                s.stop()

    def close(self):
        """Stop everything unless kept; remove the folder if we made it."""
        if os.getpid() != self.owner:
            return
        atexit.unregister(self.close)
        if self.keep:
            return
        self.stop_all()
        if self.made:
            shutil.rmtree(self.work, ignore_errors=True)
        else:
            self.remove_data()
        if self.sockets and not self.sockets.startswith(self.work + os.sep):
            shutil.rmtree(self.sockets, ignore_errors=True)

    def remove_data(self):
        """Data folders go, logs and reports stay."""
        for s in self.services:
            if isinstance(s, Postgres):
                shutil.rmtree(s.datadir, ignore_errors=True)
        for name in ("template", "s"):
            shutil.rmtree(os.path.join(self.work, name), ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.work, STATE))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def exit_on_signals():
    """Turn the signals that end a program into an orderly exit."""
    def leave(sig, _frame):
        # A second one must not interrupt the tidying up.
        for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(n, signal.SIG_IGN)
        sys.exit(128 + sig)
    for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(n, leave)


def born(pid):
    """Start time of a process in clock ticks, None once it has ended; with
    the pid, its identity."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def stop_kept(work):
    """Stop what a lab started with keep left running in this folder."""
    with open(os.path.join(work, STATE)) as f:
        state = json.load(f)
    for row in reversed(state["services"]):
        pid = row["pid"]
        for sig in row["signals"]:
            if born(pid) != row["born"]:
                break
            if sig == signal.SIGKILL:
                os.killpg(pid, sig)
            else:
                os.kill(pid, sig)
            with contextlib.suppress(LabError):
                wait_for(row["name"], lambda: born(pid) != row["born"],
                         STOP_TIMEOUT)
        print(f"stopped {row['name']}")
    os.unlink(os.path.join(work, STATE))
    sockets = state["sockets"]
    if sockets and not sockets.startswith(os.path.abspath(work) + os.sep):
        shutil.rmtree(sockets, ignore_errors=True)


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "stop":
        sys.exit(__doc__)
    try:
        stop_kept(sys.argv[2])
    except FileNotFoundError:
        sys.exit(f"nothing of a lab runs in {sys.argv[2]}")


if __name__ == "__main__":
    main()
