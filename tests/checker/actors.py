# SPDX-License-Identifier: PostgreSQL
"""What the sessions do.

Registers have a version that every write makes one higher, and a value that
is written once in a run, so the order of versions is known without guessing.
A log, written in the same transaction, tells afterwards which were committed.
"""

import random

import rawpg
from driver import Lost, Pause

KEYS = range(1, 13)   # of reg, which is written all the time,
CALM = range(13, 17)  # and of calm, which is written now and then
ACCOUNTS, EACH = 10, 1000
SCHEMAS = ("north", "south")
READERS = ("alice", "bob")

SCHEMA = f"""
CREATE TABLE reg (k int PRIMARY KEY, ver bigint NOT NULL, val text NOT NULL);
INSERT INTO reg SELECT k, 1, 'first ' || k
  FROM generate_series({KEYS[0]}, {KEYS[-1]}) k;
CREATE TABLE calm (k int PRIMARY KEY, ver bigint NOT NULL, val text NOT NULL);
INSERT INTO calm SELECT k, 1, 'first ' || k
  FROM generate_series({CALM[0]}, {CALM[-1]}) k;
CREATE TABLE reg_log (k int, ver bigint, val text, PRIMARY KEY (k, ver));
INSERT INTO reg_log SELECT * FROM reg UNION ALL SELECT * FROM calm;
CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL);
INSERT INTO account SELECT i, {EACH} FROM generate_series(1, {ACCOUNTS}) i;
CREATE TABLE pad (n int PRIMARY KEY);
INSERT INTO pad SELECT generate_series(1, 10);
CREATE TABLE divisor (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO divisor VALUES (1, 1);
""" + "".join(f"""
CREATE SCHEMA {s}; GRANT USAGE ON SCHEMA {s} TO PUBLIC;
CREATE TABLE {s}.here (name text PRIMARY KEY);
INSERT INTO {s}.here VALUES ('{s}');
GRANT SELECT ON {s}.here TO PUBLIC;
""" for s in SCHEMAS) + "".join(f"""
CREATE TABLE of_{r} (word text PRIMARY KEY);
INSERT INTO of_{r} VALUES ('{r}');
GRANT SELECT ON of_{r} TO {r};
GRANT SELECT, UPDATE, INSERT ON reg, calm, reg_log, account, divisor, pad
  TO {r};
""" for r in READERS)

SCHEMA += """
RESET ROLE;
CREATE PUBLICATION pgsluice FOR TABLE reg, calm, account, divisor, north.here,
  south.here, of_alice, of_bob, pad;
"""


def ask(sql):
    return rawpg.query(sql), 1


def extended(sql, values):
    return (rawpg.parse("", sql) + rawpg.bind("", "", values) +
            rawpg.describe("P") + rawpg.execute() + rawpg.sync()), 1


def text(answer):
    return rawpg.text_rows(answer)


def failed(answer):
    return rawpg.sqlstates(answer)


class Tokens:
    """Values that are written once."""

    def __init__(self, name):
        self.name, self.n = name, 0

    def next(self):
        self.n += 1
        return f"{self.name}.{self.n}"


def table(k):
    return "reg" if k in KEYS else "calm"


def whole(token, k):
    return (f"WITH u AS (UPDATE {table(k)} SET ver = ver + 1, "
            f"val = '{token}' WHERE k = {k} RETURNING k, ver, val) "
            "INSERT INTO reg_log SELECT * FROM u RETURNING ver")


def write_whole(actor, rng, token, k):
    """One statement."""
    sql = whole(token, k)
    try:
        answer = yield (ask(sql) if rng.random() < 0.5 else extended(sql, ()))
    except Lost:
        actor.note("write", k=k, value=token, outcome="unknown")
        raise
    ok = not failed(answer)
    actor.note("write", k=k, value=token, outcome="ok" if ok else "unknown",
               version=int(text(answer)[0][0]) if ok else None)


def write_block(actor, rng, token, k):
    """A transaction; some are taken back, having read what they wrote."""
    undo = rng.random() < 0.3
    steps = ["BEGIN",
             f"UPDATE {table(k)} SET ver = ver + 1, val = '{token}' WHERE "
             f"k = {k} RETURNING ver",
             f"INSERT INTO reg_log SELECT * FROM {table(k)} WHERE k = {k}"]
    if rng.random() < 0.5:
        steps.append(f"SELECT ver, val FROM {table(k)} WHERE k = {k}")
    steps.append("ROLLBACK" if undo else "COMMIT")
    version = None
    for n, sql in enumerate(steps):
        last = n == len(steps) - 1
        try:
            answer = yield ask(sql)
        except Lost:
            actor.note("write", k=k, value=token,
                       outcome="aborted" if undo else "unknown")
            raise
        if failed(answer):
            yield ask("ROLLBACK")
            actor.note("write", k=k, value=token,
                       outcome="unknown" if last else "aborted")
            return
        if "RETURNING" in sql:
            version = int(text(answer)[0][0])
        if sql.startswith("SELECT"):
            actor.note("own", k=k, expected=(str(version), token),
                       found=tuple(text(answer)[0]))
    actor.note("write", k=k, value=token, version=version,
               outcome="aborted" if undo else "ok")


