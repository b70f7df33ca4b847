#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""PostgreSQL's own regression tests through pgsluice; see README.md.

Without TESTs the whole schedule is run; a TEST needs what its forerunners in
the schedule leave, so test_setup is run before it.
"""

import difflib
import os
import re
import sys

import suites

# Tables of test_setup, which many tests read.  All but those of HIDDEN are
# routed: a test makes a temporary table of such a name.
SHARED = ["char_tbl", "float8_tbl", "int2_tbl", "int4_tbl", "int8_tbl",
          "point_tbl", "text_tbl", "varchar_tbl", "onek", "onek2", "tenk1",
          "tenk2", "person", "emp", "student", "stud_emp"]
HIDDEN = {"char_tbl", "float8_tbl", "point_tbl", "varchar_tbl"}
# What changes with another table (foreign key, rule, trigger, view, child):
# declared as doc/cache.md asks for.
DEPENDENT = [
    ("base_tbl", *(f"rw_view{n}" for n in range(1, 20))),
    ("pktable", "fktable"), ("insertconflict", "insertconflictv"),
    ("cities", "capitals"), ("gtestp", "gtestc"), ("rtest_emp", "rtest_emplog"),
    ("rtest_t1", "rtest_v1"), ("clstr_tst", "clstr_tst_inh"),
    ("rtest_system", "rtest_interface", "rtest_person", "rtest_admin"),
    ("trunc_trigger_test", "trunc_trigger_log"),
    ("rtest_t4", "rtest_t5", "rtest_t6", "rtest_t7", "rtest_t8", "rtest_t9"),
]
# In transaction pooling these ask for what the server process at hand knows,
# whoever made it know it; and which process that is, is chance.
AT_HAND = {
    "prepare": re.compile(r"FROM pg_prepared_statements"),
    "guc": re.compile(r"FROM pg_prepared_statements"),
    "stats": re.compile(
        r"pg_stat(io)?_user_(tables|functions)|sessions >|"
        r"pg_stat_get_(function_calls|live_tuples|(xact_)?tuples_inserted)"),
}
RULE = re.compile(r"-+(\+-+)*")
COUNT = re.compile(r"\(\d+ rows?\)")
TABLE = re.compile(r"create\s+(?:temp\s+|temporary\s+|unlogged\s+|foreign\s+)*"
                   r"(?:table|view|materialized\s+view)\s+"
                   r"(?:if\s+not\s+exists\s+)?([a-z_][a-z0-9_.]*)", re.I)


def rule(title, tables):
    names = ", ".join(f'"{n}"' for n in tables)
    return (f'cache "{title}" {{ tables = {{{names}}} ttl = {suites.TTL} '
            'allow_stable = true }')


def tables_of(source):
    """Names of all tables and views that the tests make."""
    names = dict.fromkeys(SHARED)
    folder = os.path.join(source, "sql")
    for file in sorted(os.listdir(folder)):
        with open(os.path.join(folder, file), errors="replace") as f:
            names.update(dict.fromkeys(
                n.lower() for n in TABLE.findall(f.read())))
    return names


def routes(tables):
    return [f'table "{name}" {{ variant "plain" {{ kind = "plain" '
            f'backend = "regression" relation = "public.{name}" }} }}'
            for name in tables]


def cache_everything(source):
    """Routes for shared tables; rules for every table that a test makes, each
    alone, and for any join of the shared ones."""
    lines = routes(n for n in SHARED if n not in HIDDEN)
    lines += [rule(f"{group[0]} and its like", group) for group in DEPENDENT]
    lines += [rule(name, [name]) for name in tables_of(source)]
    lines.append(rule("joins", SHARED))
    return "\n".join(lines) + "\n"


def blank(text, pattern):
    """Output of psql without the tables that statements like this gave."""
    lines, out, start = text.split("\n"), [], 0
    i = 0
    while i < len(lines):
        statement = "\n".join(out[start:]).rstrip().rstrip(";")
        if i + 1 < len(lines) and RULE.fullmatch(lines[i + 1]) and \
                pattern.search(statement.rsplit(";", 1)[-1]):
            while not COUNT.fullmatch(lines[i]):
                i += 1
            out.append("(what the server at hand knows)")
        else:
            out.append(lines[i])
        if out[-1] == "":
            start = len(out)
        i += 1
    return "\n".join(out)


def blank_at_hand(results, source, out):
    """The differences of such tests anew."""
    for test in AT_HAND.keys() & results.keys():
        texts = []
        for folder in (os.path.join(source, "expected"),
                       os.path.join(out, "results")):
            with open(os.path.join(folder, test + ".out"),
                      errors="backslashreplace") as f:
                texts.append(f.read())
        texts[1] = blank(texts[1], AT_HAND[test])
        lines = difflib.unified_diff(
            *(t.splitlines(keepends=True) for t in texts))
        results[test] = "".join(list(lines)[2:])


def counters(sluice):
    """What shows that a column was what it says."""
    values = sluice.metrics()

    def of(name):
        return int(sum(v for k, v in values.items()
                       if k.split("{")[0] == f"pgsluice_{name}_total"))
    bypass = {k.split('"')[1]: int(v) for k, v in values.items()
              if k.startswith("pgsluice_cache_bypass_total") and v}
    return (f"{of('queries')} statements, {of('pins')} pins, "
            f"{of('cache_hits_l1')} hits, {of('cache_misses')} misses; "
            "bypass " + ", ".join(
                f"{n} {reason}" for reason, n in
                sorted(bypass.items(), key=lambda kv: -kv[1])))


def main():
    given = suites.arguments(__doc__, "direct,session,transaction,cached")
    work = given.work
    suites.fetch(work, "postgresql")
    base = os.path.join(work, "postgresql")
    source = os.path.join(base, "source", "src", "test", "regress")
    columns = {**suites.PLAIN, "cached": suites.Column(
        "cached", "transaction", cache_everything(source))}
    arguments = [f"--inputdir={source}", f"--dlpath={base}/lib",
                 "--dbname=regression", "--max-concurrent-tests=20"]
    # Tests beside one another would end all cached results with their DDL.
    alone = {"cached": ["--max-connections=1"]}
    arguments += ["test_setup", *given.tests] if given.tests else \
        [f"--schedule={source}/parallel_schedule"]
    results = {}
    for name in given.columns:
        folder = os.path.join(work, "regress")
        with columns[name].reach(folder, ["regression", "postgres"]) as (
                port, _, sluice):
            results[name] = suites.run_regress(
                "regress/pg_regress", port, os.path.join(folder, name),
                arguments + alone.get(name, []))
            if columns[name].mode == "transaction":
                blank_at_hand(results[name], source,
                              os.path.join(folder, name, "output"))
            if sluice:
                print(f"{name}: {counters(sluice)}", flush=True)
    sys.exit(1 if suites.report(results, suites.Review("regress"),
                                given.accept) else 0)


if __name__ == "__main__":
    main()
