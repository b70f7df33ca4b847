# SPDX-License-Identifier: PostgreSQL
"""What goes wrong in a soak, one after another, by chance of a seed."""

import collections
import contextlib
import os
import signal
import time

import psycopg2

from harness import LabError


class Trouble:
    """In the main thread: what a thread starts ends with it."""

    def __init__(self, world, rng, every=4.0):
        self.world, self.rng, self.every = world, rng, every
        self.fired, self.failed = collections.Counter(), []
        self.next, self.todo = time.monotonic() + every, []
        self.choices = (
            self.kill_servers, self.kill_walsenders, self.freeze_postgres,
            self.kill_redis, self.freeze_redis, self.flush_redis,
            self.flush_cache, self.reload, self.pause, self.reconnect,
            self.kill_clients, self.experiment, self.freeze_pgsluice,
            self.crash_postgres)

    def step(self):
        """Each once, in some order, before any a second time."""
        if time.monotonic() < self.next:
            return
        if not self.todo:
            self.todo = list(self.choices)
            self.rng.shuffle(self.todo)
        trouble = self.todo.pop()
        self.fired[trouble.__name__] += 1
        try:
            trouble()
        except (psycopg2.Error, LabError) as e:
            self.failed.append(f"{trouble.__name__}: {e}")
        self.next = time.monotonic() + self.every * (0.5 + self.rng.random())

    def console(self, sql):
        self.world.sluice.console(sql)

    def some_time(self, most):
        time.sleep(self.rng.random() * most)

    def kill_servers(self):
        self.world.pg.psql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE usename = 'app' AND random() < 0.5")

    def kill_walsenders(self):
        for pid in self.world.pg.psql(
                "SELECT pid FROM pg_stat_activity WHERE "
                "usename = 'feeder'").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)

    def freeze_postgres(self):
        self.world.pg.freeze()
        self.some_time(2)
        self.world.pg.thaw()

    def crash_postgres(self):
        self.world.pg.crash()
        self.some_time(1)
        self.world.pg.start()

    def kill_redis(self):
        self.world.redis.kill()
        self.some_time(2)
        self.world.redis.start()

    def freeze_redis(self):
        self.world.redis.freeze()
        self.some_time(1)
        self.world.redis.thaw()

    def flush_redis(self):
        self.world.redis.cli("FLUSHALL")

    def flush_cache(self):
        self.console("FLUSH CACHE")

    def reload(self):
        """With pools of another size."""
        self.world.holes["SERVERS"] = self.rng.randrange(8, 14)
        self.world.sluice.write_conf(self.world.conf())
        self.console("RELOAD")

    def pause(self):
        self.console("PAUSE app")
        self.some_time(0.5)
        self.console("RESUME app")

    def reconnect(self):
        self.console("RECONNECT")

    def kill_clients(self):
        self.console("KILL app")
        self.some_time(0.2)
        self.console("RESUME app")

    def experiment(self):
        state = self.world.sluice.console("SHOW EXPERIMENTS")[0]["state"]
        self.console(("STOP" if state == "running" else "START") +
                     " EXPERIMENT try")

    def freeze_pgsluice(self):
        self.world.sluice.freeze()
        self.some_time(2)
        self.world.sluice.thaw()
