#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""pg_dump through pgsluice: the dump of the regression database is the direct
one, byte for byte, in every form in FORMS."""

import hashlib
import os
import re
import subprocess
import sys

import suites

FORMS = {"copy": [], "inserts": ["--inserts", "--rows-per-insert=100"],
         "schema": ["--schema-only", "--serializable-deferrable"],
         "parallel": ["-Fd", "-j4", "-Z0"]}


def dump(port, options, path):
    """Runs pg_dump; what is to be compared of its output."""
    r = subprocess.run(
        [os.path.join(suites.lablib.pg_bindir(), "pg_dump"), "-h", "127.0.0.1",
         "-p", str(port), "-U", "postgres", "-f", path, *options,
         "regression"], text=True, capture_output=True, check=False)
    if r.returncode or r.stderr:
        return f"status {r.returncode}\n{r.stderr}"
    digest = hashlib.sha256()
    files = [path] if os.path.isfile(path) else sorted(
        os.path.join(path, f) for f in os.listdir(path) if f != "toc.dat")
    for file in files:
        with open(file, "rb") as f:
            digest.update(os.path.basename(file).encode() + b"\0")
            for line in f:
                # Newer minor versions put a random word there.
                if not re.match(rb"\\(un)?restrict ", line):
                    digest.update(line)
    return digest.hexdigest()


def main():
    given = suites.arguments(__doc__, "session,transaction")
    suites.fetch(given.work, "postgresql")
    source = os.path.join(given.work, "postgresql", "source", "src", "test",
                          "regress")
    base = os.path.join(given.work, "postgresql")
    work = os.path.join(given.work, "dump")
    results = {}
    for name in given.columns:
        with suites.PLAIN[name].reach(work, ["regression", "postgres"]) as (
                port, pg, _):
            folder = os.path.join(work, name)
            suites.run_regress(
                "regress/pg_regress", pg.port, folder,
                [f"--inputdir={source}", f"--dlpath={base}/lib",
                 "--dbname=regression", "--max-concurrent-tests=20",
                 f"--schedule={source}/parallel_schedule"])
            results[name] = {}
            for form in given.tests or FORMS:
                out = [dump(p, FORMS[form], os.path.join(
                    suites.open_folder(folder, f"{form}{i}"), "dump"))
                    for i, p in enumerate((pg.port, port))]
                results[name][form] = "" if out[0] == out[1] else \
                    f"direct {out[0]}\nthrough pgsluice {out[1]}\n"
                print(f"{name} {form}: {out[1]}", flush=True)
    sys.exit(1 if suites.report(results, suites.Review("dump"),
                                given.accept) else 0)


if __name__ == "__main__":
    main()
