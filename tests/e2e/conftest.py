# SPDX-License-Identifier: PostgreSQL
"""Fixtures of the end-to-end tests: real PostgreSQL, real Redis, the daemon.

Each pytest process (so each xdist worker) has a lab of its own: folder, ports,
cluster, Redis.  PGSLUICE_BIN names the daemon, by default the one that `make`
leaves in the top folder.  A pgsluice that a test started has to end with
status 0 and without a sanitizer's report, or the test fails.
"""

import itertools
import os
import shutil
import subprocess
import tempfile

import pytest

pytest.register_assert_rewrite("harness")

from harness import (DEFAULT_CONF, ROLES, Cluster, Sluice, binary,
                     fill, lablib, private_file, sanitizer_options)  # noqa

_serial = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "storm: many statements; the size is "
                            "set by PGSLUICE_STORM")
    if not os.access(binary(), os.X_OK):
        pytest.exit(f"no daemon at {binary()}: run make, or set PGSLUICE_BIN",
                    returncode=2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows the tail of every daemon's log."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for sluice in getattr(item, "sluices", []):
            report.sections.append((f"log of {sluice.name}",
                                    sluice.tail(60)))


# -- servers ------------------------------------------------------------------

@pytest.fixture(scope="session")
def lab():
    work = tempfile.mkdtemp(prefix="pgs-e2e.", dir="/tmp")
    with lablib.Lab(work) as made:
        yield made
    shutil.rmtree(work, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_pg(lab):
    return Cluster(lab).start()


@pytest.fixture
def pg(shared_pg):
    """The worker's PostgreSQL; running again after a test that stopped it."""
    yield shared_pg
    if not shared_pg.running:
        shared_pg.start()


@pytest.fixture(scope="session")
def shared_redis(lab):
    return lablib.Redis(lab).start()


@pytest.fixture
def redis(shared_redis):
    """The worker's Redis, empty, and running again after a test."""
    if not shared_redis.running:
        shared_redis.start()
    shared_redis.cli("FLUSHALL")
    yield shared_redis
    if not shared_redis.running:
        shared_redis.start()


@pytest.fixture
def db(pg):
    """A new database, owned by app, gone after the test."""
    name = f"t{next(_serial)}"
    pg.psql(f"CREATE DATABASE {name} OWNER app")
    yield name
    if pg.running:
        pg.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


# -- the daemon ---------------------------------------------------------------

@pytest.fixture
def pgsluice(lab, request):
    """Factory: pgsluice(conf_text=DEFAULT_CONF, start=True, **holes).

    Ports that are claimed for it are released when the test has ended: each
    holds a file descriptor, and select() takes none above 1023.

    $PORT, $HTTP, $DIR and every keyword are filled into the text; with the
    fixtures pg, db and redis in use also $PG, $DB and $REDIS.  listen and
    http_listen are added when the text does not set them.
    """
    made = []
    held = lablib.held_ports()

    def make(conf_text=DEFAULT_CONF, start=True, environment=None, **holes):
        known = {"PORT": lablib.free_port(), "HTTP": lablib.free_port(),
                 "DIR": lab.work, "DB": "postgres"}
        for fixture, hole in (("pg", "PG"), ("redis", "REDIS"), ("db", "DB")):
            if fixture in request.fixturenames:
                value = request.getfixturevalue(fixture)
                known[hole] = getattr(value, "port", value)
        known.update(holes)
        sluice = Sluice(lab, binary(), fill(conf_text, known), known["PORT"],
                        known["HTTP"], f"pgsluice{next(_serial)}",
                        {**sanitizer_options(), **(environment or {})})
        sluice.holes = known
        made.append(sluice)
        if start:
            sluice.start()
        return sluice

    request.node.sluices = made
    yield make
    problems = []
    for sluice in reversed(made):
        try:
            if sluice.proc is not None:
                sluice.stop()
        except AssertionError as e:
            problems.append(str(e))
        lab.services.remove(sluice)
    lasting = held | {service.port for service in lab.services}
    for port in lablib.held_ports() - lasting:
        lablib.release_port(port)
    assert not problems, "\n".join(problems)


@pytest.fixture
def sluice(pg, db, pgsluice):
    """The default daemon in front of the test's own database."""
    return pgsluice()


# -- files --------------------------------------------------------------------

@pytest.fixture(scope="session")
def certificate(lab):
    """(certificate file, key file) for 127.0.0.1 and localhost."""
    cert = os.path.join(lab.work, "server.crt")
    key = os.path.join(lab.work, "server.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout",
         key, "-out", cert, "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


@pytest.fixture
def users_file(lab, pg):
    """A users file with every role: verifiers as PostgreSQL has them, and
    for bob a plain password."""
    path = os.path.join(lab.work, f"users{next(_serial)}.txt")
    rows = pg.psql("SELECT rolname || ' ' || rolpassword FROM pg_authid "
                   "WHERE rolpassword IS NOT NULL").splitlines()
    secrets = dict(r.split(" ", 1) for r in rows)
    secrets["bob"] = ROLES["bob"]
    return private_file(path, "".join(f'"{role}" "{secrets[role]}"\n'
                                      for role in ROLES))