def write_and_read(actor, rng, token, k):
    """Both in one go: the answers must come in order."""
    try:
        answer = yield (rawpg.query(whole(token, k)) +
                        rawpg.query(f"SELECT ver, val FROM {table(k)} "
                                    f"WHERE k = {k}"), 2)
    except Lost:
        actor.note("write", k=k, value=token, outcome="unknown")
        raise
    if failed(answer):
        actor.note("write", k=k, value=token, outcome="unknown")
        return
    tags = rawpg.tags(answer)
    found = text(answer)
    actor.note("write", k=k, value=token, outcome="ok",
               version=int(found[0][0]) if len(found) == 2 else None)
    actor.note("order", expected=["INSERT 0 1", "SELECT 1"], found=tags)
    if tags == ["INSERT 0 1", "SELECT 1"]:
        actor.note("read", k=k, version=int(found[1][0]), value=found[1][1],
                   form="simple", after=int(found[0][0]))


def often(rng):
    """Some keys more than others."""
    return KEYS[min(rng.randrange(len(KEYS)), rng.randrange(len(KEYS)))]


def seldom(rng):
    return rng.choice(CALM)


def writer(seed, rate, key=often):
    def script(actor):
        rng = random.Random(f"{seed}/{actor.name}")
        if not hasattr(actor, "tokens"):
            actor.tokens = Tokens(actor.name)
        while True:
            yield Pause(rng.expovariate(rate))
            k = key(rng)
            how = rng.choices((write_whole, write_block, write_and_read),
                              (5, 4, 2))[0]
            yield from how(actor, rng, actor.tokens.next(), k)
    return script


def banker(seed, rate):
    """Moves money, and makes the divisor zero now and then."""
    def script(actor):
        rng = random.Random(f"{seed}/{actor.name}")
        while True:
            yield Pause(rng.expovariate(rate))
            a, b = rng.sample(range(1, ACCOUNTS + 1), 2)
            x = rng.randrange(1, 50)
            for sql in ("BEGIN",
                        f"UPDATE account SET amount = amount - {x} "
                        f"WHERE id = {min(a, b)}",
                        f"UPDATE account SET amount = amount + {x} "
                        f"WHERE id = {max(a, b)}",
                        "UPDATE divisor SET n = 1 - n WHERE id = 1",
                        "COMMIT" if rng.random() < 0.8 else "ROLLBACK"):
                if "divisor" in sql and rng.random() < 0.7:
                    continue
                answer = yield ask(sql)
                if failed(answer):
                    yield ask("ROLLBACK")
                    break
            else:
                actor.note("transfer")
    return script


SLOW = ("SELECT count(*) FROM account a, account b, account c, account d "
        "WHERE a.amount + b.amount + c.amount + d.amount > 0")


# Takes some 100 ms, in which much can happen.
LONG = (f"SELECT ver, val FROM calm WHERE k = {CALM[0]} AND (SELECT "
        "count(*) FROM pad a, pad b, pad c, pad d, pad e, pad f WHERE a.n + "
        "b.n + c.n + d.n + e.n + f.n > 0) > 0")


def patient(seed, rate):
    """One register, read slowly."""
    def script(actor):
        rng = random.Random(f"{seed}/{actor.name}")
        while True:
            yield Pause(rng.expovariate(rate))
            answer = yield ask(LONG)
            if failed(answer):
                actor.note("refused", sqlstate=failed(answer)[0])
            elif len(text(answer)) != 1:
                actor.note("shape", found=repr(answer)[:300])
            else:
                actor.note("read", k=CALM[0], version=int(text(answer)[0][0]),
                           value=text(answer)[0][1], form="long")
    return script


def hurried(seed, rate):
    """Gives up early what others are patient enough for."""
    def script(actor):
        rng = random.Random(f"{seed}/{actor.name}")
        yield ask("SET statement_timeout = '1ms'")
        while True:
            yield Pause(rng.expovariate(rate))
            answer = yield ask(SLOW)
            actor.note("hurried", failed=failed(answer))
    return script


