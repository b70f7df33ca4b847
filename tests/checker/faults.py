# SPDX-License-Identifier: PostgreSQL
"""What goes wrong during a run, one after another: each at least once."""

import os
import random
import signal
import time


class Faults:
    """In the main thread: what a thread starts ends with it."""

    def __init__(self, scene, seed, every=1.0):
        self.scene, self.every = scene, every
        self.rng = random.Random(seed)
        self.fired = {}

    def choices(self):
        yield self.kill_servers
        yield self.flush_cache
        yield self.invalidate
        yield self.reload
        yield self.crash_second
        yield self.freeze_first
        if self.scene.mode.feed:
            yield self.hold_commits
            yield self.kill_walsenders
            yield self.freeze_walsenders
        if self.scene.redis:
            yield self.freeze_redis
            yield self.crash_redis
            yield self.flush_redis

    def play(self, going_on):
        """While going_on() is true."""
        todo = []
        when = time.monotonic() + self.every
        while going_on():
            if time.monotonic() < when:
                time.sleep(0.05)
                continue
            if not todo:
                todo = list(self.choices())
                self.rng.shuffle(todo)
            fault = todo.pop()
            fault()
            name = fault.__name__
            self.fired[name] = self.fired.get(name, 0) + 1
            when = time.monotonic() + self.every

    # -- each of them ------------------------------------------------------

    def kill_servers(self):
        self.scene.pg.psql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = 'app' AND backend_type = 'client backend' AND "
            "random() < 0.5", "postgres")

    def hold_commits(self):
        """In the log, and not yet to be seen."""
        for _ in range(3):
            self.scene.receiver.freeze()
            time.sleep(0.3)
            self.scene.receiver.thaw()
            time.sleep(0.1)

    def walsenders(self):
        """Those of feeds."""
        return [int(pid) for pid in self.scene.pg.psql(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = "
            "'walsender' AND usename = 'feeder'", "postgres").split()]

    def kill_walsenders(self):
        for pid in self.walsenders():
            os.kill(pid, signal.SIGTERM)

    def freeze_first(self):
        """With answers of servers on their way to it."""
        for _ in range(2):
            self.scene.sluices[0].freeze()
            time.sleep(0.6)
            self.scene.sluices[0].thaw()
            time.sleep(0.3)

    def freeze_walsenders(self):
        """For longer than strong rules are served without news."""
        pids = self.walsenders()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3.5)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def flush_cache(self):
        self.scene.sluices[0].console("FLUSH CACHE")

    def invalidate(self):
        for command in ("KEY 'reg:*'", "TABLE calm", "TABLE reg", "ALL"):
            self.scene.sluices[0].console("INVALIDATE " + command)

    def reload(self):
        self.scene.sluices[0].proc.send_signal(signal.SIGHUP)

    def crash_second(self):
        self.scene.keep_counts(1)
        self.scene.sluices[1].kill()
        self.scene.sluices[1].start()

    def freeze_redis(self):
        self.scene.redis.freeze()
        time.sleep(0.3)
        self.scene.redis.thaw()

    def crash_redis(self):
        self.scene.redis.kill()
        time.sleep(0.2)
        self.scene.redis.start()

    def flush_redis(self):
        self.scene.redis.cli("FLUSHALL")
