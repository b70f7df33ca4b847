#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Sizes: what is over budget is printed, what is far over fails.

A .c over 600 lines needs a reason and over 900 is a bug; a function over 80
lines is named.  A function starts at a line with its name in column one and
ends at the next closing brace in column one.
"""

import re
import sys

import tree

FILE_NOTE = 600
FILE_MAX = 900
FUNCTION_NOTE = 80

NAME = re.compile(r"^([a-zA-Z_]\w*)\(")


def functions(lines):
    """(name, first line number, number of lines) of each function."""
    name, start = None, 0
    for number, line in enumerate(lines, 1):
        found = NAME.match(line)
        if found:
            name, start = found[1], number
        elif line.startswith("}") and name:
            yield name, start, number - start + 1
            name = None


def main():
    top = tree.root(sys.argv)
    faults = []
    for path in tree.sources(top):
        if path.suffix != ".c":
            continue
        where = path.relative_to(top)
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > FILE_MAX:
            faults.append(f"{where}: {len(lines)} lines, over {FILE_MAX}")
        elif len(lines) > FILE_NOTE:
            print(f"note: {where}: {len(lines)} lines, over {FILE_NOTE}")
        for name, start, size in functions(lines):
            if size > FUNCTION_NOTE:
                print(f"note: {where}:{start}: {name} has {size} lines, "
                      f"over {FUNCTION_NOTE}")
    tree.finish("budget", faults)


main()
