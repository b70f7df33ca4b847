#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Include lines point downward only.

A file includes its own folder and folders of lower layers.  The folders of
layer 1 are one family and may include each other; folders of any other layer
do not know their siblings.  src/tbl holds tables without a layer of their
own.  Some libraries have one folder that may know them.
"""

import re
import sys

import tree

LAYERS = {
    "base": 0,
    "conf": 1, "stats": 1, "run": 1,
    "net": 2, "pgwire": 2, "sql": 2,
    "auth": 3, "route": 3, "cache": 3, "backend": 3, "experiment": 3,
    "layout": 3,
    "feed": 4, "import": 4,
    "session": 5,
    "admin": 6,
    "ctl": 7,
}
TOP_LAYER = 8
TOP_FILES = {"main.c", "pgsluicectl.c", "systemd.c", "systemd.h"}
FREE = "tbl"
FAMILY = 1

# Header prefix -> folders that may include it ("" is src itself).
LIBRARIES = [
    ("pg_query", {"sql"}),
    ("protobuf-c/", {"sql"}),
    ("libpq-fe.h", {"auth", "backend", "conf", "ctl", "feed", "layout"}),
    ("libpq/", {"backend"}),
    ("hiredis", {"cache"}),
    ("stringprep.h", {"auth"}),
    ("confuse.h", {"conf"}),
    ("systemd/", {""}),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(folder):
    return TOP_LAYER if folder == "" else LAYERS.get(folder)


def check_project(folder, target):
    """Fault text for #include "target" in a file of folder, or None."""
    if "/" not in target:
        if folder == "" and target in TOP_FILES:
            return None
        return f'"{target}": include lines carry the folder'
    other = target.split("/", 1)[0]
    if other == FREE or other == folder:
        return None
    if other not in LAYERS:
        return f'"{target}": no such folder in the layer table'
    if folder == FREE:
        return f'"{target}": tables include nothing'
    mine, theirs = layer_of(folder), LAYERS[other]
    if theirs < mine or (theirs == mine == FAMILY):
        return None
    if theirs == mine:
        return f'"{target}": {folder} and {other} are siblings'
    return (f'"{target}": upward, from layer {mine} ({folder or "src"}) '
            f'to layer {theirs} ({other})')


def check_system(folder, target):
    for prefix, allowed in LIBRARIES:
        if target.startswith(prefix) and folder not in allowed:
            where = ", ".join(sorted(a or "src/systemd.c" for a in allowed))
            return f"<{target}>: only for {where}"
    return None


def check_file(top, path):
    where = path.relative_to(top / "src")
    folder = where.parts[0] if len(where.parts) > 1 else ""
    if folder == "" and where.name not in TOP_FILES:
        yield f"src/{where}: does not belong in src itself"
    if folder != "" and folder != FREE and folder not in LAYERS:
        yield f"src/{where}: folder {folder} is not in the layer table"
        return
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        check = check_project if found[1] == '"' else check_system
        fault = check(folder, found[2])
        if fault:
            yield f"src/{where}:{number}: {fault}"


def main():
    top = tree.root(sys.argv)
    tree.finish("layers", [fault for path in tree.sources(top)
                           for fault in check_file(top, path)])


main()
