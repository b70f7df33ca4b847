#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What clients cost at the door.

    tests/bench/door.py --bin ./pgsluice [--clients 5000] [--seconds 5]

Prints the memory (PSS) of one idle client, plain and with TLS; logins with
SCRAM-SHA-256 a second, plain and with TLS, and what each costs the daemon in
CPU; and how long a client that is logged in waits for an answer while others
log in as fast as they can.  PostgreSQL is started for it on loopback and
stopped again.
"""

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "tests", "e2e"),
                os.path.join(TOP, "contrib", "lab")]

import lab as lablib  # noqa: E402
import rawpg  # noqa: E402

BASE = 10  # clients that are there before it is counted
PASSWORD = "door-password"
CONF = """
listen = {{"127.0.0.1:{port}"}}
http_listen = "127.0.0.1:{http}"
workers = 1
auth = "{auth}"
users_file = "{users}"
max_client_conn = 100000
tls_mode = "allow"
tls_cert_file = "{cert}"
tls_key_file = "{key}"
backend "main" {{ conninfo = "host=127.0.0.1 port={pg} dbname=postgres" }}
database "app" {{ backend = "main" }}
"""


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--bin", required=True)
    p.add_argument("--clients", type=int, default=5000)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--generators", type=int, default=2)
    return p.parse_args()


def certificate(folder):
    cert, key = (os.path.join(folder, n) for n in ("door.crt", "door.key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-keyout", key, "-out", cert, "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


def start(lab, pg, binary, auth):
    """A daemon that lets `app` in by this method."""
    users = os.path.join(lab.work, "users.txt")
    verifier = pg.psql("SELECT rolpassword FROM pg_authid "
                       "WHERE rolname = 'app'").strip()
    with open(users, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(f'"app" "{verifier}"\n')
    cert, key = certificate(lab.work)
    port, http = lablib.free_port(), lablib.free_port()
    text = CONF.format(port=port, http=http, auth=auth, users=users, cert=cert,
                       key=key, pg=pg.port)
    return lablib.Pgsluice(lab, binary, text, port, http, f"door-{auth}"
                           ).start()


def client(port, tls, password=None):
    return rawpg.RawConn("127.0.0.1", port, "app", "app", password, tls=tls,
                         timeout=60)


# -- memory -------------------------------------------------------------------

def pss(pid):
    """kB"""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("Pss:"))


def idle(sluice, n, tls):
    """kB for each idle client that has run a statement."""
    clients = []
    for i in range(n + BASE):
        clients.append(client(sluice.port, tls))
        clients[-1].ask_rows("SELECT 1")
        if i == BASE - 1:
            before = pss(sluice.pid)
    time.sleep(2)
    after = pss(sluice.pid)
    for c in clients:
        c.abort()
    return (after - before) / n


# -- logins -------------------------------------------------------------------

def derive_once():
    """The client's PBKDF2 is not what is measured: one salt, one result."""
    slow, known = rawpg.hashlib.pbkdf2_hmac, {}

    def remembered(*args):
        if args not in known:
            known[args] = slow(*args)
        return known[args]
    rawpg.hashlib.pbkdf2_hmac = remembered


def generator(port, tls, seconds, counts):
    derive_once()
    # A context takes longer to make than a login.
    tls = rawpg.insecure_tls() if tls else False
    n, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        client(port, tls, PASSWORD).close()
        n += 1
    counts.put(n)


def cpu(pid):
    """Seconds of CPU time so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def logins(sluice, tls, seconds, generators):
    """(logins a second, CPU us of each, waits of the watching client in ms,
    sorted)"""
    counts = multiprocessing.Queue()
    watch, waits = client(sluice.port, False, PASSWORD), []
    began = cpu(sluice.pid)
    crowd = [multiprocessing.Process(target=generator, args=(
        sluice.port, tls, seconds, counts)) for _ in range(generators)]
    for p in crowd:
        p.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked = time.monotonic()
        # Answered by the worker itself, so that no server's time counts.
        watch.ask("BEGIN")
        watch.ask("COMMIT")
        waits.append((time.monotonic() - asked) * 1000)
        time.sleep(0.002)
    n = sum(counts.get() for _ in crowd)
    for p in crowd:
        p.join()
    used = cpu(sluice.pid) - began
    watch.close()
    return n / seconds, used / n * 1e6, sorted(waits)


def report(args, lab, pg):
    sluice = start(lab, pg, args.bin, "trust")
    for tls in (False, True):
        print(f"idle, {'TLS' if tls else 'plain'}: {args.clients} clients, "
              f"{idle(sluice, args.clients, tls):.1f} kB each (PSS)",
              flush=True)
        lablib.wait_for("clients to go", lambda: sluice.metric(
            "pgsluice_clients") == 0)
    sluice.stop()
    sluice = start(lab, pg, args.bin, "scram-sha-256")
    for tls in (False, True):
        rate, each, waits = logins(sluice, tls, args.seconds, args.generators)
        print(f"SCRAM logins, {'TLS' if tls else 'plain'}: {rate:.0f} a "
              f"second, {each:.0f} us CPU each; another client waits "
              f"{waits[len(waits) // 2]:.1f} ms (median), "
              f"{waits[len(waits) * 99 // 100]:.1f} (p99), {waits[-1]:.1f} "
              "(longest)", flush=True)
    print(f"loop stalls: {sluice.metric('pgsluice_loop_stalls_total'):.0f}")
    sluice.stop()


def main():
    args = arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if args.clients + 100 > hard:
        sys.exit(f"door: {args.clients} clients need more than the {hard} "
                 "descriptors that ulimit -n allows")
    with tempfile.TemporaryDirectory(prefix="pgs-door.") as work:
        os.chmod(work, 0o755)
        with lablib.Lab(work) as lab:
            pg = lablib.Postgres(lab, "pg").start()
            pg.psql(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
            report(args, lab, pg)


if __name__ == "__main__":
    main()
