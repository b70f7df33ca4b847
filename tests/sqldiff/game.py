# SPDX-License-Identifier: PostgreSQL
"""Plays generated statements on all sides, and counts what became of them.

Statements come in episodes.  Each begins with the same rows and its own
numbers, so that any of them can be played again alone.  Where one ran is read
from the log of the servers.
"""

import os
import re
from collections import Counter

from . import blocks, copies, faults, queries, schema, writes
from .dice import Dice, shrink
from .sides import Log, Side, Statement, compare, rawpg
from .values import Draft

SIDES = ["sharded", "monthly"]
# Where the server behind a side is asked directly, by the same names.
BEHIND = {"sharded": "straight", "monthly": "monthly"}
# What pgsluice's own backend of a side is called.
HOME = {"sharded": "coordinator", "monthly": "monthly"}
EPISODE = 50
ZONES = ["UTC", "UTC", "America/New_York", "Asia/Kolkata"]
# The databases that answer for a side.
SERVERS = {"sharded": ["coordinator"] + [f"shard{n}"
                                        for n in range(schema.SHARDS)],
           "monthly": ["monthly", "archive"]}


def create(pg):
    schemas = schema.schemas(pg.port)
    for name in sorted(schemas, key=lambda n: not n.startswith(
            ("plain", "shard", "archive"))):
        pg.psql(f"CREATE DATABASE {name} OWNER app")
        pg.psql(f"ALTER DATABASE {name} SET log_statement = 'all'")
        pg.psql(schemas[name], name)


class Exceptions:
    """Lines of exceptions.txt: who answers so (server or pgsluice), side,
    state expected, state got, pattern of the statement, reason."""

    def __init__(self):
        path = os.path.join(os.path.dirname(__file__), "exceptions.txt")
        self.lines = []
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.strip() and not line.startswith("#"):
                    self.lines.append(line.rstrip("\n").split("\t"))

    def find(self, side, expected, got, statement):
        for who, name, first, second, pattern, reason in self.lines:
            if name == side and re.fullmatch(first, expected.state) and \
                    re.fullmatch(second, got.state) and \
                    re.search(pattern, statement.query.sql, re.S):
                return who, reason
        return None, None


MODES = [(30, "simple"), (30, "whole"), (20, "described"), (15, "named"),
         (5, "portions")]


def draft(dice, number, generate=None, modes=tuple(MODES)):
    """A statement from these dice."""
    kind = generate or dice.weighted([
        (70, queries), (19, writes), (8, faults), (3, copies)]).generate
    mode = dice.weighted(modes)
    d = Draft(dice, mode != "simple")
    query = kind(d)
    # Parameters of what was left out are not sent.
    used = max(map(int, re.findall(r"\$(\d+)", query.sql)), default=0)
    formats = [] if mode == "simple" else dice.pick([[], [0], [1], [1]])
    if query.sql.startswith("COPY"):
        mode, formats = "copy", []
    return Statement(number, query, d.params[:used], mode, formats)


