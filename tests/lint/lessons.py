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
    if not named and not scripts and not re.match(r"none: \w", tests):
        yield "neither a test nor a reason"
    for name, function in named:
        yield from test_faults(top, name, function or None)
    for number in scripts:
        path = top / "tests/diff/scripts.py"
        if f'"{number} ' not in path.read_text(encoding="utf-8"):
            yield f"no script {number}"


def model_faults(top):
    page = top / "doc/threat-model.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    for name, function in TEST.findall(text):
        for fault in test_faults(top, name, function or None):
            yield f"{page.relative_to(top)}: {fault}"


def check(top):
    seen = []
    page = top / "tests/lessons.md"
    for line in page.read_text(encoding="utf-8").splitlines():
        found = ROW.match(line)
        if found:
            seen.append(found[1])
            for fault in row_faults(top, found[2]):
                yield f"{found[1]}: {fault}"
    for row in ROWS:
        if seen.count(row) != 1:
            yield f"{row}: is there {seen.count(row)} times"
    for row in seen:
        if row not in ROWS:
            yield f"{row}: there is no such row"
    yield from model_faults(top)


def main():
    tree.finish("lessons", list(check(tree.root(sys.argv))))


main()
