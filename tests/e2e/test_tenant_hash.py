# SPDX-License-Identifier: PostgreSQL
"""The shard chosen is the partition that PostgreSQL itself would choose.

Random values of every key type and of keys of several columns, in the text and
in the binary form of a parameter, go through tenant_tool (src/route/tenant.c)
and are compared with satisfies_hash_partition() on a real server.
PGSLUICE_TENANT_VALUES sets how many values a key, 100,000 by default.
"""

import datetime
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
EDGES = {2: [0, 1, -1, 2**15 - 1, -2**15],
         4: [0, 1, -1, 2**31 - 1, -2**31],
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
            value += " é日😀\\'\" "
    return value, value.encode()


def make_bpchar(rng):
    value = make_text(rng)[0][:200]
    if rng.randrange(2) == 0:
        value += " " * rng.randint(1, 20)
    return value, value.encode()


def make_bool(rng):
    value = rng.randrange(2)
    words = (["f", "false", "n", "no", "off", "0"],
             ["t", "true", "y", "yes", "on", "1"])
    return rng.choice(words[value]), bytes([value])


EPOCH = datetime.date(2000, 1, 1)


def make_date(rng):
    value = datetime.date(rng.choice([1, 1970, 2000, rng.randint(1, 9999)]),
                          rng.randint(1, 12), rng.randint(1, 28))
    return value.isoformat(), struct.pack(">i", (value - EPOCH).days)


def make_timestamptz(rng):
    day = datetime.date(rng.randint(1000, 9990), rng.randint(1, 12),
                        rng.randint(1, 28))
    second = rng.randrange(86400)
    micro = rng.choice([0, 500000, rng.randrange(1000000)])
    offset = rng.choice([0, rng.randrange(-12 * 60, 14 * 60)])
    clock = "%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
    if micro:
        clock += (".%06d" % micro).rstrip("0")
    zone = "%s%02d:%02d" % ("-" if offset < 0 else "+", abs(offset) // 60,
                            abs(offset) % 60)
    if offset == 0:
        zone = rng.choice(["Z", "+00", "+00:00", " UTC"])
    us = ((day - EPOCH).days * 86400 + second - offset * 60) * 10**6 + micro
    return (f"{day}{rng.choice('T ')}{clock}{zone}", struct.pack(">q", us))


def make_numeric(rng):
    whole = str(rng.randrange(10 ** rng.randint(1, 40)))
    if rng.randrange(8) == 0:
        whole = "0" * rng.randint(1, 9) + whole
    if rng.randrange(5) == 0:
        whole += "0" * rng.randint(1, 30)
    form = rng.choice(["", "", "-", "+"]) + whole
    if rng.randrange(2) == 0:
        form += "." + "0" * rng.choice([0, 0, 3, 7]) + str(
            rng.randrange(10 ** rng.randint(1, 30))) + "0" * rng.randint(0, 9)
    return form, numeric_bytes(form)


def numeric_bytes(form):
    """What numeric_send() makes of it."""
    sign = 0x4000 if form[0] == "-" else 0
    whole, _, fraction = form.lstrip("+-").partition(".")
    scale = len(fraction)
    whole = whole.zfill(-(-len(whole) // 4) * 4)
    fraction = fraction.ljust(-(-scale // 4) * 4, "0")
    groups = [int(part[i:i + 4]) for part in (whole, fraction)
              for i in range(0, len(part), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    if not groups:
        weight = sign = 0
    return struct.pack(">HhHH%dH" % len(groups), len(groups), weight, sign,
                       scale, *groups)


MAKERS = {"uuid": make_uuid,
          "int2": lambda rng: make_int(rng, 2),
          "int4": lambda rng: make_int(rng, 4),
          "int8": lambda rng: make_int(rng, 8),
          "text": make_text,
          "varchar": make_text,
          "bpchar": make_bpchar,
          "bool": make_bool,
          "date": make_date,
          "timestamptz": make_timestamptz,
          "numeric": make_numeric}
KEYS = [*MAKERS, "int4,text", "uuid,date,numeric", "text,int8,bool,bpchar",
        "timestamptz,int2"]


def make_row(rng, name):
    """((text form, ...), (binary form, ...)) of one row of the key."""
    return tuple(zip(*(MAKERS[column](rng) for column in name.split(","))))


def ours(name, values):
    """[(remainder per modulus of the text form, of the binary form), ...]"""
    lines = []
    for text, binary in values:
        # Tabs separate; no value has one.
        lines += ["\t".join([name, "text", *text]) + "\n",
                  "\t".join([name, "binary", *(b.hex() for b in binary)])
                  + "\n"]
    r = subprocess.run([tool(), *map(str, MODULI)], timeout=300, check=True,
                       input="".join(lines).encode(), stdout=subprocess.PIPE)
    rows = [tuple(map(int, line.split("\t"))) if line != "-" else None
            for line in r.stdout.decode().splitlines()]
    assert len(rows) == 2 * len(values)
    return list(zip(rows[::2], rows[1::2]))


def theirs(conn, name, values):
    """Remainders by the server, which converts the text form itself."""
    types = ["char(250)" if t == "bpchar" else t for t in name.split(",")]
    keys = [f"k{i}" for i in range(len(types))]
    columns = ", ".join(f"{k} {t}" for k, t in zip(keys, types))
    texts = ", ".join(f"{k} text" for k in keys)
    conn.execute(f"CREATE TABLE hashed ({columns}) "
                 f"PARTITION BY HASH ({', '.join(keys)})")
    conn.execute(f"CREATE TABLE given (i int, {texts})")
    with conn.cursor().copy("COPY given FROM STDIN") as copy:
        for i, (text, _) in enumerate(values):
            copy.write_row((i, *text))
    casts = ", ".join(f"{k}::{t} AS {k}" for k, t in zip(keys, types))
    columns = ", ".join(
        f"(SELECT r FROM generate_series(0, {m - 1}) r WHERE "
        f"satisfies_hash_partition('hashed'::regclass, {m}, r, "
        f"{', '.join(keys)}))" for m in MODULI)
    rows = conn.execute(f"SELECT {columns} FROM (SELECT i, {casts} FROM given "
                        "OFFSET 0) s ORDER BY i").fetchall()
    conn.execute("DROP TABLE hashed, given")
    return rows


@pytest.mark.parametrize("name", KEYS)
def test_remainders_are_the_servers(pg, name):
    rng = random.Random(f"tenant {name}")
    values = [make_row(rng, name) for _ in range(VALUES)]
    with pg.connect() as conn:
        expected = theirs(conn, name, values)
    assert len(expected) == VALUES
    found = ours(name, values)
    differ = [(v, e, f) for v, e, f in zip(values, expected, found)
              if f != (e, e)]
    assert not differ, f"{len(differ)} of {VALUES}, first: {differ[0]}"
    # Every remainder occurs: the comparison was not one of a constant.
    for i, m in enumerate(MODULI):
        if name != "bool":
            assert {e[i] for e in expected} == set(range(m))


@pytest.mark.parametrize("name, text", [
    ("uuid", "{00000000-0000-0000-0000-000000000000"),
    ("uuid", "00000000-0000-0000-0000-00000000000"),
    ("uuid", "0-0000000-0000-0000-0000-000000000000"),
    ("int4", "2147483648"), ("int4", "-2147483649"), ("int4", "1.0"),
    ("int8", "9223372036854775808"), ("int8", "-9223372036854775809"),
    ("int8", "1e3"), ("int8", ""), ("int8", "-"), ("int2", "32768"),
    ("bool", "2"), ("bool", ""), ("date", "2026-02-30"), ("date", "2026-1"),
    ("timestamptz", "2026-01-01 25:00Z"), ("timestamptz", "2026-13-01Z"),
    ("numeric", ""), ("numeric", "."), ("numeric", "1.2.3"), ("numeric", "x"),
])
def test_what_the_server_refuses_is_not_proven(pg, name, text):
    with pg.connect() as conn:
        with pytest.raises(Exception, match="invalid input|out of range|syntax"):
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