class Game:
    """flush: called when rows have been changed behind pgsluice's back; with
    it, queries are asked twice."""

    def __init__(self, pg, port, sides, seed, stop=20, verbose=False,
                 flush=None):
        self.pg = pg
        self.flush = flush
        self.seed = seed
        self.stop = stop
        self.verbose = verbose
        self.names = sides
        self.plain = Side("plain", pg.port, "plain")
        self.sides = [Side(name, port, name) for name in sides]
        self.exceptions = Exceptions()
        self.found = []
        self.log = Log(pg.logfile)
        self.places = {name: Counter() for name in sides}
        self.states = Counter()
        self.excepted = Counter()
        self.statements = self.checks = 0
        self.servers = {}
        for database in ("plain", "coordinator", "straight", "monthly"):
            self.sql(database, schema.fill("app.kind", "kind"))
        self.reset()

    # -- rows -----------------------------------------------------------

    def sql(self, database, sql):
        """Rows as the owner of the tables sees them, or an error."""
        if database not in self.servers:
            self.servers[database] = Side(database, self.pg.port, database)
        answer = self.servers[database].ask([rawpg.query(sql)])
        if answer.error:
            raise RuntimeError(f"{database}: {answer.show()}: {sql[:200]}")
        return [tuple(None if v is None else v.decode() for v in r)
                for r in answer.rows]

    def reset(self):
        """Every table as it was in the beginning."""
        names = {"plain": "app.{}", "coordinator": "app.{}_sharded",
                 "monthly": "app.{}"}
        for database, name in names.items():
            self.sql(database, "".join(schema.fill(name.format(t), t)
                                       for t in schema.KEY))
        if self.flush:
            self.flush()

    def held(self, database, name):
        rows = self.sql(database, f"SELECT t::text FROM {name} t")
        return [r[0] for r in rows]

    def misplaced(self):
        """Whole tables, and whether each row is on its shard; a text each."""
        self.checks += 1
        out = []
        for table in schema.KEY:
            held = {}
            expected = self.held("plain", f"app.{table}")
            if "sharded" in self.names:
                held["shards"] = []
                for n in range(schema.SHARDS):
                    held["shards"] += self.held(f"shard{n}",
                                                f"app.{table}_part")
                    out += self.foreign(table, n)
            if "monthly" in self.names:
                held["months"] = self.held("monthly", f"app.{table}")
            out += [self.unlike(table, where, expected, rows)
                    for where, rows in held.items()
                    if sorted(rows) != sorted(expected)]
        return out

    def foreign(self, table, n):
        """Keys on a shard that is not theirs."""
        columns = schema.KEY[table]
        keys = self.sql(f"shard{n}", f"SELECT DISTINCT {', '.join(columns)} "
                        f"FROM app.{table}_part")
        wrong = keys and self.sql("coordinator", "SELECT k::text FROM (VALUES "
                                  + ", ".join("(" + ", ".join(
                                      schema.quoted(v) + "::" +
                                      schema.COLUMNS[table][c]
                                      for v, c in zip(row, columns)) + ")"
                                      for row in keys) +
                                  f") k ({', '.join(columns)}) WHERE NOT "
                                  "satisfies_hash_partition('app."
                                  f"{table}_sharded'::regclass, "
                                  f"{schema.SHARDS}, {n}, "
                                  f"{', '.join('k.' + c for c in columns)})")
        return [f"{table}: rows of {k} on shard {n}" for k, in wrong]

    @staticmethod
    def unlike(table, where, expected, rows):
        return (f"{table}: rows of {where} are not the plain ones: missing "
                f"{list((Counter(expected) - Counter(rows)).elements())[:2]}, "
                f"not expected "
                f"{list((Counter(rows) - Counter(expected)).elements())[:2]}")

    # -- playing --------------------------------------------------------

    def play(self, n):
        for first in range(0, n, EPISODE):
            self.episode(first, min(EPISODE, n - first))
            if len(self.found) >= self.stop:
                break

    def episode(self, number, count=EPISODE):
        """The statements from the episode's first one on."""
        first = number - number % EPISODE
        zone = Dice(f"{self.seed} {first}").pick(ZONES)
        self.connect(zone)
        written, named = [], []
        for n in range(first, first + count):
            dice = Dice(f"{self.seed} {n}")
            if dice.chance(4):
                self.block(n, written)
                continue
            if named and dice.chance(15):
                statement = dice.pick(named).again(n, dice)
            else:
                dice = Dice(f"{self.seed} {n} new")
                statement = draft(dice, n)
            equal, state = self.statement(statement, dice.drawn, written)
            if equal and state == "ok" and statement.mode == "named":
                named.append(statement)
            if state == "ok" and statement.writes:
                written.append(statement)
            if not equal and statement.writes:
                self.reset()
                written.clear()
            if len(self.found) >= self.stop:
                break
            if state == "42883":
                # The session is pinned: the function might be there.
                self.connect(zone)
                named.clear()
        if written:
            self.look(first, written)
            self.reset()

    def block(self, number, written):
        """Statements that belong together, as one of the episode's."""
        dice = Dice(f"{self.seed} {number} block")
        kind = dice.weighted([(50, blocks.transaction), (15, blocks.cursor),
                              (35, blocks.pipeline)])
        made = []
        for n, part in enumerate(kind(Draft(dice, False))):
            one = part if callable(part) else lambda d, q=part: q
            dice = Dice(f"{self.seed} {number} {n}")
            made.append(draft(dice, f"{number}.{n}", one, MODES[:2] if
                              kind is blocks.pipeline else MODES[:3]))
        if kind is blocks.pipeline:
            expected = self.plain.batch(made)
            answers = {side: side.batch(made) for side in self.sides}
        else:
            expected = [self.plain.run(s) for s in made]
            answers = {side: [side.run(s) for s in made]
                       for side in self.sides}
        self.count(made)
        self.statements += len(made)
        self.states.update(a.state for a in expected)
        if expected[-1].tags == ["COMMIT"]:
            written += [s for s in made if s.writes and " app." in s.sql]
        if not self.same_block(made, expected, answers):
            self.reset()
            written.clear()

    def same_block(self, made, expected, answers):
        same = True
        for side, got in answers.items():
            found = [(n, compare(a, b, s)) for n, (a, b, s) in
                     enumerate(zip(expected, got, made)) if compare(a, b, s)]
            if not found:
                continue
            same = False
            n, what = found[0]
            who, reason = self.exceptions.find(side.name, expected[n], got[n],
                                               made[n])
            if who == "pgsluice" or reason and not made[n].writes and \
                    self.is_the_servers_own(side, made[n], got[n], []):
                self.excepted[side.name, reason] += 1
                continue
            before = "\n      ".join(m.show() for m in made[:n])
            self.tell(f"{made[n].number} in a block on {side.name}\n      "
                      f"{before}\n    here:\n      {made[n].show()}\n"
                      f"      {what}")
        return same

    def tell(self, text):
        self.found.append(text)
        print(f"DIFFERS {text}", flush=True)

    def connect(self, zone):
        for side in [self.plain, *self.sides]:
            side.connect(zone)

    def look(self, first, written):
        for text in self.misplaced():
            self.tell(f"after the episode of {first}, {len(written)} writes: "
                      f"{text}")

    def statement(self, statement, draws, written):
        """(whether all answers are the plain one, the state of that)"""
        self.statements += 1
        equal = True
        if self.verbose:
            print(f"{statement.number}: {statement.show()}", flush=True)
        routes = {side.name: side.route(statement) for side in self.sides}
        expected = self.plain.run(statement)
        self.states[expected.state] += 1
        for side in self.sides:
            route = routes[side.name]
            got = side.run(statement)
            at = self.count([statement], [side])
            what = compare(expected, got, statement)
            if what is None and self.flush and not statement.writes:
                got = side.run(statement.alone())
                what = compare(expected, got, statement)
            if what is None:
                continue
            equal = False
            who, reason = self.exceptions.find(side.name, expected, got,
                                               statement)
            if who == "pgsluice" or reason and HOME[side.name] in at and \
                    self.is_the_servers_own(side, statement, got, written):
                self.excepted[side.name, reason] += 1
                continue
            self.differs(side, statement, route, what, draws)
        return equal, expected.state

    def count(self, statements, sides=None):
        """Where they have just run, as the servers tell; databases of the
        last one."""
        at = set()
        ran = self.log.read()
        for side in sides or self.sides:
            for s in statements:
                at = ran.get(s.mark, set()) & set(SERVERS[side.name])
                self.places[side.name][self.place(side.name, at)] += 1
        return at

    @staticmethod
    def place(name, at):
        """Whoever had to ask the coordinator at last was answered there."""
        if not at:
            return "no server"
        if HOME[name] in at:
            return "coordinator" if name == "sharded" else "home"
        if name == "monthly":
            return "archive"
        return "one shard" if len(at) == 1 else "several shards"

    def share(self):
        """Of the statements that reached the shards' side: how many did not
        need the coordinator."""
        places = self.places.get("sharded", Counter())
        ran = places.total() - places["no server"]
        return 1 - places["coordinator"] / ran if ran else None

    def is_the_servers_own(self, side, statement, got, written):
        """Does the server behind the side say the same, asked directly?"""
        behind = Side("behind", self.pg.port, BEHIND[side.name])
        behind.connect(self.plain.zone)
        if statement.writes:
            self.reset()
            for w in written:
                behind.run(w.alone())
        answer = behind.run(statement.alone())
        behind.close()
        return compare(got, answer, statement) is None

    # -- what was found -------------------------------------------------

    def differs(self, side, statement, route, what, draws):
        text = (f"{statement.number} on {side.name}\n      "
                f"{statement.show()}\n      {what}\n      went to: "
                f"{route.get('backend')} ({route.get('why', route)})")
        for wrong in [] if statement.writes else self.misplaced():
            text += f"\n      before it: {wrong}"
        less = self.smaller(side, statement, draws)
        if less:
            text += f"\n    smaller:\n      {less}"
        self.tell(text)

    def smaller(self, side, statement, draws):
        """The same difference with less; of statements that change nothing."""
        if statement.mode == "again" or statement.writes:
            return None
        kept = [None]

        def fails(less):
            made = draft(Dice(draws=less), statement.number).alone()
            if made.writes:
                return False
            what = compare(self.plain.run(made), side.run(made), made)
            if what:
                kept[0] = f"{made.show()}\n      {what}"
            return bool(what)
        shrink(draws, fails)
        return kept[0]

    def report(self):
        out = [f"{self.statements} statements, {self.checks} checks of whole "
               f"tables, {len(self.found)} differences"]
        total = max(1, self.statements)
        for name, places in self.places.items():
            out.append(f"{name} ran: " + ", ".join(
                f"{n} ({n * 100 / total:.1f}%) {place}"
                for place, n in places.most_common()))
        if self.share() is not None:
            out.append(f"not on the coordinator: {self.share() * 100:.1f}% "
                       "of those that ran")
        out.append("answers: " + ", ".join(
            f"{n} {state}" for state, n in self.states.most_common(12)))
        out += [f"excepted on {side}, {n} times: {reason}"
                for (side, reason), n in self.excepted.most_common()]
        return out
