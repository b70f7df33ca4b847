# SPDX-License-Identifier: PostgreSQL
"""The comparison of the scenario `events`: who is asked, how often, how long
it took, and whether everybody said the same.

A cell is one query type on one target.  Rounds go over all cells in turn, so
that a slow minute of the machine hits all of them.  Everything that is wrong
becomes a line in `problems`; nothing is skipped because of it.
"""

import os
import random
import re
import statistics
import threading
import time

import events as eventslib
import queries
from lab import wait_for
from wire import Wire, WireError

# One round of one cell: at most so many runs, and no new one after so long.
RUNS = 20
SECONDS = 0.25
HITS = {"l1": "pgsluice_cache_hits_l1_total",
        "l2": "pgsluice_cache_hits_l2_total"}


class Target:
    """Somebody to ask: a server itself, or pgsluice in one cache mode."""

    def __init__(self, events, variant, mode):
        self.variant = variant
        self.mode = mode
        if mode == "direct":
            cluster = eventslib.VARIANTS[variant]
            self.rel = events.relation(cluster)
            port, dbname = events.pg[cluster].port, eventslib.DB
        else:
            # The application never learns which variant serves it.
            self.rel = "app.events"
            port = events.sluice.port
            dbname = eventslib.database_name(variant, mode)
        self.wire = Wire("127.0.0.1", port, dbname, eventslib.USER,
                         eventslib.PASSWORD)

    @property
    def name(self):
        return f"{self.mode} {self.variant}"


class Cell:
    def __init__(self, query, target):
        self.query = query
        self.target = target
        self.times = []
        self.answers = {}  # choice -> the bytes of its first answer

    @property
    def median_ms(self):
        return statistics.median(self.times) * 1e3 if self.times else None


