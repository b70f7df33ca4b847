# SPDX-License-Identifier: PostgreSQL
"""What the lint scripts share: the source tree and how to end."""

import pathlib
import sys

# Folders of src in the order of the layers (doc/architecture.md).
FOLDERS = ["base", "conf", "stats", "run", "net", "pgwire", "sql", "auth",
           "experiment", "route", "cache", "backend", "layout", "feed",
           "import", "session", "admin", "ctl", "tbl"]


def root(argv):
    """The tree to look at: the first argument, or the one this file is in."""
    paths = [a for a in argv[1:] if not a.startswith("-")]
    if paths:
        return pathlib.Path(paths[0])
    return pathlib.Path(__file__).resolve().parent.parent.parent


def sources(top):
    """Every .c and .h under src, sorted."""
    return sorted(p for p in (top / "src").rglob("*")
                  if p.suffix in (".c", ".h"))


def finish(name, faults):
    """Print the faults and leave with the matching status."""
    for fault in faults:
        print(f"{name}: {fault}")
    if not faults:
        print(f"{name}: ok")
    sys.exit(1 if faults else 0)
