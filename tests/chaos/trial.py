# SPDX-License-Identifier: PostgreSQL
"""One fault with its load: what is expected, what was found, whether it holds.

A fault is a function that is given a Trial.  It makes the fault, waits as long
as it lasts, and takes it back; what it finds beyond what is always measured it
notes with show() and expect().  Wrong answers, lost writes and statements
without an answer are failures whatever the fault is.
"""

import contextlib
import dataclasses
import os
import re
import time
import traceback

import psycopg

from check import check
from harness import until
from load import GROUPS, Figures, Load
from packets import Network
from scene import checker

QUIET = 0.7  # seconds before a fault and after it, where times are judged
FAULTS = {}


@dataclasses.dataclass
class Fault:
    name: str
    title: str
    expected: str
    play: object
    states: frozenset    # what the app may be told
    others: frozenset    # what the others may be told
    recovery: float      # seconds, from the fault's end
    needs: object        # called: why it cannot be made here, or None
    load: bool = True
    short: bool = False  # played by the end-to-end tests too


def fault(name, title, expected, states="", others="", recovery=1.0,
          needs=lambda: None, **more):
    """Registers a fault; states are words in a text."""
    def register(play):
        FAULTS[name] = Fault(name, title, expected, play,
                             frozenset(states.split()),
                             frozenset(others.split()), recovery, needs,
                             **more)
        return play
    return register


class Trial:
    """What a fault's function is given."""

    def __init__(self, scene, fault_, seconds, timed=True):
        self.scene, self.fault, self.seconds = scene, fault_, seconds
        self.timed = timed  # times are judged, and not only told
        self.begin = self.end = 0.0
        self.load = None
        self.shown, self.wrong = [], []
        self.clean = contextlib.ExitStack()  # undone when all is judged
        self.inspect = None  # called with the figures of app and other

    # -- what a fault's function calls -------------------------------------

    def start(self, **how):
        """pgsluice, and the load on it; returns when both are at work."""
        self.scene.serve(**how)
        if self.fault.load:
            self.load = Load(self.scene.lab.work, self.scene.ports,
                             self.scene.seed, self.fault.name)
            self.expect("load", self.load.wait())
            self.quiet()
        self.begin = time.monotonic()

    def quiet(self):
        time.sleep(QUIET if self.timed else QUIET / 3)

    def over(self):
        """The fault has ended; what fails from now on counts as recovery."""
        self.end = time.monotonic()

    def last(self, share=1.0):
        time.sleep(self.seconds * share)

    def show(self, what, value):
        self.shown.append(f"{what} {value}" if what else str(value))

    def expect(self, what, holds, found=None):
        """A failure unless it holds."""
        if found is not None:
            self.show(what, found)
        if not holds:
            self.wrong.append(what if found is None else f"{what}: {found}")

    def within(self, what, seconds, limit):
        """A time, judged where times are."""
        self.show(what, f"{seconds:.2f} s")
        if self.timed and seconds > limit:
            self.wrong.append(f"{what}: {seconds:.2f} s, over {limit:g} s")

    def until(self, what, condition, timeout=30):
        """Seconds that it takes until the condition holds."""
        began = time.monotonic()
        try:
            until(condition, timeout)
        except Exception as e:  # it may be of any service
            self.wrong.append(f"{what}: {e}")
        return time.monotonic() - began

    def answers(self):
        """Somebody who comes now is served by the backend."""
        try:
            return self.scene.sluice.query("SELECT 1") == [(1,)]
        except psycopg.Error:
            return False

    def redis_is_back(self):
        return self.scene.sluice.on_redis()

    def status(self, name):
        """A figure of /proc/PID/status, in bytes."""
        with open(f"/proc/{self.scene.sluice.pid}/status",
                  encoding="ascii") as f:
            found = re.search(rf"^{name}:\s+(\d+) kB", f.read(), re.M)
        return int(found[1]) * 1024

    def memory(self):
        """Of pgsluice, resident."""
        return self.status("VmRSS")

    def files(self):
        return len(os.listdir(f"/proc/{self.scene.sluice.pid}/fd"))

    def cpu(self):
        """Seconds of processor time that pgsluice has used."""
        with open(f"/proc/{self.scene.sluice.pid}/stat",
                  encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def network(self, *links):
        """Another host, with these on it, and packets in between."""
        scene = self.scene
        paths = {"pg": f"{scene.pg.sockdir}/.s.PGSQL.{scene.pg.port}",
                 "redis": scene.redis_socket}
        made = Network({name: paths[name] for name in links}, scene.seed)
        self.clean.callback(made.close)
        self.clean.callback(scene.stop_serving)
        return made

    # -- judging -----------------------------------------------------------

    def run(self):
        with self.clean:
            self.play()
        return not self.wrong

    def play(self):
        try:
            self.fault.play(self)
        except Exception:
            self.wrong.append("the trial ended early: " +
                              traceback.format_exc(limit=-3))
        if not self.end:
            self.over()
        if self.load:
            self.expect("load afterwards", self.load.wait())
            self.quiet()
            self.judge(*self.load.finish())

    def judge(self, events, samples):
        groups = {g: Figures(samples[g], self.begin, self.end)
                  for g in GROUPS}
        self.judge_errors(groups)
        app, other = groups["app"], groups["other"]
        if app.to_error is not None:
            self.show("first error after", f"{app.to_error:.2f} s")
        back = app.to_recovery
        self.expect("recovery", back is not None)
        if back is not None:
            self.within("recovery", back, self.fault.recovery)
        began = min((s.returned for s in other.samples), default=0)
        self.show("others' p99", f"{other.p99(began, self.begin):.0f} -> "
                  f"{other.p99(self.begin, self.end):.0f} ms")
        if self.inspect:
            self.inspect(app, other)
        self.judge_answers(events)

    def judge_errors(self, groups):
        for name, allowed in (("app", self.fault.states),
                              ("other", self.fault.others)):
            figures = groups[name]
            told = figures.errors
            self.show(f"errors of {name}" if name != "app" else "errors",
                      " ".join(f"{s}:{n}" for s, n in told.items()) or "0")
            for state in told:
                if state not in allowed:
                    self.wrong.append(f"{name} met {state}")
            if figures.before:
                self.wrong.append(f"{name} met {figures.before[0].outcome} "
                                  "before the fault")

    def judge_answers(self, events):
        scene = self.scene
        log = checker.committed(scene.pg)
        verdict = check(events, log, scene.mode.bounds)
        try:
            for what in checker.settled(scene, log):
                verdict.violation("never settled", what)
        except psycopg.Error as e:
            verdict.violation("never settled", str(e))
        for kind, examples in sorted(verdict.violations.items()):
            number = verdict.counts[f"violations: {kind}"]
            self.wrong.append(f"{kind}, {number} times: {examples[0]}")
        self.expect("writes", verdict.counts["outcome ok"] > 0)
        self.show("", f"{len(events)} answers, "
                  f"{verdict.counts['outcome ok']} writes, wrong "
                  f"{sum(map(len, verdict.violations.values()))}")
        mismatches = scene.sluice.metric("pgsluice_verify_mismatches_total") \
            if scene.sluices else 0
        self.expect("hits that were wrong", not mismatches)
