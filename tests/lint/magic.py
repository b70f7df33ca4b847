#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Struct magics are unique over the tree and written one way.

    #define FOO_MAGIC 0x12345678u
"""

import re
import sys

import tree

DEFINE = re.compile(r"^\s*#\s*define\s+(\w+_MAGIC)\s+(.*?)\s*(?:/\*.*)?$")
VALUE = re.compile(r"0x[0-9a-fA-F]{8}[uU]$")


def check(top):
    names, values = {}, {}
    for path in tree.sources(top):
        text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            found = DEFINE.match(line)
            if not found:
                continue
            where = f"{path.relative_to(top)}:{number}"
            name, value = found[1], found[2]
            if not VALUE.match(value):
                yield f"{where}: {name} is not 0x and eight digits and u"
                continue
            value = value.lower()
            if name in names:
                yield f"{where}: {name} is also at {names[name]}"
            if value in values:
                yield f"{where}: {name} equals the magic at {values[value]}"
            names[name] = where
            values[value] = where


def main():
    tree.finish("magic", list(check(tree.root(sys.argv))))


main()
