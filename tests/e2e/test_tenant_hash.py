# SPDX-License-Identifier: PostgreSQL
"""The shard chosen is the partition that PostgreSQL itself would choose.

Random values of every key type, in the text and in the binary form of a
parameter, go through tenant_tool (src/route/tenant.c) and are compared with
satisfies_hash_partition() on a real server.  PGSLUICE_TENANT_VALUES sets how
many values a type, 100,000 by default.
"""

import os
import random
import struct
import subprocess
import uuid

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
VALUES = int(os.environ.get("PGSLUICE_TENANT_VALUES", "100000"))
MODULI = (2, 7, 16)
EDGES = {4: [0, 1, -1, 2**31 - 1, -2**31],
         8: [0, 1, -1, 2**31 - 1, -2**31, 2**31, -2**31 - 1, 2**32,
             -2**32, 2**63 - 1, -2**63]}
# Ranges of characters of one to four bytes; no surrogates, no control bytes.
SCRIPTS = [(0x20, 0x7e), (0xa1, 0x24f), (0x400, 0x4ff), (0x4e00, 0x9fff),
           (0x1f300, 0x1f64f)]


def tool():
    for path in (os.environ.get("TENANT_TOOL"),
                 os.path.join(TOP, "tests", "e2e", "tenant_tool"),
                 os.path.join(TOP, "tenant_tool")):
        if path and os.access(path, os.X_OK):
            return path
    raise AssertionError("no tenant_tool: run 'make check', or set TENANT_TOOL")


# Each gives (text form, binary form) of one value.

def make_uuid(rng):
    value = uuid.UUID(int=rng.getrandbits(128))
    form = rng.choice([str(value), str(value).upper(), value.hex,
                       "{%s}" % value, "-".join(
                           value.hex[i:i + 4] for i in range(0, 32, 4))])
    return form, value.bytes


def make_int(rng, width):
    kind = rng.randrange(4)
    if kind == 0:
        value = rng.choice(EDGES[width])
    elif kind == 1:
        value = rng.randint(-1000, 1000)
    else:
        bits = rng.randint(1, width * 8 - 1)
        value = rng.randint(-2**bits, 2**bits - 1)
    form = str(value)
    if value >= 0 and rng.randrange(8) == 0:
        form = "+" + form
    if rng.randrange(8) == 0:
        form = form[:-len(form.lstrip("+-"))] + "000" + form.lstrip("+-")
    return form, value.to_bytes(width, "big", signed=True)


def make_text(rng):
    kind = rng.randrange(20)
    if kind == 0:
        value = ""
    elif kind == 1:
        value = " " * rng.randint(1, 30)
    else:
        low, high = rng.choice(SCRIPTS)
        size = rng.choice([3, 12, 24, 60, 300])
        value = "".join(chr(rng.randint(low, high))
                        for _ in range(rng.randint(0, size)))
        if rng.randrange(4) == 0:
            value += " é日😀\t\\'\" "
    return value, value.encode()


MAKERS = {"uuid": make_uuid,
          "int4": lambda rng: make_int(rng, 4),
          "int8": lambda rng: make_int(rng, 8),
          "text": make_text}


def ours(name, values):
    """[(remainder per modulus of the text form, of the binary form), ...]"""
    lines = []
    for text, binary in values:
        lines += [f"{name}\ttext\t{text}\n",
                  f"{name}\tbinary\t{binary.hex()}\n"]
    r = subprocess.run([tool(), *map(str, MODULI)], timeout=300, check=True,
                       input="".join(lines).encode(), stdout=subprocess.PIPE)
    rows = [tuple(map(int, line.split("\t")))
            for line in r.stdout.decode().splitlines()]
    assert len(rows) == 2 * len(values)
    return list(zip(rows[::2], rows[1::2]))


def theirs(conn, name, values):
    """Remainders by the server, which converts the text form itself."""
    conn.execute(f"CREATE TABLE hash_{name} (k {name}) PARTITION BY HASH (k)")
    conn.execute(f"CREATE TABLE values_{name} (i int, v text)")
    with conn.cursor().copy(f"COPY values_{name} FROM STDIN") as copy:
        for i, (text, _) in enumerate(values):
            copy.write_row((i, text))
    columns = ", ".join(
        f"(SELECT r FROM generate_series(0, {m - 1}) r WHERE "
        f"satisfies_hash_partition('hash_{name}'::regclass, {m}, r, k))"
        for m in MODULI)
    rows = conn.execute(
        f"SELECT {columns} FROM (SELECT i, v::{name} AS k FROM "
        f"values_{name} OFFSET 0) s ORDER BY i").fetchall()
    conn.execute(f"DROP TABLE hash_{name}, values_{name}")
    return rows


@pytest.mark.parametrize("name", MAKERS)
def test_remainders_are_the_servers(pg, name):
    rng = random.Random(f"tenant {name}")
    values = [MAKERS[name](rng) for _ in range(VALUES)]
    with pg.connect() as conn:
        expected = theirs(conn, name, values)
    assert len(expected) == VALUES
    found = ours(name, values)
    differ = [(v, e, f) for v, e, f in zip(values, expected, found)
              if f != (e, e)]
    assert not differ, f"{len(differ)} of {VALUES}, first: {differ[0]}"
    # Every remainder occurs: the comparison was not one of a constant.
    for i, m in enumerate(MODULI):
        assert {e[i] for e in expected} == set(range(m))


@pytest.mark.parametrize("name, text", [
    ("uuid", "{00000000-0000-0000-0000-000000000000"),
    ("uuid", "00000000-0000-0000-0000-00000000000"),
    ("uuid", "0-0000000-0000-0000-0000-000000000000"),
    ("int4", "2147483648"), ("int4", "-2147483649"), ("int4", "1.0"),
    ("int8", "9223372036854775808"), ("int8", "-9223372036854775809"),
    ("int8", "1e3"), ("int8", ""), ("int8", "-"),
])
def test_what_the_server_refuses_is_not_proven(pg, name, text):
    with pg.connect() as conn:
        with pytest.raises(Exception, match="invalid input|out of range"):
            conn.execute(f"SELECT %s::text::{name}", (text,))
    r = subprocess.run([tool(), "2"], input=f"{name}\ttext\t{text}\n",
                       text=True, capture_output=True, timeout=60, check=True)
    assert r.stdout == "-\n"


def test_binary_of_another_length_is_not_proven():
    wrong = [("uuid", b"\0" * 15), ("uuid", b"\0" * 17), ("int4", b""),
             ("int4", struct.pack(">q", 1)), ("int8", struct.pack(">i", 1))]
    r = subprocess.run(
        [tool(), "2"], text=True, capture_output=True, timeout=60, check=True,
        input="".join(f"{n}\tbinary\t{b.hex()}\n" for n, b in wrong))
    assert r.stdout == "-\n" * len(wrong)
