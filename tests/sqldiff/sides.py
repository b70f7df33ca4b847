# SPDX-License-Identifier: PostgreSQL
"""A statement sent to one side, its answer, and what makes two answers equal.

Compared are names and types of columns, rows (in order where it is certain),
the command tag, and of an error its SQLSTATE alone.
"""

import copy
import os
import re
import struct
import sys
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import rawpg  # noqa: E402
from rawpg import bind, describe, execute, parse, query, sync  # noqa: E402


class Statement:
    """number: names it; draws: make it again; mode: how it is sent."""

    def __init__(self, number, query, params, mode, formats):
        self.number = number
        self.query = query
        # A comment that tells it in the servers' logs.
        self.mark = f"/*{number}*/"
        self.sql = re.sub(r"\w+", lambda m: f"{m[0]} {self.mark}", query.sql,
                          count=1)
        self.params = params
        self.mode = mode
        self.formats = formats
        self.name = f"s{number}" if mode == "named" else ""

    def show(self):
        told = [f"${n} = {p.text!r} ({p.kind}{', binary' if p.form else ''}"
                f"{', declared' if p.oid else ''})"
                for n, p in enumerate(self.params, 1)]
        return "\n      ".join([f"{self.sql};", *told, f"[{self.mode}"
                                f"{', binary' if any(self.formats) else ''}]"])

    def again(self, number, dice):
        """With other values; only of a named one."""
        out = Statement(number, self.query,
                        [p.other(dice) for p in self.params], "again",
                        self.formats)
        out.name = self.name
        # The text is what it was, with the mark.
        out.mark, out.sql = self.mark, self.sql
        return out

    def parse(self):
        return parse(self.name, self.sql, [p.oid for p in self.params])

    @property
    def writes(self):
        return not re.match(r"\s*(SELECT|WITH|COPY\s*\()", self.query.sql,
                            re.I)

    def alone(self):
        """The same without a name that an earlier one has made."""
        out = copy.copy(self)
        out.name = ""
        if self.mode in ("described", "named", "again"):
            out.mode = "whole"
        return out

    def bound(self):
        return bind("", self.name, [p.raw() for p in self.params],
                    [p.form for p in self.params], self.formats)

    def messages(self):
        """What is sent at once, each with one ReadyForQuery."""
        run = self.bound() + describe("P") + execute() + sync()
        if self.mode in ("simple", "copy"):
            return [query(self.sql)]
        if self.mode == "whole":
            return [self.parse() + run]
        if self.mode == "again":
            return [run]
        if self.mode == "portions":
            # The last one takes all that is left.
            return [self.parse() + self.bound() + describe("P") +
                    execute("", 1) + execute("", 7) + execute("") + sync()]
        return [self.parse() + describe("S", self.name) + sync(), run]


class Log:
    """Of the servers: in which databases a statement has been since the last
    look, whether it ended well or not."""

    LINE = re.compile(r"\d{4}-\d\d-\d\d .* \[\d+\] (?:\w+@(\w+) )?")

    def __init__(self, path):
        self.file = open(path, encoding="utf-8", errors="replace")
        self.file.seek(0, os.SEEK_END)

    def read(self):
        """{mark: databases}"""
        out, database = {}, None
        for line in self.file:
            head = self.LINE.match(line)
            if head:
                database = head[1]
            for mark in re.findall(r"/\*[0-9.]+\*/", line):
                out.setdefault(mark, set()).add(database)
        return out


class Answer:
    """columns: (name, type, modifier) of each."""

    def __init__(self, messages):
        states = rawpg.sqlstates(messages)
        self.error = states[0] if states else None
        self.told = rawpg.errors(messages)[0].get("M") if states else None
        heads = rawpg.bodies(messages, "T")
        self.columns = [(c.name, c.type, c.typmod)
                        for c in rawpg.columns(heads[-1])] if heads else []
        self.rows = rawpg.rows(messages) + rawpg.bodies(messages, "d")
        self.tags = rawpg.tags(messages)

    @property
    def state(self):
        return self.error or "ok"

    def show(self):
        if self.error:
            return f"{self.error} {self.told}"
        return f"{self.tags} {self.columns} {len(self.rows)} rows"


class Lost(Answer):
    """The connection ended."""

    def __init__(self, why):
        super().__init__([])
        self.error = "closed"
        self.told = str(why)


