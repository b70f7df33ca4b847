# SPDX-License-Identifier: PostgreSQL
"""Tests of node-postgres' packages, by mocha, with the packages and without the
files that drivers.pins names."""

import json
import os

from driver import results, sources


def build(folder, _, *words):
    packages = [w for w in words if not w.startswith("-")]
    for word in set(words) - set(packages):
        os.remove(os.path.join(folder, word[1:]))
    # What they would fetch besides is for their authors.
    sources.call("npm", "pkg", "delete", "devDependencies",
                 "peerDependencies", cwd=folder)
    sources.call("npm", "install", "--no-save", "--no-audit", "--no-fund",
                 "--ignore-scripts", *packages, cwd=folder)


def run(folder, port, out):
    report = os.path.join(out, "tests.json")
    results.log_of(
        ["node_modules/.bin/mocha", "--no-opts", "--exit", "--timeout",
         "20000", "--reporter", "json", "--recursive", "test"], report,
        cwd=folder, env=results.environment(port, PGPASSWORD="any"))
    with open(report) as f:
        text = f.read()
    # Some tests print.
    found = json.loads(text[text.index('{\n  "stats"'):])
    failed = {t["fullTitle"] for t in found["failures"]}
    pending = {t["fullTitle"] for t in found["pending"]}
    return {t["fullTitle"].replace(" ", "_"): t["fullTitle"] not in failed
            for t in found["tests"] if t["fullTitle"] not in pending}
