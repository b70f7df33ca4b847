# SPDX-License-Identifier: PostgreSQL
"""The load that faults are met with, and what is measured of it.

Sessions are those of tests/checker, so that each answer can be judged by its
versions and sums, and others that ask for a word of their own, which nobody
else may be given.  Two groups, a process each: `app`, whose way has the fault,
and `other`, at another backend, whom it does not concern.
"""

import collections
import dataclasses
import multiprocessing
import pickle
import random
import time

import actors
import rawpg
from driver import Actor, Loop, Pause

GROUPS = ("app", "other")
# Of sessions that ask for what has to fail.
MEANT = {"22012", "42501",
         "25P02"}  # and in a transaction in which something has failed
HUNG = 10.0  # seconds, after which a statement without an answer is lost

Sample = collections.namedtuple("Sample", "invoked returned outcome who")


def word(seed, rate):
    """Asks for a word that nobody has said before; now and then in a
    transaction, which stays with its server."""
    def script(actor):
        rng = random.Random(f"{seed}/{actor.name}")
        if not hasattr(actor, "tokens"):
            actor.tokens = actors.Tokens(actor.name)
        yield rawpg.parse("word", "SELECT $1::text") + rawpg.sync(), 1
        while True:
            yield Pause(rng.expovariate(rate))
            block = rng.random() < 0.2
            if block:
                yield actors.ask("BEGIN")
            for _ in range(2 if block else 1):
                token = actor.tokens.next()
                answer = yield rng.choice((
                    actors.ask(f"SELECT '{token}'"),
                    actors.extended("SELECT $1::text", [token]),
                    (rawpg.bind("", "word", [token]) + rawpg.describe("P") +
                     rawpg.execute() + rawpg.sync(), 1)))
                if not actors.failed(answer):
                    actor.note("foreign", expected=[(token,)],
                               found=actors.text(answer))
            if block:
                yield actors.ask("COMMIT")
    return script


def crowd(group, port, seed, run):
    """The sessions of a group; names are of this run alone, since values are
    written once."""
    out = []

    def add(name, script, user="app", database="app"):
        out.append(Actor(f"{run}-{name}", port, "first", script, user,
                         database))

    if group == "other":
        for n in range(3):
            add(f"o{n}", word(seed, 30), database="other")
        return out
    for n in range(2):
        add(f"w{n}", actors.writer(seed, 15))
        add(f"e{n}", word(seed, 20))
        add(f"r{n}", actors.reader(seed, 40))
    add("c", actors.writer(seed, 5, actors.seldom))
    add("b", actors.banker(seed, 5))
    for n in range(6):
        add(f"i{n}", word(seed, 0.5))
    for user in actors.READERS:
        add(f"t{user}", actors.trespasser(seed, 5), user)
    return out


class Watched(Loop):
    """Notes when each answer came, and which: an SQLSTATE, `lost` (the
    connection ended amid it), `idle` (ended while nothing was asked), `login`
    (no session was to be had)."""

    def __init__(self, crowd_, stop, served):
        super().__init__(crowd_, None)
        self.stop, self.served, self.samples = stop, served, []

    def left(self):
        return 0.0 if self.stop.value else 0.1

    def begin(self, actor):
        actor.invoked = time.monotonic_ns()
        super().begin(actor)
        if actor.sock is None:
            self.note(actor, time.monotonic_ns(), "login")

    def note(self, actor, returned, outcome):
        self.samples.append(Sample(actor.invoked / 1e9, returned / 1e9,
                                   outcome, actor.name))

    def advance(self, actor, answer, lost=False):
        states = [s for s in actors.failed(actor.answer) if s not in MEANT] \
            if lost or answer is not None else None
        if lost:
            self.note(actor, actor.returned, states[-1] if states else
                      "lost" if actor.ready > 0 else "idle")
        elif states is not None:
            self.note(actor, actor.returned, states[-1] if states else "ok")
            self.served.value += not states
        super().advance(actor, answer, lost)

    def unanswered(self):
        """Sessions that have waited for too long."""
        now = time.monotonic_ns()
        return [a.name for a in self.actors if a.sock is not None and
                a.ready > 0 and now - a.invoked > HUNG * 1e9]


