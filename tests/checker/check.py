# SPDX-License-Identifier: PostgreSQL
"""Judges a history: which promises held.  Pure.

An event is a dict; see Actor.note().  Versions of a register follow each
other without gaps, and the log has all that were committed, so a read of
version n is stale from the moment on at which somebody was told that a later
one is committed.  A read that was asked before that moment may have either.
"""

import bisect
from collections import Counter, defaultdict

KEEP = 5  # violations of a kind that are told


class Bounds:
    """How old a read may be, in seconds: of what was written through the same
    process, and of all else."""

    def __init__(self, same, other, forward=True):
        self.same, self.other = same, other
        self.forward = forward  # a session never goes back in time


class Verdict:
    def __init__(self):
        self.counts = Counter()
        self.violations = defaultdict(list)
        self.staleness = {"same": [], "other": []}  # seconds, of stale reads

    def violation(self, kind, what):
        self.counts[f"violations: {kind}"] += 1
        if len(self.violations[kind]) < KEEP:
            self.violations[kind].append(what)

    @property
    def good(self):
        return not self.violations

    def largest(self, of):
        return max(self.staleness[of], default=0.0)


class Register:
    """The committed versions of one key, in order."""

    def __init__(self):
        self.values = {}   # version -> value
        self.acks = {}     # version -> (told at, via)
        self.invoked = {}  # version -> commit asked at
        self.later = {}    # via (None: any) -> ([told at, ...], [version, ...])

    def finish(self):
        """For each process the moments at which a version, or a later one,
        was known to be committed."""
        by_via = defaultdict(list)
        for version, (told, via) in self.acks.items():
            by_via[via].append((told, version))
            by_via[None].append((told, version))
        for via, told in by_via.items():
            told.sort()
            best, times, versions = 0, [], []
            for at, version in told:
                if version > best:
                    best = version
                    times.append(at)
                    versions.append(version)
            self.later[via] = (times, versions)

    def told_after(self, version, via):
        """When the first version later than this was told; None: never."""
        times, versions = self.later.get(via, ((), ()))
        i = bisect.bisect_right(versions, version)
        return times[i] if i < len(versions) else None


class Checker:
    def __init__(self, events, log, bounds):
        self.events = sorted(events, key=lambda e: e["invoked"])
        self.bounds = bounds
        self.out = Verdict()
        self.registers = defaultdict(Register)
        self.aborted = set()
        for k, version, value in log:
            self.registers[k].values[version] = value
        self.written = {v: (k, n) for k, r in self.registers.items()
                        for n, v in r.values.items()}

    def run(self):
        for e in self.events:
            if e["kind"] == "write":
                self.write(e)
        for r in self.registers.values():
            r.finish()
        self.whole_log()
        seen = {}
        for e in self.events:
            self.out.counts[e["kind"]] += 1
            judge = getattr(self, "judge_" + e["kind"], None)
            if judge:
                judge(e)
            if e["kind"] == "read":
                self.monotonic(e, seen)
        return self.out

    # -- writes ------------------------------------------------------------

    def write(self, e):
        out, value = self.out, e["value"]
        out.counts["outcome " + e["outcome"]] += 1
        place = self.written.get(value)
        if e["outcome"] == "ok" and place is None:
            out.violation("lost write", f"{value} was acknowledged")
        elif e["outcome"] == "aborted" and place is not None:
            out.violation("undone write is there", value)
        elif e["outcome"] == "ok" and place[1] != e["version"]:
            out.violation("garbage", f"{value}: told version {e['version']}, "
                          f"is {place[1]}")
        if e["outcome"] == "aborted":
            self.aborted.add(value)
        if place is None:
            return
        register = self.registers[place[0]]
        register.invoked[place[1]] = e["invoked"]
        if e["outcome"] == "ok":
            register.acks[place[1]] = (e["returned"], e["via"])

    def whole_log(self):
        for k, r in self.registers.items():
            if sorted(r.values) != list(range(1, len(r.values) + 1)):
                self.out.violation("lost write", f"versions of {k} have gaps")

    # -- reads -------------------------------------------------------------

    def version_is_real(self, e, k, version, value):
        register = self.registers[k]
        if register.values.get(version) == value:
            if e["returned"] < register.invoked.get(version, 0):
                self.out.violation("from the future", f"{k}: {value}")
            return True
        if value in self.aborted:
            self.out.violation("uncommitted data", f"{k}: {value}")
        elif value in self.written:
            self.out.violation("garbage", f"{k}: version {version} with "
                               f"{value}")
        else:
            self.out.violation("uncommitted data", f"{k}: {value}, of a "
                               "transaction that was lost")
        return False

    def judge_read(self, e):
        k, version = e["k"], e["version"]
        if not self.version_is_real(e, k, version, e["value"]):
            return
        if version < e.get("after", 0):
            self.out.violation("own write not read", str(e))
        self.age(e, k, version)

    def age(self, e, k, version):
        register = self.registers[k]
        for of, via, bound in (("same", e["via"], self.bounds.same),
                               ("other", None, self.bounds.other)):
            told = register.told_after(version, via)
            if told is None or told >= e["invoked"]:
                continue
            age = (e["invoked"] - told) / 1e9
            self.out.staleness[of].append(age)
            if age > bound:
                self.out.violation(
                    "stale, written here" if of == "same" else "stale",
                    f"{e['actor']} via {e['via']}: version {version} of {k}, "
                    f"{age:.4f} s after a later one was told")

    def monotonic(self, e, seen):
        """Of the same question: another one has a result of its own, which
        may be older as far as the bounds allow."""
        question = e["actor"], e["k"], e["form"]
        last = seen.get(question, 0)
        self.out.counts["went back"] += e["version"] < last
        if e["version"] < last and self.bounds.forward:
            self.out.violation("went back", f"{e['actor']} via {e['via']}: "
                               f"{e['version']} of {e['k']} after {last}")
        seen[question] = max(last, e["version"])

    def judge_many(self, e):
        """All rows are of one moment: there is one at which each of these
        versions was the last."""
        low, high = 0, 1 << 63
        for k, version, value in e["rows"]:
            if not self.version_is_real(e, k, version, value):
                return
            self.age(e, k, version)
            register = self.registers[k]
            low = max(low, register.invoked.get(version, 0))
            if version + 1 in register.acks:
                high = min(high, register.acks[version + 1][0])
        if low > high:
            self.out.violation("torn", f"{e['actor']}: {e['rows']}")

    def judge_sum(self, e):
        if e["found"] != e["expected"]:
            self.out.violation("torn", f"sum {e['found']}")

    def judge_own(self, e):
        if e["found"] != e["expected"]:
            self.out.violation("own write not read", str(e))

    def judge_order(self, e):
        if e["found"] != e["expected"]:
            self.out.violation("out of order", str(e["found"]))

    def judge_shape(self, e):
        self.out.violation("shape", e["found"])

    def judge_refused(self, e):
        """A timeout is that of the session that has asked for one."""
        if e["sqlstate"] == "57014":
            self.out.violation("another's error", e["actor"])

    def judge_foreign(self, e):
        if e["found"] != e["expected"]:
            self.out.violation("foreign", f"{e['actor']}: {e['found']}, "
                               f"expected {e['expected']}")


def check(events, log, bounds):
    return Checker(events, log, bounds).run()