class Comparison:
    def __init__(self, events, rounds, say):
        self.events = events
        self.rounds = rounds
        self.say = say
        self.problems = []
        self.routes = []  # (query title, target name, lines)
        self.checks = []  # what was found to be right
        modes = ["direct"]
        if events.sluice:
            modes += eventslib.MODES
        self.targets = [Target(events, variant, mode)
                        for mode in modes for variant in eventslib.VARIANTS]
        self.reads = queries.reads(events)
        self.inserts = queries.inserts(events)
        self.read_cells = [Cell(q, t) for q in self.reads
                           for t in self.targets]
        self.insert_cells = [Cell(q, t) for q in self.inserts
                             for t in self.targets
                             if t.mode in ("direct", "uncached")]
        self.reference = {}

    def run(self):
        self.make_reference()
        self.check(self.events.misplaced(), "every row is in its partition "
                   "and on its shard")
        if self.events.sluice:
            self.explain_routes()
        self.explain_servers()
        self.time_reads()
        self.time_inserts()
        if self.events.sluice:
            self.retention()
        self.check(self.events.misplaced(), "after the inserts as well")

    def check(self, problems, what):
        self.problems += problems
        if not problems:
            self.checks.append(what)

    # -- equality ----------------------------------------------------------

    def make_reference(self):
        """What the plain table itself answers is what all have to say."""
        plain = next(t for t in self.targets if t.name == "direct plain")
        for q in self.reads:
            for choice in range(len(q.statements)):
                answer = plain.wire.query(q.sql(choice, plain.rel))
                self.reference[q.name, choice] = self.content(answer)

    @staticmethod
    def content(answer):
        """Column names and types, rows, tag: all that a client can see, less
        the table OIDs in RowDescription, which are each server's own."""
        columns = []
        for kind, body in answer.messages:
            if kind == b"T":
                columns = [(name, rest[6:]) for name, rest in re.findall(
                    rb"([^\0]+)\0(.{18})", body[2:], re.DOTALL)]
        return columns, answer.rows, answer.tag

    def compare(self, cell, choice, answer):
        first = cell.answers.get(choice)
        if first == answer.data:
            return
        where = f"{cell.query.title}, {cell.target.name}"
        if first is not None:
            self.problems.append(f"{where}: two answers differ in their bytes")
        cell.answers[choice] = answer.data
        try:
            found = self.content(answer)
        except WireError as e:
            self.problems.append(f"{where}: {e}")
            return
        expected = self.reference[cell.query.name, choice]
        if found != expected:
            self.problems.append(
                f"{where}: answered {str(found)[:300]}, expected "
                f"{str(expected)[:300]}")

    # -- reads ---------------------------------------------------------------

    def time_reads(self):
        for n in range(self.rounds):
            self.say(f"reads, round {n + 1} of {self.rounds}")
            for q in self.reads:
                cells = [c for c in self.read_cells if c.query is q]
                random.Random(n).shuffle(cells)
                for cell in cells:
                    self.time_read_cell(cell)
        for cell in self.read_cells:
            if not cell.times:
                self.problems.append(
                    f"{cell.query.title}, {cell.target.name}: never timed")

    def time_read_cell(self, cell):
        q, target = cell.query, cell.target
        asked = [target.wire.query_message(q.sql(c, target.rel))
                 for c in range(len(q.statements))]
        if target.mode in HITS:
            # The first is a fill or a hit of an earlier round.
            for choice, message in enumerate(asked):
                self.compare(cell, choice, target.wire.ask(message)[1])
            self.settle(target, asked)
        before = self.hits()
        end = time.monotonic() + SECONDS
        n = 0
        while n < RUNS and (n == 0 or time.monotonic() < end):
            choice = n % len(asked)
            seconds, answer = target.wire.ask(asked[choice])
            cell.times.append(seconds)
            self.compare(cell, choice, answer)
            n += 1
        self.check_hits(cell, before, n)

    def hits(self):
        if not self.events.sluice:
            return None
        return {mode: self.events.sluice.metric(name)
                for mode, name in HITS.items()}

    def settle(self, target, asked):
        """A fill becomes visible to others a moment after its answer; ask
        until every statement is a hit."""
        def all_hit():
            before = self.hits()[target.mode]
            for message in asked:
                target.wire.ask(message)
            return self.hits()[target.mode] - before == len(asked)
        try:
            wait_for(f"hits of {target.name}", all_hit, timeout=5)
        except Exception as e:  # told by check_hits, with the query's name
            self.say(f"  {e}")

    def check_hits(self, cell, before, n):
        """An answer was a hit if pgsluice itself counts it as one."""
        if before is None:
            return
        expected = {mode: n if mode == cell.target.mode else 0
                    for mode in HITS}
        after = self.hits()
        found = {mode: after[mode] - before[mode] for mode in HITS}
        if found != expected:
            self.problems.append(
                f"{cell.query.title}, {cell.target.name}: counted hits "
                f"{found} in {n} runs, expected {expected}")

    # -- inserts ---------------------------------------------------------------

    def time_inserts(self):
        for n in range(self.rounds):
            self.say(f"inserts, round {n + 1} of {self.rounds}")
            for q in self.inserts:
                cells = [c for c in self.insert_cells if c.query is q]
                random.Random(n).shuffle(cells)
                for _ in range(4):
                    for cell in cells:
                        self.time_insert_cell(cell)

    def time_insert_cell(self, cell):
        target = cell.target
        rows = cell.query.rows()
        seconds, answer = target.wire.ask(target.wire.query_message(
            cell.query.sql(rows, target.rel)))
        cell.times.append(seconds)
        where = f"{cell.query.title}, {target.name}"
        try:
            if answer.tag != f"INSERT 0 {len(rows)}":
                self.problems.append(f"{where}: tag {answer.tag}")
        except WireError as e:
            self.problems.append(f"{where}: {e}")
        found = self.take_back(target.variant, [r[0] for r in rows])
        expected = sorted((self.home(target.variant, r), *r) for r in rows)
        if found != expected:
            self.problems.append(f"{where}: {str(found)[:300]} landed, "
                                 f"expected {str(expected)[:300]}")

    def home(self, variant, row):
        if variant == "sharded":
            return self.events.shard_of(row[1])
        if variant == "monthly":
            return f"app.events_{row[2]:%Y_%m}"
        return "app.events_plain"

    def take_back(self, variant, ids):
        """Delete rows where they physically are; (where, row) of each."""
        clusters = (eventslib.SHARDS if variant == "sharded" else [variant])
        found = []
        for name in clusters:
            rows = self.connection(name).execute(
                f"DELETE FROM {self.events.relation(name)} WHERE id = ANY("
                "%s::uuid[]) RETURNING tableoid::regclass::text, id::text, "
                "tenant_id::text, occurred_at, payload", (ids,)).fetchall()
            found += [(name if variant == "sharded" else r[0], *r[1:])
                      for r in rows]
        return sorted(found)

    def connection(self, cluster):
        connections = self.__dict__.setdefault("_connections", {})
        if cluster not in connections:
            connections[cluster] = self.events.pg[cluster].connect(
                eventslib.DB, autocommit=True)
        return connections[cluster]

    # -- how it runs -------------------------------------------------------------

    def statements(self):
        """(query, statement text maker, tenants it names) of every type."""
        for q in self.reads:
            yield q, q.statements[0].format, (q.by_tenant or [None])[0]
        for q in self.inserts:
            rows = q.rows()
            one = q.tenants[0] if len(q.tenants) == 1 else None
            yield q, (lambda rel, q=q, r=rows: q.sql(r, rel)), one

    def explain_routes(self):
        """EXPLAIN (ROUTE) of each type: printed, and held against where
        PostgreSQL itself would put it."""
        problems = []
        for q, text, tenant in self.statements():
            for t in self.targets:
                if t.mode not in ("uncached", "l1"):
                    continue
                try:
                    rows = t.wire.query("EXPLAIN (ROUTE) " +
                                        text(rel=t.rel)).rows
                except WireError as e:
                    problems.append(f"EXPLAIN (ROUTE), {q.title}, "
                                    f"{t.name}: {e}")
                    continue
                lines = [r[0].decode() for r in rows]
                self.routes.append((q.title, t.name, lines))
                backend = eventslib.VARIANTS[t.variant]
                if t.variant == "sharded" and tenant:
                    backend = self.events.shard_of(tenant)
                elif t.variant == "sharded":
                    backend = ", ".join(eventslib.SHARDS)
                if not any(re.match(rf"\s*backends?:\s.*\b{backend}\b", line)
                           for line in lines):
                    problems.append(f"EXPLAIN (ROUTE), {q.title}, {t.name}: "
                                    f"no backend {backend} in {lines}")
        self.check(problems, "EXPLAIN (ROUTE) names the right backend")

    def explain_servers(self):
        """Save EXPLAIN (ANALYZE, VERBOSE) of each type on each server and
        look for pruning: one month, one shard."""
        folder = os.path.join(self.events.lab.work, "explain")
        os.makedirs(folder, exist_ok=True)
        plans = {}
        for q, text, _ in self.statements():
            for t in self.targets:
                if t.mode != "direct":
                    continue
                t.wire.query("BEGIN")
                rows = t.wire.query("EXPLAIN (ANALYZE, VERBOSE) " +
                                    text(rel=t.rel)).rows
                t.wire.query("ROLLBACK")
                plan = "\n".join(r[0].decode() for r in rows)
                plans[q.name, t.variant] = plan
                path = os.path.join(folder, f"{q.name}.{t.variant}.txt")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(plan + "\n")
        month = eventslib.add_months(self.events.this_month, -1)
        self.check_pruned(plans["month", "monthly"],
                          {f"events_{month:%Y_%m}"},
                          "a month's range scans one partition")
        tenant = self.reads[2].by_tenant[0]
        remainder = eventslib.SHARDS.index(self.events.shard_of(tenant))
        self.check_pruned(plans["tenant", "sharded"],
                          {f"events_mod2_r{remainder}"},
                          "one tenant scans one foreign partition")

    def check_pruned(self, plan, expected, what):
        scanned = {m[1] for m in re.finditer(
            r"Scan(?: using \S+)? on app\.(events_\w+)(.*)", plan)
            if "never executed" not in m[2]}
        scanned -= {"events_sharded"}
        self.check([] if scanned == expected else
                   [f"{what}: scanned {scanned}, expected {expected}"], what)

    def retention(self):
        """Months are made and dropped through pgsluice while reads go on."""
        self.say("retention through pgsluice while reads go on")
        ev = self.events
        q = self.reads[1]
        problems, count = [], [0]
        done = threading.Event()

        def reader():
            t = Target(ev, "monthly", "uncached")
            with t.wire:
                while not done.is_set():
                    found = self.content(t.wire.query(q.sql(0, t.rel)))
                    count[0] += 1
                    if found != self.reference[q.name, 0]:
                        problems.append(f"retention: read {found}")

        def guarded():
            try:
                reader()
            except (WireError, OSError) as e:
                problems.append(f"retention: reader got {e}")
        thread = threading.Thread(target=guarded)
        thread.start()
        made = [eventslib.add_months(ev.this_month, n) for n in (7, 8, 9)]
        old = eventslib.add_months(ev.this_month, -30)
        try:
            t = Target(ev, "monthly", "uncached")
            with t.wire:
                for day in made:
                    self.call(t, "create_month_partition", day, problems)
                self.call(t, "drop_month_partition", old, problems)
                # Back to what it was.
                self.call(t, "create_month_partition", old, problems)
                for day in made:
                    self.call(t, "drop_month_partition", day, problems)
            wait_for("reads during retention", lambda: count[0] >= 3 or
                     not thread.is_alive())
        except (WireError, OSError) as e:
            problems.append(f"retention: {e}")
        finally:
            done.set()
            thread.join()
        self.check(problems, "months made and dropped through pgsluice "
                   f"during {count[0]} reads")

    @staticmethod
    def call(target, function, day, problems):
        part = f"events_{day:%Y_%m}".encode()
        rows = target.wire.query(f"SELECT app.{function}('{day}')").rows
        if rows != [(part,)]:
            problems.append(f"{function}('{day}') returned {rows}")