def play(group, port, seed, run, stop, served, path):
    """In a process of its own, until it is told to stop."""
    loop = Watched(crowd(group, port, seed, run), stop, served)
    loop.run()
    loop.samples += [Sample(0, 0, "hung", name) for name in loop.unanswered()]
    with open(path, "wb") as f:
        pickle.dump(([event for a in loop.actors for event in a.history],
                     [tuple(s) for s in loop.samples]), f)


class Load:
    """It runs from start to finish()."""

    def __init__(self, work, ports, seed, run):
        self.work, self.run = work, run
        context = multiprocessing.get_context("fork")
        self.stop = context.Value("i", 0)
        self.served = {g: context.Value("L", 0) for g in GROUPS}
        self.paths = {g: f"{work}/history-{run}-{g}" for g in GROUPS}
        self.players = [context.Process(
            target=play, args=(g, ports[g], seed, run, self.stop,
                               self.served[g], self.paths[g]), daemon=True)
            for g in GROUPS]
        for p in self.players:
            p.start()

    def wait(self, answers=60, groups=GROUPS, timeout=30.0):
        """Until so many more have come to each group.  False: they do not."""
        goal = {g: self.served[g].value + answers for g in groups}
        end = time.monotonic() + timeout
        while any(self.served[g].value < n for g, n in goal.items()):
            if time.monotonic() > end or \
                    not all(p.is_alive() for p in self.players):
                return False
            time.sleep(0.02)
        return True

    def finish(self):
        """(events, {group: samples})"""
        self.stop.value = 1
        events, samples = [], {}
        for group, player in zip(GROUPS, self.players):
            player.join(60)
            if player.exitcode != 0:
                player.kill()
                raise RuntimeError(f"the load of {group} ended with status "
                                   f"{player.exitcode}")
            with open(self.paths[group], "rb") as f:
                seen, found = pickle.load(f)
            events += seen
            samples[group] = [Sample(*s) for s in found]
        return events, samples


def quantile(took, q):
    took = sorted(took)
    return took[min(len(took) - 1, int(len(took) * q))] if took else 0.0


@dataclasses.dataclass
class Figures:
    """Of one group; the fault lasted from begin to end."""
    samples: list
    begin: float
    end: float

    def within(self, low, high):
        return [s for s in self.samples if low <= s.returned < high]

    @property
    def failures(self):
        return [s for s in self.samples if s.outcome != "ok"]

    @property
    def errors(self):
        """How many by what they were told, from the fault's begin on."""
        return dict(sorted(collections.Counter(
            s.outcome for s in self.failures if s.returned >= self.begin or
            s.outcome == "hung").items()))

    @property
    def before(self):
        """Failures when nothing was wrong yet."""
        return [s for s in self.failures
                if s.returned < self.begin and s.outcome != "hung"]

    @property
    def to_error(self):
        """Seconds until the first one."""
        return min((s.returned - self.begin for s in self.failures
                    if s.returned >= self.begin), default=None)

    @property
    def to_recovery(self):
        """Seconds from the fault's end until nothing fails any more and
        something is answered; None: never."""
        good = [s.returned for s in self.samples
                if s.outcome == "ok" and s.returned >= self.end]
        bad = [s.returned for s in self.failures if s.returned >= self.end]
        since = max(bad, default=self.end)
        good = [g for g in good if g >= since]
        if not good:
            return None
        return (since if bad else min(good)) - self.end

    def p99(self, low, high):
        """Of what was answered, in ms."""
        return 1000 * quantile([s.returned - s.invoked
                                for s in self.within(low, high)
                                if s.outcome == "ok"], 0.99)

    @property
    def slowest(self):
        """Seconds, of statements that were under way in the fault."""
        return max((s.returned - s.invoked for s in self.samples
                    if s.outcome != "hung" and s.returned >= self.begin),
                   default=0.0)
