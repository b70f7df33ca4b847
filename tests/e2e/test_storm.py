# SPDX-License-Identifier: PostgreSQL
"""Every statement asks for a token of its own, one by one, in transactions and
in pipelines, while clients are cut off, statements cancelled and servers
terminated: no wrong answer, nobody left hanging, nothing lost but what was
under way where somebody cut.

PGSLUICE_STORM sets the number of statements, 20,000 by default; the full run
is 1,000,000.  Faults grow with it: 200 clients cut and servers terminated and
10,000 cancels at full size.
"""

import glob
import json
import os
import subprocess

import pytest

from harness import HERE
from stormfake import FakeProxy

SIZE = int(os.environ.get("PGSLUICE_STORM", "20000"))
FAULTS = max(20, min(200, SIZE // 1000))
CANCELS = SIZE // 100

CONF = """
auth = "trust"
pool_size = 4
query_wait_timeout = "30s"
server_login_retry = "50ms"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
cache "rows" { tables = {"storm"} ttl = "1s" l2 = false }
"""

pytestmark = pytest.mark.storm


@pytest.fixture(scope="session")
def storm(lab):
    """The C program, made with the compiler that made the daemon."""
    out = os.path.join(lab.work, "storm.bin")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-std=gnu11",
                    "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", out,
                    *glob.glob(os.path.join(HERE, "storm", "*.c"))],
                   check=True, timeout=120)

    def run(*args, timeout=60 + SIZE // 500):
        r = subprocess.run([out, *map(str, args)], capture_output=True,
                           text=True, timeout=timeout, check=False)
        assert r.stdout, r.stderr
        return json.loads(r.stdout), r.stderr
    return run


@pytest.mark.timeout(120 + SIZE // 400)
def test_storm(pg, db, pgsluice, storm):
    pg.psql("SET ROLE app; CREATE TABLE storm AS SELECT n AS id, 'row ' || n "
            "AS token FROM generate_series(1, 1000) n; "
            "ALTER TABLE storm ADD PRIMARY KEY (id)", db)
    sluice = pgsluice(CONF)
    found, errors = storm(
        "-p", sluice.port, "-d", "app", "-u", "app", "-c", 64, "-n", SIZE,
        "-k", FAULTS, "-s", FAULTS, "-C", CANCELS, "-P", pg.port, "-D", db,
        "-x")
    print(json.dumps(found))
    assert found["wrong"] == 0, errors
    assert found["hung"] == 0, errors
    assert found["asked"] == SIZE
    assert SIZE == sum(found[end] for end in (
        "answered", "errors", "skipped", "lost"))
    assert found["answered"] + found["skipped"] >= 0.95 * SIZE, found
    # It was a storm.
    assert found["cut"] >= FAULTS and found["killed"] >= FAULTS
    assert found["overlapped"] >= SIZE // 20
    assert found["cancelled"] >= CANCELS // 10
    assert sluice.count("waits") >= SIZE // 100
    assert sluice.count("cache_hits_l1") > 0
    # And it is over: nothing stuck, nothing open.
    assert len(pg.pids(datname=db, usename="app")) <= 4
    assert not pg.pids(datname=db, state="idle in transaction")
    assert sluice.query("SELECT 'calm'") == [("calm",)]


@pytest.fixture
def fake(request):
    proxy = FakeProxy(request.param)
    yield proxy
    proxy.close()


def storm_of_fakes(storm, proxy):
    return storm("-p", proxy.port, "-c", 16, "-n", 4000, "-C", 100, "-x",
                 "-k", 20, "-t", 5)


@pytest.mark.parametrize("fake", [None], indirect=True)
def test_the_storm_program_has_nothing_against_right_answers(storm, fake):
    found, errors = storm_of_fakes(storm, fake)
    assert (found["wrong"], found["hung"]) == (0, 0), errors
    assert found["cancelled"] > 0


@pytest.mark.parametrize("fake,said", [
    ("swap", "another's row"), ("drop", "not owed"), ("behind", "not owed"),
    ("stray", "not owed"), ("status", "transaction status"),
    ("another", "another's row"), ("cancel", "error without a cause"),
    ("close", "closed without a cause"), ("lost", "struck by 0 faults")],
    indirect=["fake"])
def test_the_storm_program_can_tell(storm, fake, said):
    """Of each thing that a pooler can do wrong it has to say so."""
    found, errors = storm_of_fakes(storm, fake)
    assert found["wrong"] > 0 and said in errors, found
