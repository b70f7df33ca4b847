#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The SELECTs of PostgreSQL's regression tests as answered from the cache.

The tests run directly.  Then every SELECT of their files that may be cached is
asked in the database that they leave: directly, PASSES times through pgsluice,
directly again.  All answers have to be the same bytes, and from the second
pass on they have to be hits; those that differ directly, too, say nothing.
TESTs are files of the regression tests.
"""

import os
import re
import struct
import sys

import suites
import wire
from regress import SHARED, routes, rule

DATABASE = "regression"
PASSES = 3
MORE = 'cache_memory = 1GB\ncache_max_object = 64MB\n'

# What may hold a semicolon that ends nothing; a backslash command goes to the
# end of its line and ends what is before it.
TOKEN = re.compile(
    r"""(?P<skip> --[^\n]* | [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*'
            | "(?:[^"]|"")*" | /\*.*?\*/ | (\$\w*\$).*?\2 )
      | (?P<command> \\[^\n]*) | (?P<end> ;) | (?P<open> [(]) | (?P<close> [)])
    """, re.X | re.S)
DATA = re.compile(r"copy\b.*\bfrom\s+stdin", re.I | re.S)
SELECT = re.compile(r"(?:--[^\n]*\n|\s|[(])*(?:select|with|values|table)\b",
                    re.I)
VARIABLE = re.compile(r"(?<![:\w]):['\"]?[a-z_]", re.I)


def statements(text):
    """The single statements of a file for psql, without what psql does."""
    start = pos = depth = 0
    while token := TOKEN.search(text, pos):
        pos, kind = token.end(), token.lastgroup
        depth += (kind == "open") - (kind == "close")
        if kind == "command":
            start, depth = pos, 0
        elif kind == "end" and depth <= 0:
            statement, start, depth = text[start:pos - 1].strip(), pos, 0
            if DATA.match(statement):
                start = pos = end_of_data(text, pos)
            elif not VARIABLE.search(statement):
                yield statement


def end_of_data(text, pos):
    end = text.find("\n\\.", pos)
    return len(text) if end < 0 else end + 3


def selects(folder, tests):
    """{SELECT: the first file that has it}"""
    found = {}
    for file in sorted(os.listdir(folder)):
        test = file.removesuffix(".sql")
        if test == file or tests and test not in tests:
            continue
        with open(os.path.join(folder, file), errors="replace") as f:
            for statement in statements(f.read()):
                if SELECT.match(statement):
                    found.setdefault(statement, test)
    return found


# -- forms of a question ------------------------------------------------------

def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


def extended(result_format):
    def form(sql):
        return (message(b"P", b"\0" + sql.encode() + b"\0\0\0") +
                message(b"B", struct.pack("!2x3H", 0, 0, 1) +
                        struct.pack("!H", result_format)) +
                message(b"D", b"P\0") + message(b"E", b"\0" + bytes(4)) +
                message(b"S", b""))
    return form


FORMS = {"simple": wire.Wire.query_message, "text": extended(0),
         "binary": extended(1)}


def ask_all(port, questions):
    """{question: answer in bytes} of [(statement, form)]"""
    with wire.Wire("127.0.0.1", port, DATABASE, "postgres") as conn:
        return {(sql, form): conn.ask(FORMS[form](sql))[1].data
                for sql, form in questions}


# -- rules --------------------------------------------------------------------

def explain(port, found):
    """{SELECT: lines of EXPLAIN (ROUTE)}, none for what it cannot read"""
    out = {}
    with wire.Wire("127.0.0.1", port, DATABASE, "postgres") as conn:
        for sql in found:
            answer = conn.ask(conn.query_message("EXPLAIN (ROUTE) " + sql))[1]
            failed = any(kind == b"E" for kind, _ in answer.messages)
            out[sql] = [] if failed else \
                [row[0].decode().strip() for row in answer.rows]
    return out


def rules(explained):
    """One for every set of tables that a SELECT reads."""
    sets = {}
    for lines in explained.values():
        for line in lines:
            if line.startswith("tables: "):
                names = re.sub(r" \([^)]*\)", "", line.removeprefix("tables: "))
                sets[tuple(sorted(set(names.split(", "))))] = None
    return "\n".join(rule(str(number), names)
                     for number, names in enumerate(sets) if len(names) <= 16)


# -- the comparison -----------------------------------------------------------

def replay(cacheable, direct, port, sluice):
    """({file: its differences, "hits": ...}, what was counted)"""
    questions = [(sql, form) for sql in cacheable for form in FORMS]
    before = ask_all(direct, questions)
    passes, hits = [], []
    for _ in range(PASSES):
        start = sluice.metric("pgsluice_cache_hits_l1_total")
        passes.append(ask_all(port, questions))
        hits.append(int(sluice.metric("pgsluice_cache_hits_l1_total") - start))
    after = ask_all(direct, questions)
    firm = [q for q in questions if before[q] == after[q]]
    rows = sum(not {b"E", b"N"} & {k for k, _ in wire.messages(before[q])}
               for q in questions)
    found = dict.fromkeys(cacheable.values(), "")
    for sql, form in firm:
        for number, answers in enumerate(passes, 1):
            if answers[sql, form] != before[sql, form]:
                found[cacheable[sql]] += (
                    f"{form}, pass {number}: {sql}\n"
                    f"directly {before[sql, form]}\n"
                    f"through pgsluice {answers[sql, form]}\n")
    wanted = [rows] * (PASSES - 1)
    found["hits"] = "" if hits[1:] == wanted and rows else \
        f"{hits[1:]} hits after the first pass, wanted {wanted}\n"
    return found, (
        f"{len(cacheable)} SELECTs, {len(questions)} questions, "
        f"{rows} with rows, {len(questions) - len(firm)} differ directly; "
        f"hits in each pass: {hits}")


def main():
    given = suites.arguments(__doc__, "transaction")
    suites.fetch(given.work, "postgresql")
    base = os.path.join(given.work, "postgresql")
    source = os.path.join(base, "source", "src", "test", "regress")
    found = selects(os.path.join(source, "sql"), given.tests)
    results = {}
    for name in given.columns:
        work = os.path.join(given.work, "replay")
        column = suites.Column(name, name, "\n".join([MORE, *routes(SHARED)]))
        with column.reach(work, [DATABASE, "postgres"]) as (port, pg, sluice):
            suites.run_regress(
                "regress/pg_regress", pg.port, os.path.join(work, name),
                [f"--inputdir={source}", f"--dlpath={base}/lib",
                 f"--dbname={DATABASE}", "--max-concurrent-tests=20",
                 f"--schedule={source}/parallel_schedule"])
            with open(sluice.conf) as f:
                conf = f.read()
            sluice.write_conf(conf + rules(explain(port, found)))
            sluice.stop()
            sluice.start()
            explained = explain(port, found)
            results[name], counted = replay(
                {sql: test for sql, test in found.items() if any(
                    line.startswith("cache: cacheable")
                    for line in explained[sql])}, pg.port, port, sluice)
            print(f"{name}: {len(found)} SELECTs in files; {counted}",
                  flush=True)
            for test, difference in results[name].items():
                if difference:
                    print(f"-- {test}\n{difference}")
    sys.exit(1 if suites.report(results, suites.Review("replay"),
                                given.accept) else 0)


if __name__ == "__main__":
    main()
