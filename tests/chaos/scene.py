# SPDX-License-Identifier: PostgreSQL
"""The servers that faults are played with.

The backend `main` and Redis are reached through a relay, and so is pgsluice by
the sessions of the group app; the backend `other`, whom no fault concerns, is
reached directly.  Rules are strong ones, which a feed ends, and kept in Redis
with seals: any of these may break, and no answer may be older than they allow.
"""

import os

import harness
import modes
from harness import lablib

from relay import Relay

checker = harness.script("checker", "run")
MODE = modes.Mode("feed", "l1+l2", "transaction")

MORE = """
workers = 2
listen = {"127.0.0.1:$listen"}
http_listen = "127.0.0.1:$http"
server_connect_timeout = "5s"
query_timeout = "$query_timeout"
backend "other" { conninfo = "host=127.0.0.1 port=$other dbname=postgres" }
database "other" { backend = "other" cache = false }
"""


class Scene:
    def __init__(self, lab, seed):
        self.lab, self.seed, self.mode = lab, seed, MODE
        self.pg = checker.cluster(lab, "chaos-main")
        checker.prepare(self.pg)
        self.other = harness.Cluster(lab, "chaos-other").start()
        self.redis_socket = os.path.join(lab.socket_dir(), "redis")
        self.redis = lablib.Redis(lab, "chaos-redis", arguments=[
            "--unixsocket", self.redis_socket]).start()
        self.seals = harness.private_file(
            os.path.join(lab.work, "seals"), "0123456789abcdef" * 4 + "\n")
        self.listen, self.http = lablib.free_port(), lablib.free_port()
        self.relay = Relay({
            "client": (("127.0.0.1", 0), ("127.0.0.1", self.listen)),
            "pg": (("127.0.0.1", 0), ("127.0.0.1", self.pg.port)),
            "redis": (("127.0.0.1", 0), ("127.0.0.1", self.redis.port)),
        }, seed)
        self.sluices = []
        self.holes = {}

    @property
    def sluice(self):
        return self.sluices[0]

    @property
    def ports(self):
        """Where the groups of the load connect to."""
        return {"app": self.relay.ports["client"], "other": self.listen}

    def configuration(self, host="127.0.0.1", conninfo="", more="",
                      redis_host="127.0.0.1", query_timeout="0",
                      query_wait="10s", **ports):
        """ports: pg and redis, if not the relay's."""
        ports = {**self.relay.ports, **ports}
        holes = {**self.mode.holes(ports["pg"], ports["redis"], self.seals),
                 "listen": self.listen, "http": self.http,
                 "other": self.other.port, "query_timeout": query_timeout}
        text = harness.string.Template(modes.CONF + MORE).safe_substitute(
            holes)
        for old, new in (
                ("host=127.0.0.1 port=" + str(ports["pg"]),
                 f"host={host} port={ports['pg']} {conninfo}"),
                ('redis_host = "127.0.0.1"', f'redis_host = "{redis_host}"'),
                ('query_wait_timeout = "10s"',
                 f'query_wait_timeout = "{query_wait}"')):
            assert old in text, old
            text = text.replace(old, new)
        return more + text

    def serve(self, environment=None, log=None, settle=True, **how):
        """pgsluice by this configuration; the one before ends."""
        wanted = environment, log, how
        if self.sluices and self.holes == wanted and self.sluice.running:
            return self.sluice
        self.stop_serving()
        sluice = harness.Sluice(
            self.lab, harness.binary(), self.configuration(**how),
            self.listen, self.http, f"chaos{len(self.lab.services)}",
            {**harness.sanitizer_options(), **(environment or {})})
        if log:
            sluice.logfile = log
        self.sluices, self.holes = [sluice], wanted
        sluice.start()
        if settle:
            sluice.console("CHECK LAYOUTS")
            self.settle()
        return sluice

    def settle(self):
        """Until all is as it is on a good day."""
        def well():
            try:
                return self.sluice.console("SHOW FEEDS")[0]["state"] == \
                    "live" and self.sluice.on_redis()
            except (harness.psycopg2.Error, OSError, LookupError):
                return False
        harness.until(well, 30)

    def stop_serving(self):
        sluices, self.sluices = self.sluices, []
        for sluice in sluices:
            self.lab.services.remove(sluice)
            if sluice.proc is not None:
                sluice.stop()

    def stop(self):
        self.stop_serving()
        self.relay.close()
        for service in (self.redis, self.other, self.pg):
            service.stop()
