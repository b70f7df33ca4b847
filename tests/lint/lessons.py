#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""tests/lessons.md: every row is there once, and the tests it names exist; and so
do those that doc/threat-model.md names."""

import re
import sys

import tree

ROWS = [f"{kind}{n}" for kind, last in (("S", 43), ("P", 73), ("F", 45))
        for n in range(1, last + 1)]
ROW = re.compile(r"\| ([SPF]\d+) \|.*\| (.*) \|$")
TEST = re.compile(r"`([\w/]+\.(?:py|c))(?:::(\w+))?`")
SCRIPTS = re.compile(r"diff: (P\d+)")
CHAOS = re.compile(r"chaos: (F\d+)")


def text_of(top, name):
    """The file a test is in, or None."""
    path = top / "tests" / ("e2e/" if name.endswith(".py") else "") / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def test_faults(top, name, function):
    text = text_of(top, name)
    if text is None:
        return [f"no file {name}"]
    start = "def " if name.endswith(".py") else ""
    if function and not re.search(rf"^{start}{function}\(", text, re.M):
        return [f"no {function} in {name}"]
    if function is None and name.endswith(".py"):
        return [f"{name} without a test"]
    return []


def row_faults(top, tests):
    named = TEST.findall(tests)
    scripts = SCRIPTS.findall(tests)
    chaos = CHAOS.findall(tests)
    if not named and not scripts and not chaos and \
            not re.match(r"none: \w", tests):
        yield "neither a test nor a reason"
    for name, function in named:
        yield from test_faults(top, name, function or None)
    for number in scripts:
        path = top / "tests/diff/scripts.py"
        if f'"{number} ' not in path.read_text(encoding="utf-8"):
            yield f"no script {number}"


def chaos_faults(top, rows):
    """Every row of the faults is played by tests/chaos, and says so."""
    played = {row for path in (top / "tests/chaos").glob("*_faults.py")
              for row in re.findall(r'^(?:@fault\(|    \()"(F\d+)"',
                                    path.read_text(encoding="utf-8"), re.M)}
    for row in sorted(played ^ rows):
        yield f"{row}: is " + ("played by tests/chaos, and does not say so"
                               if row in played else
                               "not played by tests/chaos")


def model_faults(top):
    page = top / "doc/threat-model.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    for name, function in TEST.findall(text):
        for fault in test_faults(top, name, function or None):
            yield f"{page.relative_to(top)}: {fault}"


def check(top):
    seen, chaos = [], set()
    page = top / "tests/lessons.md"
    for line in page.read_text(encoding="utf-8").splitlines():
        found = ROW.match(line)
        if found:
            seen.append(found[1])
            chaos |= set(CHAOS.findall(found[2]))
            for fault in row_faults(top, found[2]):
                yield f"{found[1]}: {fault}"
    for row in ROWS:
        if seen.count(row) != 1:
            yield f"{row}: is there {seen.count(row)} times"
    for row in seen:
        if row not in ROWS:
            yield f"{row}: there is no such row"
    yield from chaos_faults(top, chaos)
    yield from model_faults(top)


def main():
    tree.finish("lessons", list(check(tree.root(sys.argv))))


main()
