#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Fuzzes what reads the bytes of others, and prints what was found.

    tests/fuzz/run.py [--seconds N] [--jobs N] [--work FOLDER] [TARGET...]

Builds the targets with clang, libFuzzer, ASan and UBSan in the work folder, runs
each for so many seconds, by default all of them for an hour, and prints
executions, edges reached and findings.  It begins with the target's corpus and
what earlier runs left in the work folder.  Status 1: something was found; its
input lies in FOLDER/finds, and replay_TARGET FILE shows it again.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MEMORY = 2048   # MB, and the longest that one input may take, in s
PATIENCE = 10
EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
EDGES = re.compile(r"cov: (\d+)")


def targets():
    return sorted(os.path.basename(p)[len("fuzz_"):-len(".c")]
                  for p in glob.glob(os.path.join(HERE, "fuzz_*.c")))


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--seconds", type=int, default=3600)
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--work", default=os.path.join(
        os.environ.get("TMPDIR", "/tmp"), "pgsluice-fuzz"))
    p.add_argument("target", nargs="*", choices=[[], *targets()], default=[])
    return p.parse_args()


def build(work):
    """Status of make; out of the tree, so that others may build it, too."""
    where = os.path.join(work, "build")
    os.makedirs(where, exist_ok=True)
    steps = [["make", "-s", f"-j{os.cpu_count()}", "check_PROGRAMS="]]
    if not os.path.exists(os.path.join(TOP, "configure")):
        subprocess.run([os.path.join(TOP, "autogen.sh")], cwd=TOP, check=True,
                       stdout=subprocess.DEVNULL)
    if not os.path.exists(os.path.join(where, "Makefile")):
        steps.insert(0, [os.path.join(TOP, "configure"), "CC=clang",
                         "--enable-fuzzing", "--enable-sanitizers",
                         "CFLAGS=-O1 -g"])
    for step in steps:
        subprocess.run(step, cwd=where, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(where, "tests", "fuzz")


def fuzz(programs, work, name, seconds):
    """(name, executions, edges reached, findings)"""
    grown, finds = (os.path.join(work, d, name) for d in ("corpus", "finds"))
    for folder in (grown, finds):
        os.makedirs(folder, exist_ok=True)
    r = subprocess.run(
        [os.path.join(programs, f"fuzz_{name}"), grown,
         os.path.join(HERE, "corpus", name), f"-max_total_time={seconds}",
         f"-timeout={PATIENCE}", f"-rss_limit_mb={MEMORY}",
         f"-artifact_prefix={finds}/", "-print_final_stats=1"],
        capture_output=True, text=True, errors="replace", check=False)
    with open(os.path.join(work, f"{name}.log"), "w", encoding="utf-8") as f:
        f.write(r.stderr)

    def last(pattern):
        found = pattern.findall(r.stderr)
        return int(found[-1]) if found else 0
    if r.returncode and not os.listdir(finds):
        sys.exit(f"{name} did not run:\n{r.stderr[-2000:]}")
    return name, last(EXECUTIONS), last(EDGES), len(os.listdir(finds))


def main():
    args = arguments()
    os.makedirs(args.work, exist_ok=True)
    try:
        programs = build(args.work)
    except (OSError, subprocess.CalledProcessError) as e:
        sys.exit(f"the targets were not built: {e}")
    print(f"{'target':10} {'executions':>13} {'a second':>10} "
          f"{'edges':>7} {'finds':>6}")
    found = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, executions, edges, finds in pool.map(
                lambda n: fuzz(programs, args.work, n, args.seconds),
                args.target or targets()):
            found += finds
            print(f"{name:10} {executions:13,} "
                  f"{executions // max(1, args.seconds):10,} {edges:7,} "
                  f"{finds:6}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
