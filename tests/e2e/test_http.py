# SPDX-License-Identifier: PostgreSQL
"""/metrics, /healthz, /readyz."""

import re
import socket
import threading

import pytest

from harness import until

SAMPLE = re.compile(
    r"^[a-zA-Z_:][a-zA-Z0-9_:]*"
    r'(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*",?)*\})? '
    r"(-?[0-9.eE+-]+|NaN|[+-]Inf)$")


def families(text):
    """{family: type}, with every line checked against the format."""
    types = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, f"{name} twice"
            types[name] = kind
        elif not line.startswith("# HELP "):
            assert SAMPLE.match(line), line
            name = re.match(r"[a-zA-Z0-9_:]+", line)[0]
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in types or types.get(base) == "histogram", line
    return types


def test_metrics_are_well_formed(sluice):
    sluice.query("SELECT 1")
    status, text = sluice.http("/metrics")
    assert status == 200
    types = families(text)
    assert types["pgsluice_queries_total"] == "counter"
    assert types["pgsluice_query_duration_seconds"] == "histogram"
    assert all(n.startswith(("pgsluice_", "process_")) for n in types)


def test_counters_count(sluice):
    with sluice.counting(queries=10, client_logins=1, client_connections=1):
        with sluice.connect() as conn:
            for _ in range(10):
                conn.execute("SELECT 1")
    assert sluice.metric("pgsluice_clients") == 0


def test_histogram_adds_up(sluice):
    with sluice.connect() as conn:
        for _ in range(20):
            conn.execute("SELECT pg_sleep(0.01)")

    def bucket_counts():
        rows = [(k, v) for k, v in sluice.metrics().items()
                if k.startswith("pgsluice_query_duration_seconds_")]
        return {kind: [(k, v) for k, v in rows if f"_{kind}" in
                       k.split("{")[0]] for kind in ("bucket", "sum", "count")}
    until(lambda: sum(v for _, v in bucket_counts()["count"]) >= 20)
    found = bucket_counts()
    assert 0.2 <= sum(v for _, v in found["sum"]) < 5
    assert all(any(f'{label}="' in k for k, _ in found["bucket"])
               for label in ("route", "backend", "outcome", "le"))
    # Cumulative within a label set.
    last = {}
    for k, v in found["bucket"]:
        key = re.sub(r'le="[^"]*"', "", k)
        assert v >= last.get(key, 0), k
        last[key] = v


def test_health(sluice):
    assert sluice.http("/healthz")[0] == 200
    assert sluice.http("/readyz")[0] == 200
    assert sluice.http("/nothing")[0] == 404


def test_ready_ends_with_the_drain(sluice):
    import signal
    with sluice.connect() as conn:
        conn.execute("BEGIN")
        conn.execute("SELECT 1")
        sluice.proc.send_signal(signal.SIGTERM)
        until(lambda: sluice.http("/readyz")[0] == 503)
        assert sluice.http("/healthz")[0] == 200
        conn.execute("COMMIT")
    sluice.stop()


BAD = {
    "garbage": b"\0\1\2\3",
    "half a request": b"GET /metrics",
    "long path": b"GET " + b"/x" * 50000 + b" HTTP/1.1\r\n",
    "large body":
        b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    "large header":
        b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 1000000 + b"\r\n\r\n",
    "wrong method": b"DELETE /metrics HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_bad_requests_hurt_nobody(sluice, data):
    with socket.create_connection(("127.0.0.1", sluice.http_port)) as s:
        s.settimeout(0.5)
        try:
            s.sendall(data)
            assert b"200 OK" not in s.recv(100)
        except (TimeoutError, ConnectionError):
            pass
    assert sluice.http("/healthz")[0] == 200
    assert sluice.query("SELECT 1") == [(1,)]


def test_scrapes_under_load(sluice):
    done = threading.Event()

    def load():
        with sluice.connect() as conn:
            while not done.is_set():
                conn.execute("SELECT 1")
    t = threading.Thread(target=load)
    t.start()
    try:
        last = 0
        for _ in range(50):
            status, text = sluice.http("/metrics")
            assert status == 200
            families(text)
            now = sluice.count("queries")
            assert now >= last
            last = now
    finally:
        done.set()
        t.join()