# -- readers ------------------------------------------------------------------

ONE = {t: f"SELECT ver, val FROM {t} WHERE k = $1" for t in ("reg", "calm")}


def read_one(actor, rng, k):
    form = rng.choice(("simple", "extended", "named"))
    if form == "simple":
        answer = yield ask(f"SELECT ver, val FROM {table(k)} WHERE k = {k}")
        whole = "TDCZ"
    elif form == "extended":
        answer = yield extended(ONE[table(k)], [str(k)])
        whole = "12TDCZ"
    else:
        answer = yield (rawpg.bind("", table(k), [str(k)]) +
                        rawpg.describe("P") + rawpg.execute() + rawpg.sync(),
                        1)
        whole = "2TDCZ"
    if not failed(answer) and rawpg.types(answer) != whole:
        actor.note("shape", found=rawpg.types(answer))
        return
    if failed(answer):
        actor.note("refused", sqlstate=failed(answer)[0])
        return
    found = text(answer)
    if len(found) != 1 or len(found[0]) != 2:
        actor.note("shape", found=repr(answer)[:300])
        return
    actor.note("read", k=k, version=int(found[0][0]), value=found[0][1],
               form=form)


def read_some(actor, rng, _):
    keys = sorted(rng.sample(KEYS, 3))
    answer = yield ask("SELECT k, ver, val FROM reg WHERE k IN "
                       f"({', '.join(map(str, keys))}) ORDER BY k")
    if failed(answer):
        actor.note("refused", sqlstate=failed(answer)[0])
        return
    found = text(answer)
    if [r[0] for r in found] != [str(k) for k in keys]:
        actor.note("shape", found=repr(answer)[:300])
        return
    actor.note("many", rows=[(int(k), int(n), v) for k, n, v in found])


def read_sum(actor, _rng, _k):
    answer = yield ask("SELECT sum(amount), count(*) FROM account")
    if failed(answer):
        actor.note("refused", sqlstate=failed(answer)[0])
        return
    actor.note("sum", found=text(answer), expected=[
        (str(ACCOUNTS * EACH), str(ACCOUNTS))])


def read_divided(actor, _rng, _k):
    answer = yield ask("SELECT 10 / n AS tenth FROM divisor WHERE id = 1")
    if failed(answer) == ["22012"]:
        return
    if failed(answer):
        actor.note("refused", sqlstate=failed(answer)[0])
    elif text(answer) != [("10",)] or "T" not in rawpg.types(answer):
        actor.note("shape", found=repr(answer)[:300])


def read_slow(actor, _rng, _k):
    answer = yield ask(SLOW)
    if failed(answer):
        actor.note("refused", sqlstate=failed(answer)[0])
    elif len(text(answer)) != 1:
        actor.note("shape", found=repr(answer)[:300])


def read_block(actor, rng, k):
    """As mappers do: a transaction around a read."""
    for sql in ("BEGIN", None, rng.choice(("COMMIT", "ROLLBACK"))):
        if sql is None:
            yield from read_one(actor, rng, k)
        else:
            yield ask(sql)


def reader(seed, rate=None):
    def script(actor):
        rng = random.Random(f"{seed}/{actor.name}")
        for name, sql in ONE.items():
            yield rawpg.parse(name, sql) + rawpg.sync(), 1
        for _ in range(400):  # and then a new connection
            if rate:
                yield Pause(rng.expovariate(rate))
            k = rng.choice((*KEYS, *CALM))
            how = rng.choices((read_one, read_some, read_sum, read_divided,
                               read_block, read_slow), (24, 6, 4, 2, 4, 1))[0]
            yield from how(actor, rng, k)
    return script


def trespasser(seed, rate):
    """Asks for what only others may see, and for what is in its own schema."""
    def script(actor):
        rng = random.Random(f"{seed}/{actor.name}")
        here = rng.choice(SCHEMAS)
        if failed((yield ask(f"SET search_path = {here}, public"))):
            return
        while True:
            yield Pause(rng.expovariate(rate))
            if rng.random() < 0.1:
                there = rng.choice(SCHEMAS)
                if not failed((yield ask(
                        f"SET search_path = {there}, public"))):
                    here = there
            answer = yield ask("SELECT name FROM here")
            if not failed(answer):
                actor.note("foreign", expected=[(here,)], found=text(answer))
            for owner in READERS:
                answer = yield ask(f"SELECT word FROM of_{owner}")
                if failed(answer) not in ([], ["42501"]):
                    continue
                found = failed(answer) or text(answer)
                actor.note("foreign", found=found, expected=[
                    (owner,)] if owner == actor.user else ["42501"])
    return script
