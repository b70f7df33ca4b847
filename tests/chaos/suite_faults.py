# SPDX-License-Identifier: PostgreSQL
"""Faults that have end-to-end tests which say all there is to say: these are
run, and counted."""

import os
import re
import subprocess
import sys

from harness import HERE, binary
from trial import fault

SUITES = (
    ("F16", "an allocation fails, each in turn",
     "no crash; no slot of a pool is lost", "test_nomem.py"),
    ("F25", "a new process takes over under load",
     "no connection is refused; cancels reach the process before",
     "test_takeover.py"),
    ("F26", "certificates end, and are renewed",
     "new handshakes by the new one; sessions stay",
     "test_door_tls.py::test_certificate_renewal "
     "test_redis.py::test_tls_files_are_read_again"),
    ("F27", "the backend's certificate is another one",
     "refused with the reason; never in clear",
     "test_door_tls.py::test_backends_are_verified "
     "test_door_tls.py::test_require_and_a_backend_without"),
    ("F32", "the log piles up behind a feed",
     "its slot is given up at feed_max_backlog",
     "test_feed.py::test_the_log_is_not_kept "
     "test_feed.py::test_a_writer_that_holds_the_slot_back"),
    ("F34", "DDL while results are cached", "no row of an old shape",
     "test_cache.py::test_ddl_changes_the_shape "
     "test_feed.py::test_partitions_that_come_and_go "
     "test_catalog_cache.py::test_view_depends_on_what_it_reads"),
    ("F35", "writes that are no INSERT, UPDATE or DELETE",
     "each ends what it changes, or was never cached",
     "test_feed.py::test_truncate_ends_a_hit "
     "test_feed.py::test_what_triggers_and_cascades_write_counts "
     "test_catalog_cache.py::test_materialized_view "
     "test_catalog_cache.py::test_rule test_cache.py::test_copy_is_a_write"),
    ("F36", "a replica lags", "it takes no read that must not be so old",
     "test_replicas.py::test_age_and_lag "
     "test_replicas.py::test_own_writes_at_once"),
    ("F42", "a shard, or the coordinator, is down or hangs",
     "only its own statements fail, at once", "test_bad_days.py"),
)


def suite(tests):
    def play(t):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *tests.split()], cwd=HERE,
            env={**os.environ, "PGSLUICE_BIN": binary()}, text=True,
            capture_output=True, check=False)
        told = re.findall(r"^.*\bin [\d.]+s.*$", done.stdout, re.M)
        t.show("", told[-1].strip("= ") if told else done.stderr[-200:])
        t.expect("tests", done.returncode == 0)
    return play


for name, title, expected, tests in SUITES:
    fault(name, title, expected, load=False)(suite(tests))
