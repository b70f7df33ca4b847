#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Does pgsluice last?  Everything on, and something always goes wrong.

    tests/soak/run.py [--seconds N] [--clients N] [--rate N] [--seed N]
                      [--bin PATH] [--memory]

Starts a PostgreSQL, a Redis and a pgsluice of its own.  Clients check every
answer while servers are killed, Redis is killed and emptied, configuration
changes.  Told in the end: operations, errors by SQLSTATE, how resident memory
rose an hour after the first third, descriptors before and after.  Status 1: a
wrong answer, a lost write, a leak, a report of a sanitizer, or an end that was
none.  --memory leaves the slope out, as builds with sanitizers keep what is
freed.
"""

import argparse
import contextlib
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import harness  # noqa: E402
from trouble import Trouble  # noqa: E402
from work import Client, Tally  # noqa: E402
from world import World  # noqa: E402

MIB = 1 << 20
MOST_SLOPE = 1.0  # MiB an hour


class Gauge:
    """Resident memory and descriptors of the daemon, over time."""

    def __init__(self, pid):
        self.pid, self.began, self.samples = pid, time.monotonic(), []

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def sample(self):
        self.samples.append((time.monotonic() - self.began, self.resident(),
                             self.descriptors()))

    def slope(self):
        """MiB an hour: the median over all pairs of samples (Theil, 1950)
        after the first third, in which caches and pools fill."""
        late = self.samples[len(self.samples) // 3:]
        step = max(1, len(late) // 300)
        late = late[::step]
        slopes = sorted((r2 - r1) / (t2 - t1)
                        for i, (t1, r1, _) in enumerate(late)
                        for t2, r2, _ in late[i + 1:])
        return slopes[len(slopes) // 2] * 3600 / MIB if slopes else 0.0


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--seconds", type=float, default=3600)
    p.add_argument("--clients", type=int, default=24)
    p.add_argument("--rate", type=float, default=15,
                   help="operations a second of each client")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--bin", default=harness.binary())
    p.add_argument("--memory", action="store_true",
                   help="any slope of memory will do")
    p.add_argument("--quiet", action="store_true")
    return p.parse_args()


class Soak:
    """One run."""

    def __init__(self, world, args):
        self.world, self.args, self.tally = world, args, Tally()
        self.gauge = Gauge(world.sluice.pid)
        self.clients = [Client(world, n, self.tally, args.rate, args.seed)
                        for n in range(args.clients)]
        self.trouble = Trouble(world, random.Random(args.seed))
        self.before = self.after = self.quiet_descriptors()

    def quiet_descriptors(self):
        """The most that it has while nobody is there."""
        most = 0
        for _ in range(20):
            most = max(most, self.gauge.descriptors())
            time.sleep(0.1)
        return most

    def say(self, text):
        if not self.args.quiet:
            print(text, flush=True)

    def run(self):
        for c in self.clients:
            c.start()
        told = time.monotonic()
        end = told + self.args.seconds
        while time.monotonic() < end and self.world.sluice.running:
            self.trouble.step()
            self.gauge.sample()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                self.say(self.line())
            time.sleep(1)
        self.stop_clients()
        if self.world.sluice.running:
            self.settle()
        self.check_writes()

    def line(self):
        t, rss, fds = self.gauge.samples[-1]
        return (f"{t:6.0f} s  {self.tally.done.total():8} done  "
                f"{self.tally.errors.total():6} errors  "
                f"{len(self.tally.wrong):3} wrong  {rss / MIB:6.1f} MiB  "
                f"{fds:4} descriptors")

    def stop_clients(self):
        for c in self.clients:
            c.over.set()
        for c in self.clients:
            c.join(60)
            if c.is_alive():
                self.tally.mistake(f"{c.name}: no end")

    def settle(self):
        """Nobody is there any more; servers are given up when idle."""
        def back():
            self.after = self.gauge.descriptors()
            return self.after <= self.before
        with contextlib.suppress(harness.LabError):
            harness.wait_for("descriptors", back, 30)

    def check_writes(self):
        """What was acknowledged is there, by PostgreSQL's own words."""
        rows = self.world.pg.psql("SELECT id, n FROM account", "app")
        found = dict(map(int, line.split("|")) for line in rows.splitlines())
        for c in self.clients:
            for key, owned in enumerate(c.accounts, c.number * 100):
                if not owned.fits(found[key]):
                    self.tally.mistake(
                        f"lost write: account {key} is {found[key]}, not "
                        f"{owned.low} to {owned.high}")

    def failures(self):
        """What this run must not have seen."""
        out = self.tally.wrong[:20]
        if len(self.tally.wrong) > 20:
            out.append(f"and {len(self.tally.wrong) - 20} more")
        if not self.world.sluice.running:
            out.append("pgsluice ended:\n" + self.world.sluice.tail(40))
        if self.after > self.before:
            out.append(f"{self.after} descriptors after, {self.before} before")
        if self.gauge.slope() > MOST_SLOPE and not self.args.memory:
            out.append(f"memory rises by {self.gauge.slope():.2f} MiB/h")
        out += self.trouble.failed
        idle = {f.__name__ for _, f in self.clients[0].operations} - \
            set(self.tally.done)
        if idle:
            out.append(f"never done: {', '.join(sorted(idle))}")
        return out

    def report(self):
        t, g = self.tally, self.gauge
        resident = [r / MIB for _, r, _ in g.samples]

        def listed(counter):
            return ", ".join(f"{k} {n}" for k, n in counter.most_common())
        self.say(f"""
time           {g.samples[-1][0]:.0f} s, seed {self.args.seed}
operations     {t.done.total()}: {listed(t.done)}
errors         {t.errors.total()}: {listed(t.errors)}
troubles       {self.trouble.fired.total()}: {listed(self.trouble.fired)}
wrong answers  {len(t.wrong)}
memory         {min(resident):.1f} to {max(resident):.1f} MiB, \
{g.slope():+.2f} MiB/h after the first third
descriptors    {self.before} before, {max(n for _, _, n in g.samples)} at \
most, {self.after} after""")
        for state, text in t.example.items():
            self.say(f"the first {state}: {' '.join(text.split())}")


def main():
    args = arguments()
    with harness.lablib.Lab() as lab:
        run = Soak(World(lab, args.bin, args.clients), args)
        run.run()
        run.report()
        failures = run.failures()
        try:
            run.world.sluice.stop()
        except AssertionError as e:
            failures.append(str(e))
    for text in failures:
        print(f"FAILED: {text}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
