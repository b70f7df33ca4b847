# SPDX-License-Identifier: PostgreSQL
"""The open-loop generator paced.c, compiled into the work folder and run."""

import os
import shlex
import subprocess

import lab as lablib

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "..", "tests", "bench")


def compiler():
    return shlex.split(os.environ.get("CC", "")) or ["cc"]


def build(work):
    path = os.path.join(work, "paced")
    r = subprocess.run([*compiler(), "-O2", "-I", BENCH, "-o",
                        path, os.path.join(HERE, "paced.c")],
                       capture_output=True, text=True, check=False)
    if r.returncode:
        raise lablib.LabError(f"paced.c: {r.stderr}")
    return path


def run(program, port, db, statements, rate, clients, seconds, warm=1.0):
    """statements: (class, SQL) pairs; {class: {name: value}}, times in ms."""
    path = program + ".sql"
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f"{name}\t{sql}\n" for name, sql in statements)
    r = subprocess.run(
        [program, "-p", str(port), "-d", db, "-u", "app", "-f", path, "-c",
         str(clients), "-r", str(rate), "-t", str(seconds), "-w", str(warm)],
        capture_output=True, text=True, check=False)
    if r.returncode not in (0, 3):
        raise lablib.LabError(f"paced: {r.stderr.strip()}")
    found = {}
    for line in r.stdout.splitlines():
        row = dict(word.split("=") for word in line.split())
        name = row.pop("class")
        found[name] = {k: float(v) / (1 if k in ("queries", "errors", "tps")
                                      else 1000) for k, v in row.items()}
    return found
