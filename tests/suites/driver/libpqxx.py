# SPDX-License-Identifier: PostgreSQL
"""libpqxx's tests: its two test programs, built as its source says."""

import glob
import os
import re

from driver import results, sources

STEP = re.compile(r"^(Running|FAILED): (.+)$", re.M)


def build(folder, _):
    sources.call("./configure", "-q", "--disable-documentation",
                 "CXXFLAGS=-O0 -std=c++11", cwd=folder)
    sources.call("make", "-s", cwd=folder)
    sources.call("make", "-s", "-C", "test", "check", "TESTS=", cwd=folder)


def run(folder, port, out):
    found = {}
    for program in sorted(glob.glob(os.path.join(folder, "test", "**",
                                                 "runner"), recursive=True)):
        log = os.path.join(out, f"tests{len(found)}.log")
        results.log_of([program], log, cwd=os.path.dirname(program),
                       env=results.environment(port))
        with open(log, errors="replace") as f:
            for word, test in STEP.findall(f.read()):
                found[test.replace(" ", "_")] = word == "Running"
    return found
