# SPDX-License-Identifier: PostgreSQL
"""What is combined: how results are invalidated, where they are kept, how
servers are pooled; the configuration of each, and what it promises."""

import itertools

from check import Bounds

TTL = 1.0        # of the mode ttl
L1_TTL = 0.5     # where another process's writes are not heard of
REDIS_AWAY = 1.0  # a write may reach it so late: it is frozen, and then the
                  # breaker waits. Others read from it meanwhile.
LAG = 1.0        # of the mode feed
INVALIDATION = ("ttl", "seen", "feed")
STORES = ("l1", "l1+l2")
POOLING = ("session", "transaction")

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
pool_mode = "$pooling"
pool_size = $servers
server_login_retry = "20ms"
query_wait_timeout = "10s"
$redis
feed_user = "feeder"
max_feed_lag = "1s"
verify = "5%"
backend "main" {
    conninfo = "host=127.0.0.1 port=$server dbname=app" feed = $feed
}
database "app" { backend = "main" }
cache "one" {
    query = "SELECT ver, val FROM reg WHERE k = :k::int4"
    key = "reg:{k}" tables = {"reg"} keys = {"reg.k"} $life
}
cache "register" { tables = {"reg"} keys = {"reg.k"} $life }
cache "calm" { tables = {"calm", "pad"} keys = {"calm.k"} $life $lease }
cache "account" { tables = {"account"} $life }
cache "divisor" { tables = {"divisor"} $life }
cache "here" { tables = {"here"} $life }
cache "alice" { tables = {"of_alice"} $life }
cache "bob" { tables = {"of_bob"} $life }
"""


class Mode:
    """One cell.  behind: some writers go to PostgreSQL itself."""

    def __init__(self, invalidation, store, pooling):
        self.invalidation, self.store = invalidation, store
        self.pooling = pooling
        self.name = f"{invalidation}/{store}/{pooling}"
        self.behind = invalidation != "seen"
        self.feed = invalidation == "feed"
        self.l2 = store == "l1+l2"

    @property
    def bounds(self):
        """A write through the same process ends what it changes before it is
        acknowledged; others are bounded by time, or by what the feed has
        seen. That is the process's own feed, so that Redis' faults add
        nothing."""
        if self.invalidation == "ttl":
            return Bounds(same=0.0, other=TTL, forward=False)
        if self.feed:
            return Bounds(same=0.0, other=LAG)
        if self.l2:
            return Bounds(same=0.0, other=L1_TTL + REDIS_AWAY)
        return Bounds(same=0.0, other=L1_TTL)

    @property
    def life(self):
        return self.ends + ("" if self.feed else
                            " ttl_jitter = 20 refresh_ahead = 20")

    @property
    def ends(self):
        if self.feed:
            return 'ttl = "300s" consistency = "strong"' + (
                "" if self.l2 else " l2 = false")
        if self.invalidation == "ttl":
            return f'ttl = "{TTL}s"' + (
                f' l1_ttl = "{int(TTL * 300)}ms" l2_lease = "1s"'
                if self.l2 else " l2 = false")
        if self.l2:
            return f'ttl = "60s" l1_ttl = "{int(L1_TTL * 1000)}ms"'
        return f'ttl = "{int(L1_TTL * 1000)}ms" l2 = false'

    def holes(self, server, redis, seals):
        # With session pooling every session has one.
        return {"server": server, "pooling": self.pooling,
                "servers": 12 if self.pooling == "transaction" else 40,
                "feed": "true" if self.feed else "false",
                "life": self.life.replace(f"{TTL}s", f"{int(TTL)}s"),
                "lease": 'l2_lease = "500ms"'
                if self.l2 and self.invalidation == "seen" else "",
                "redis": 'redis_host = "127.0.0.1"\nredis_retry = "200ms"\n'
                         f'redis_key_file = "{seals}"\nredis_port = {redis}'
                if self.l2 else ""}


def pairwise():
    """As few cells as hold every pair of choices."""
    cells = list(itertools.product(INVALIDATION, STORES, POOLING))
    wanted = set().union(*map(pairs, cells))
    chosen = []
    while wanted:
        def gain(cell):
            return len(wanted & pairs(cell))
        best = max(cells, key=gain)
        wanted -= pairs(best)
        chosen.append(Mode(*best))
    return chosen


def pairs(cell):
    return {((i, cell[i]), (j, cell[j]))
            for i, j in itertools.combinations(range(len(cell)), 2)}


def named(name):
    return Mode(*name.split("/"))