class Side:
    """A connection that is made anew when it has been lost."""

    def __init__(self, name, port, database, timeout=30):
        self.name = name
        self.port = port
        self.database = database
        self.timeout = timeout
        self.zone = "UTC"
        self.conn = None

    def connect(self, zone=None):
        self.close()
        self.zone = zone or self.zone
        self.conn = rawpg.RawConn("127.0.0.1", self.port, "app",
                                  self.database, timeout=self.timeout,
                                  params={"TimeZone": self.zone})

    def close(self):
        if self.conn is not None:
            self.conn.close()
            self.conn = None

    def ask(self, parts, data=None):
        """Answers to all of them as one; after an error no more are sent.
        data: what COPY asks for."""
        if self.conn is None:
            self.connect()
        out = []
        try:
            for part in parts:
                self.conn.send(part)
                if data is not None:
                    out += self.conn.recv_until("GEZ")
                    if out[-1][0] == "G":
                        self.conn.send(rawpg.copy_data(data) +
                                       rawpg.copy_done())
                    elif out[-1][0] == "Z":
                        continue
                out += self.conn.read_until_ready()
                if rawpg.sqlstates(out):
                    break
        except (rawpg.Closed, rawpg.ProtocolError, TimeoutError) as e:
            self.conn.abort()
            self.conn = None
            return Lost(e)
        return Answer(out)

    def run(self, statement):
        return self.ask(statement.messages(), statement.query.data)

    def batch(self, statements):
        """Answers to statements that are sent before the first is read."""
        if self.conn is None:
            self.connect()
        out = []
        try:
            self.conn.send(b"".join(s.messages()[0] for s in statements))
            for _ in statements:
                out.append(Answer(self.conn.read_until_ready()))
        except (rawpg.Closed, rawpg.ProtocolError, TimeoutError) as e:
            self.conn.abort()
            self.conn = None
            out += [Lost(e)] * (len(statements) - len(out))
        return out

    def route(self, statement):
        """EXPLAIN (ROUTE) as {key: value}."""
        sql = "EXPLAIN (ROUTE) " + statement.sql
        if statement.mode in ("simple", "copy"):
            answer = self.ask([query(sql)])
        else:
            answer = self.ask([
                parse("", sql, [p.oid for p in statement.params]) +
                bind("", "", [p.raw() for p in statement.params],
                     [p.form for p in statement.params]) +
                describe("P") + execute() + sync()])
        if answer.error:
            return {"error": answer.show()}
        lines = (row[0].decode().split(": ", 1) for row in answer.rows)
        return {k[0]: k[1] for k in lines if len(k) == 2}


# -- comparison --------------------------------------------------------

def compare(expected, got, statement):
    """None, or what is different."""
    if expected.error or got.error:
        if expected.error == got.error:
            return None
        return f"expected {expected.show()}, got {got.show()}"
    told = [[c if statement.query.modifiers else c[:2] for c in a.columns]
            for a in (expected, got)]
    if told[0] != told[1]:
        return f"columns: expected {told[0]}, got {told[1]}"
    if expected.tags != got.tags:
        return f"tags: expected {expected.tags}, got {got.tags}"
    rough = statement.query.rough
    if not rough:
        return compare_rows(expected.rows, got.rows, statement.query.ordered)
    return compare_rough(expected, got, statement)


def compare_rows(expected, got, ordered):
    if (expected == got) if ordered else Counter(expected) == Counter(got):
        return None
    if Counter(expected) == Counter(got):
        at = next(n for n, (a, b) in enumerate(zip(expected, got)) if a != b)
        return (f"the order: row {at} expected {expected[at]}, "
                f"got {got[at]}")
    missing = list((Counter(expected) - Counter(got)).elements())
    added = list((Counter(got) - Counter(expected)).elements())
    return (f"{len(expected)} rows expected, {len(got)} got; missing "
            f"{missing[:2]}, not expected {added[:2]}")


def number(value, binary):
    if value is None:
        return None
    return struct.unpack("!d", value)[0] if binary else float(value)


def compare_rough(expected, got, statement):
    """Sums of floats may differ by their order, other columns may not."""
    query = statement.query

    def without(rows):
        return [tuple(v for n, v in enumerate(r) if n not in query.rough)
                for r in rows]
    what = compare_rows(without(expected.rows), without(got.rows),
                        query.ordered)
    if what:
        return what

    def certain(row):
        return [(v is not None, v) for n, v in enumerate(row)
                if n not in query.rough]
    for a, b in zip(sorted(expected.rows, key=certain),
                    sorted(got.rows, key=certain)):
        for n in query.rough:
            x, y = (number(r[n], 1 in statement.formats) for r in (a, b))
            if (x is None) != (y is None) or (
                    x is not None and abs(x - y) > 1e-6 + 1e-9 * abs(x)):
                return f"column {n}: expected {x}, got {y}"
    return None
