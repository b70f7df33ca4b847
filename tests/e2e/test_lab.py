# SPDX-License-Identifier: PostgreSQL
"""What the lab's programs say before anything runs: help, and what is missing."""

import os
import subprocess

import pytest

from harness import TOP, binary

PROGRAMS = ["blog/run.py", "cluster/run.py", "events/load.py", "events/run.py",
            "modelbench/run.py", "user/run.py"]


def start(program, *words, cwd="/", **environment):
    return subprocess.run(
        ["/usr/bin/python3", os.path.join(TOP, "contrib", "lab", program),
         *words], text=True, capture_output=True, timeout=60, cwd=cwd,
        env={**os.environ, "PGSLUICE_BIN": binary(), **environment},
        check=False)


def refused(said, program, *texts):
    """Status 2 and a line of the program's own, at once."""
    assert (said.returncode, said.stdout) == (2, "")
    line = said.stderr.splitlines()[-1]
    assert line.startswith(f"{os.path.basename(program)}: ")
    for text in texts:
        assert text in line
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_missing(program, tmp_path):
    said = start(program, "--help")
    assert said.returncode == 0 and not said.stderr
    assert "--bin PATH" in said.stdout
    # An experiment's page is of those that have one.
    assert ("--report" in said.stdout) == (program in (
        "cluster/run.py", "user/run.py"))
    refused(start(program, "--bin", "/none"), program, "no program /none",
            "--bin PATH")
    refused(start(program, PGSLUICE_BIN=TOP), program, f"no program {TOP}")
    refused(start(program, PG_BINDIR="/none"), program, "PG_BINDIR is /none",
            "no initdb")
    refused(start(program, "--rounds", "0"), program, "--rounds",
            "positive int")
    # A Python that has no driver.
    with open(tmp_path / "psycopg.py", "w", encoding="utf-8") as f:
        f.write("raise ImportError('none here')\n")
    refused(start(program, PYTHONPATH=str(tmp_path)), program,
            "no module psycopg: none here", "contrib/deps.sh lab")


@pytest.mark.parametrize("program", [p for p in PROGRAMS
                                     if p != "events/load.py"])
def test_what_cannot_be_written(program):
    refused(start(program, "--json", "/none/found.json"), program,
            "/none/found.json cannot be written: No such file")
    refused(start(program, "--work", "/proc/none"), program,
            "/proc/none cannot be made")
    refused(start(program, "--scale", "0"), program, "--scale",
            "positive float")


def test_a_compiler_that_is_missing():
    refused(start("blog/run.py", CC="none -O1"), "blog/run.py",
            "program none not found")
