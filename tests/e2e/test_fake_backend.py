# SPDX-License-Identifier: PostgreSQL
"""Backends that break the protocol.

Whatever a server says, the client it concerns gets its right answer or an
error, never something else; that server is not used again; the next client
gets right answers from another; and pgsluice goes on.
"""

import os
import signal
import socket
import struct
import threading
import time

import psycopg
import pytest

import rawpg
from fakepg import (CLOSE, PARAMETERS, FakePG, complete, description, error,
                    fields, notice, ready, row, settings_reply, status)
from harness import Deadline, until, whole
from rawpg import Closed, RawConn, ServerError, message, query

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
workers = $WORKERS
query_timeout = "$QUERY"
query_wait_timeout = "10s"
server_connect_timeout = "$CONNECT"
server_login_retry = "100ms"
backend "main" { conninfo = "host=127.0.0.1 port=$FAKE dbname=d $MORE" }
database "app" { backend = "main" }
"""
BAD = "select 'bad'"
GOOD = "select 'good'"


@pytest.fixture
def fake():
    with FakePG() as f:
        yield f


@pytest.fixture
def make(fake, pgsluice):
    def start(size=1, query_timeout="0", connect="5s", more="", workers=1):
        return pgsluice(CONF, FAKE=fake.port, SIZE=size, QUERY=query_timeout,
                        CONNECT=connect, MORE=more, WORKERS=workers)
    return start


def client(sluice, **kw):
    return RawConn("127.0.0.1", sluice.port, "app", "app", **kw)


def simple(sql):
    return query(sql)


def reply(conn, sql=BAD):
    """The right answer."""
    return conn.answer(sql) + ready()


def outcome(c, data):
    """(messages, bytes of a message that was cut off) of an answer or an end."""
    messages = []
    c.send(data)
    try:
        while not messages or messages[-1][0] != "Z":
            messages.append(c.recv_message())
    except Closed as closed:
        return messages, closed.rest
    return messages, b""


def server_of(messages):
    (body,) = rawpg.bodies(messages, "D")
    return int(rawpg.data_row(body)[0].split(b":")[0])


def check_concerned(name, messages, rest, sql=BAD):
    """The client concerned has an answer that is right, or an error."""
    for values in rawpg.rows(messages):
        assert values[0].split(b":", 1)[1] == sql.encode(), (name, values)
    kinds = rawpg.types(messages)
    if kinds.endswith("Z"):
        assert "D" in kinds or "E" in kinds, (name, messages)
    else:
        assert "E" in kinds or rest, (name, messages)


def check_next(name, sluice, used):
    """Another client gets its right answer, and not from those servers."""
    with client(sluice) as c:
        for extended in (False, True):
            data = whole(GOOD) if extended else simple(GOOD)
            messages, rest = outcome(c, data)
            assert rawpg.types(messages) == ("12TDCZ" if extended else
                                             "TDCZ"), (name, messages, rest)
            ((text,),) = rawpg.text_rows(messages)
            number, sql = text.split(":", 1)
            assert sql == GOOD, name
            assert int(number) not in used, \
                f"{name}: server {number} was used again"


def try_cases(fake, sluice, cases, group=simple, surprises=1):
    """cases: name -> function of the connection that gives what it sends for
    the statement (None: it has sent it, CLOSE: it closes)."""
    for name, case in cases.items():
        used = set()

        def script(conn, _, case=case, used=used):
            used.add(conn.number)
            out = case(conn)
            if isinstance(out, bytes):
                conn.send(out)
                return None
            return out
        fake.on(BAD, script)
        before = sluice.count("server_surprises")
        with client(sluice) as c:
            check_concerned(name, *outcome(c, group(BAD)))
        check_next(name, sluice, used)
        until(lambda: sluice.count("server_surprises") >= before + surprises,
              5)
        assert sluice.count("server_surprises") == before + surprises, name
        assert used, name


# -- surprises ----------------------------------------------------------------

STRAY = {
    "row": row("stray"), "complete": complete(), "ready": ready(),
    "description": description("x"), "parsed": message("1"),
    "bound": message("2"), "closed": message("3"), "no data": message("n"),
    "parameters": message("t", b"\0\0"), "key": message("K", b"\0" * 8),
    "authentication": message("R", struct.pack("!I", 0)),
    "copy in": message("G", b"\0\0\0"), "copy both": message("W", b"\0\0\0"),
    "copy data": message("d", b"x"), "suspended": message("s"),
    "version": message("v", b"\0" * 8), "function": message("V", b"\0" * 4),
    "type 0": message("\0"), "type 255": message(b"\xff"),
    "type ?": message("?", b"what")}


def test_message_behind_ready(fake, make):
    try_cases(fake, make(), {
        name: lambda conn, m=m: reply(conn) + m
        for name, m in STRAY.items()})


def test_message_behind_ready_a_moment_later(fake, make):
    """The server rests in its pool by then."""
    sluice = make()
    for name, stray in STRAY.items():
        used = []

        def script(conn, _, stray=stray, used=used):
            used.append(conn.number)
            conn.send(reply(conn))
            time.sleep(0.05)
            conn.send(stray)
        fake.on(BAD, script)
        before = sluice.count("server_surprises")
        with client(sluice) as c:
            messages, rest = outcome(c, simple(BAD))
            assert rawpg.types(messages) == "TDCZ" and not rest, name
            until(lambda: sluice.count("server_surprises") > before, 5)
            assert c.recv_nothing(), name
            # It is none of its business.
            assert c.ask_rows(GOOD) != [], name
        check_next(name, sluice, used)


def test_wrong_reply_to_a_query(fake, make):
    wrong = ("parsed", "bound", "closed", "no data", "parameters", "key",
             "authentication", "copy both", "suspended", "version",
             "function", "type 0", "type 255", "type ?")
    try_cases(fake, make(), {
        name: lambda conn, m=STRAY[name]: m + reply(conn) for name in wrong})


def extended_reply(conn):
    return (message("1") + message("2") + conn.rows(BAD) + complete() +
            ready())


def test_wrong_reply_to_extended_messages(fake, make):
    def cut(n):
        """Without the n-th message of the answer."""
        def case(conn):
            messages, _ = rawpg.split(extended_reply(conn))
            return b"".join(message(*m) for i, m in enumerate(messages)
                            if i != n)
        return case

    cases = {f"without {kind}": cut(n) for n, kind in
             enumerate("1 2 T D C".split()) if kind != "D"}
    for kind in ("parsed", "bound", "closed", "parameters", "copy both",
                 "type 0", "key"):
        cases[f"{kind} first"] = lambda conn, m=STRAY[kind]: \
            message("1") + m * (m != message("1")) + m * (
                m == message("1")) + extended_reply(conn)[5:]
    cases["simple"] = lambda conn: conn.answer(BAD) + ready()
    cases["nothing but ready"] = lambda conn: ready()
    try_cases(fake, make(), cases, group=whole)


@pytest.mark.parametrize("length", [0, 3, 0x7fffffff, 0x80000000,
                                    0xffffffff])
def test_impossible_lengths(fake, make, length):
    word = struct.pack("!I", length)
    cases = {}
    for kind in "TDCZENSA1d":
        cases[kind] = lambda conn, k=kind: k.encode() + word + b"body"
        cases[f"{kind} behind the answer"] = lambda conn, k=kind: \
            conn.answer(BAD) + k.encode() + word
    try_cases(fake, make(), cases)


def test_messages_too_long_to_be(fake, make):
    """Rows, COPY data, results of functions, errors and notices may be as long
    as PostgreSQL allows."""
    word = struct.pack("!I", 200 * 1024 * 1024)
    try_cases(fake, make(), {
        kind: lambda conn, k=kind: k.encode() + word + b"x" * 1000
        for kind in "TCZSA"})


def test_ready_that_cannot_be(fake, make):
    try_cases(fake, make(), {
        "status ?": lambda conn: conn.answer(BAD) + ready("?"),
        "status 0": lambda conn: conn.answer(BAD) + ready("\0"),
        "no status": lambda conn: conn.answer(BAD) + message("Z"),
        "two": lambda conn: conn.answer(BAD) + message("Z", b"II"),
        "small": lambda conn: conn.answer(BAD) + ready("i"),
    })


def test_complete_that_cannot_be(fake, make):
    try_cases(fake, make(), {
        "empty": lambda conn: conn.rows(BAD) + message("C") + ready(),
        "unterminated": lambda conn: conn.rows(BAD) +
        message("C", b"SELECT 1") + ready(),
    })


def test_errors_that_cannot_be(fake, make):
    try_cases(fake, make(), {
        "empty": lambda conn: message("E") + ready(),
        "unterminated": lambda conn: message(
            "E", b"SERROR\0C42P01\0Mno end") + ready(),
        "no last byte": lambda conn: message(
            "E", b"SERROR\0C42P01\0Mno\0") + ready(),
        "field unterminated": lambda conn: message("E", b"SERROR") + ready(),
    })


# -- odd, but allowed ---------------------------------------------------------

def test_errors_with_fields_missing(fake, make):
    sluice = make()
    for name, body in {
            "no sqlstate": fields("E", S="ERROR", M="no state"),
            "short sqlstate": fields("E", S="ERROR", C="1", M="no state"),
            "no severity": fields("E", C="42P01", M="no severity"),
            "nothing": fields("E"),
            "unknown": fields("E", S="ERROR", C="42P01", M="m", Z="?", Y=""),
    }.items():
        fake.on(BAD, lambda conn, _, body=body: conn.send(body + ready()))
        with client(sluice) as c, sluice.counting(server_surprises=0):
            for group in (simple, whole):
                messages, _ = outcome(c, group(BAD))
                assert rawpg.types(messages) == "EZ", name
                assert rawpg.bodies(messages, "E") == [body[5:]], name
        check_next(name, sluice, ())


def test_notices_and_parameters_at_any_time(fake, make):
    """Between any two messages, and they reach the client in their place."""
    sluice = make()
    extra = (notice() + status("my.parameter", "x") +
             message("A", struct.pack("!I", 7) + b"channel\0payload\0"))
    for n in range(5):
        def script(conn, _, n=n):
            messages, _ = rawpg.split(reply(conn))
            whole_messages = [message(*m) for m in messages]
            if n < 4:
                whole_messages.insert(n, extra)
            else:
                whole_messages.append(extra)
            conn.send(b"".join(whole_messages))
        fake.on(BAD, script)
        with client(sluice) as c, sluice.counting(server_surprises=0):
            messages, rest = outcome(c, simple(BAD))
            kinds = rawpg.types(messages)
            assert not rest
            assert kinds.replace("NSA", "") == "TDCZ", kinds
            assert n == 4 or "NSA" in kinds
            assert rawpg.text_rows(messages)[0][0].endswith(BAD)
        check_next(n, sluice, ())


def test_words_of_an_idle_server_reach_nobody(fake, make):
    sluice = make()
    said = []

    def script(conn, _):
        conn.send(reply(conn))
        time.sleep(0.05)
        conn.send(notice("for nobody") * 3)
        said.append(conn.number)
    fake.on(BAD, script)
    with client(sluice) as c:
        assert rawpg.types(c.ask(BAD)) == "TDCZ"
        until(lambda: said)
        time.sleep(0.1)
        assert c.recv_nothing()
        assert rawpg.types(c.ask(GOOD)) == "TDCZ"


def test_idle_server_whose_settings_changed_is_replaced(fake, make):
    sluice = make()
    used = []

    def script(conn, _):
        used.append(conn.number)
        conn.send(reply(conn))
        time.sleep(0.05)
        conn.send(status("TimeZone", "Europe/Vienna"))
    fake.on(BAD, script)
    with client(sluice) as c, sluice.counting(server_surprises=0):
        c.ask(BAD)
        time.sleep(0.2)
        assert server_of(c.ask(GOOD)) not in used
    # And if it comes with the answer.
    fake.on(BAD, lambda conn, _: (
        used.append(conn.number),
        conn.send(conn.answer(BAD) + status("TimeZone", "UTC") + ready())))
    with client(sluice) as c:
        c.ask(BAD)
        assert server_of(c.ask(GOOD)) not in used


def test_parameters_that_cannot_be(fake, make):
    try_cases(fake, make(), {
        body: lambda conn, body=body: message("S", body) + reply(conn)
        for body in (b"", b"\0", b"TimeZone", b"TimeZone\0",
                     b"TimeZone\0UTC", b"TimeZone\0UTC\0\0")})


def test_fatal_right_behind_ready(fake, make):
    """The client has its answer; the server is done with."""
    sluice = make()
    for group in (simple, whole):
        used = []

        def script(conn, _, used=used, group=group):
            used.append(conn.number)
            conn.send((reply(conn) if group is simple else
                       extended_reply(conn)) +
                      error("going down", "FATAL", "57P01"))
            return CLOSE
        fake.on(BAD, script)
        with client(sluice) as c, sluice.counting(server_surprises=0):
            messages, rest = outcome(c, group(BAD))
            assert rawpg.types(messages).endswith("DCZ") and not rest
            messages, rest = outcome(c, simple(GOOD))
            assert rawpg.types(messages) == "TDCZ"
            assert server_of(messages) not in used


def test_fatal_in_a_transaction_is_the_end(fake, make):
    """At once, though the server keeps its connection: nothing is answered
    behind it."""
    sluice = make()

    def script(conn, _):
        conn.send(reply(conn)[:-len(ready())] + ready("T"))
        time.sleep(0.1)
        conn.send(error("going down", "FATAL", "57P01"))
    fake.on(BAD, script)
    with client(sluice) as c, Deadline(10):
        c.ask("BEGIN")
        assert rawpg.types(c.ask(BAD)) == "TDCZ"
        kind, body = c.recv_message()
        assert rawpg.sqlstates([(kind, body)]) == ["57P01"]
        with pytest.raises(Closed):
            c.recv_message()


def test_fatal_instead_of_an_answer(fake, make):
    sluice = make()
    fake.on(BAD, lambda conn, _: (
        conn.send(error("terminated", "FATAL", "57P01")), CLOSE)[1])
    with client(sluice) as c:
        messages, rest = outcome(c, simple(BAD))
        assert rawpg.sqlstates(messages) == ["57P01"] and not rest
        assert not rawpg.types(messages).endswith("Z")
    check_next("fatal", sluice, ())


# -- ends ---------------------------------------------------------------------

LONG = "x" * 300000


@pytest.mark.parametrize("missing", [1, 10, 100, 1000, 100000, 299999])
def test_closes_in_the_middle_of_a_row(fake, make, missing):
    """What the client has of the row is a part of it: nothing that we say may
    be taken for the rest."""
    sluice = make()
    long = row(LONG)

    def script(conn, _):
        conn.send(description("answer") + row(conn.text(BAD)) +
                  long[:-missing])
        return CLOSE
    fake.on(BAD, script)
    with client(sluice) as c:
        messages, rest = outcome(c, simple(BAD))
        assert rawpg.types(messages) == "TD"
        assert long.startswith(rest)
    check_next("cut", sluice, ())


@pytest.mark.parametrize("tail", [b"\xff\0\0\0\4", b"Z\0\0\0\3",
                                  b"1\0\0\0\4"])
def test_surprise_behind_a_row_in_pieces(fake, make, tail):
    """The end of the row and the surprise come in one read."""
    sluice = make()
    long = row(LONG)

    def script(conn, _):
        conn.send(description("answer") + row(conn.text(BAD)) + long[:-10])
        time.sleep(0.1)
        conn.send(long[-10:] + tail)
    fake.on(BAD, script)
    with client(sluice) as c, sluice.counting(server_surprises=1):
        messages, rest = outcome(c, simple(BAD))
        for body in rawpg.bodies(messages, "D")[1:]:
            assert body == long[5:]
        assert long.startswith(rest)
    check_next("cut", sluice, ())


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_closes_at_every_byte(fake, make, how):
    """Of a small answer, and nothing that is wrong comes of it. A reset may
    have come with the last bytes."""
    sluice = make()
    size = len(description("answer") + row("1:" + BAD) + complete() + ready())

    def script(conn, _):
        if how == "rst":
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        conn.send(reply(conn)[:n])
        return CLOSE
    fake.on(BAD, script)
    for n in range(size + 1):
        with client(sluice) as c:
            messages, rest = outcome(c, simple(BAD))
            check_concerned(n, messages, rest)
    check_next("cut", sluice, ())


def test_byte_by_byte(fake, make):
    fake.step = 1
    sluice = make(connect="20s")
    with client(sluice) as c:
        for _ in range(3):
            for group, kinds in ((simple, "TDCZ"), (whole, "12TDCZ")):
                messages, _ = outcome(c, group(GOOD))
                assert rawpg.types(messages) == kinds
                assert rawpg.text_rows(messages) == [("1:" + GOOD,)]


# -- silence ------------------------------------------------------------------

def silent(conn, _):
    conn.send(description("answer"))


def test_server_that_never_answers(fake, make):
    sluice = make(query_timeout="1s")
    for script in (silent, lambda conn, _: None,
                   lambda conn, _: conn.send(conn.answer(BAD))):
        fake.cancels.clear()
        fake.on(BAD, script)
        with client(sluice) as c, Deadline(8):
            messages, _ = outcome(c, simple(BAD))
            assert rawpg.sqlstates(messages) == ["57014"]
        # It was asked to stop before it was given up.
        until(lambda: fake.cancels)
        # The pool of one is taken until it is: by the next tick or so.
        fake.drop()
        check_next("silent", sluice, ())


@pytest.mark.parametrize("leaves", [False, True])
def test_a_begin_is_not_cancelled(fake, make, leaves):
    """The write behind it would be done without a transaction, and stay."""
    asked, begun = threading.Event(), threading.Event()

    def begin(conn, _):
        asked.set()
        assert begun.wait(20)
        conn.send(complete("BEGIN") + ready("T"))

    def write(conn, _):
        until(lambda: fake.cancels)
        conn.send(error("canceled", sqlstate="57014") + ready("E"))

    fake.on("BEGIN", begin)
    fake.on("DELETE FROM t", write)
    sluice = make()
    with client(sluice) as c:
        assert c.ask(GOOD)  # the server is there
        c.ask("BEGIN")
        c.send(query("DELETE FROM t"))
        assert asked.wait(20)
        if leaves:
            c.abort()
        else:
            c.cancel()
        time.sleep(0.5)
        assert not fake.cancels
        begun.set()
        until(lambda: fake.cancels)
        if not leaves:
            assert rawpg.sqlstates(c.read_until_ready()) == ["57014"]


def test_cancel_of_a_server_that_never_answers(fake, make):
    sluice = make()
    fake.on(BAD, silent)
    with client(sluice) as c:
        c.send(simple(BAD))
        assert c.recv_message()[0] == "T"
        c.cancel()
        until(lambda: fake.cancels)
        ((pid, key),) = fake.cancels
        assert (pid, key) == (1001, 1)
        assert c.recv_nothing(0.3)
    # The client has gone; so will the server that never says a word.
    fake.drop()
    check_next("cancelled", sluice, ())


def test_abandoned_server_is_given_up(fake, make):
    """Its place in the pool is free again after a while."""
    sluice = make()
    fake.on(BAD, silent)
    c = client(sluice)
    c.send(simple(BAD))
    assert c.recv_message()[0] == "T"
    c.reset()
    with Deadline(20):
        with client(sluice, timeout=20) as d:
            # Waits for the one place until the other server is given up.
            try:
                messages = d.ask(GOOD)
            except Closed:
                messages = []
            if rawpg.types(messages) != "TDCZ":
                messages = d.ask(GOOD)
            assert server_of(messages) == 2


def test_client_gone_with_the_answer_on_its_way(fake, make):
    """Its server has half a message behind the answer: nobody else's."""
    sluice = make(workers=2)
    part = notice("for nobody")
    conns = []

    def script(conn, _):
        conns.append(conn)
    fake.on(BAD, script)
    for _ in range(5):
        conns.clear()
        c = client(sluice)
        c.send(simple(BAD))
        until(lambda: conns)
        (conn,) = conns
        os.kill(sluice.pid, signal.SIGSTOP)
        try:
            # The answer is read before the client's end is noticed.
            conn.send(reply(conn) + part[:10])
            time.sleep(0.05)
            c.reset()
            time.sleep(0.05)
        finally:
            os.kill(sluice.pid, signal.SIGCONT)
        with client(sluice) as d:
            d.send(simple(GOOD))
            time.sleep(0.05)
            try:
                conn.send(part[10:])
            except Exception:  # noqa: closed, as it should be
                pass
            messages = d.read_until_ready()
            assert rawpg.types(messages) == "TDCZ"
            assert d.recv_nothing(0.05)


COPY = "copy t from stdin"


def test_copy_given_up_in_the_middle_of_a_message(fake, make):
    """The server waits for the rest of a CopyData: only its client has it."""
    sluice = make()
    data = rawpg.copy_data(b"x" * 1000)

    def script(conn, _):
        conn.send(message("G", b"\0\0\0"))
        conn.need(100)
        conn.send(error("bad row") + ready())
    fake.on(COPY, script)
    with client(sluice) as c:
        c.send(simple(COPY))
        assert c.recv_message()[0] == "G"
        c.send(data[:100])
        assert rawpg.types(c.read_until_ready()) == "EZ"
        check_next("copy", sluice, {1})
        # The rest goes nowhere, and what is behind it is heard.
        c.send(data[100:] + rawpg.copy_done() + simple(GOOD))
        assert rawpg.types(c.read_until_ready()) == "TDCZ"


# -- login --------------------------------------------------------------------

def refused(sluice):
    with Deadline(10), pytest.raises(psycopg.Error) as e:
        sluice.query(GOOD)
    assert "main" in str(e.value)


def works(sluice):
    try:
        with client(sluice) as c:
            return rawpg.types(c.ask(GOOD)) == "TDCZ"
    except (ServerError, Closed):
        return False


SSL_ANSWERS = {
    "garbage": b"X", "nul": b"\0", "http": b"HTTP/1.1 400 Bad Request\r\n",
    "error": fields("E", S="FATAL", C="08P01", M="what?"),
    "yes, and no TLS": b"S" + b"\x15\x03\x01\x00\x02\x02\x28",
    "yes, and garbage": b"Shello",
    "no, and garbage": b"N" + b"garbage",
    "no, and a length": b"N" + b"R\x7f\xff\xff\xff",
    "no, and ready": b"N" + ready(),
}


@pytest.mark.parametrize("name", SSL_ANSWERS)
def test_ssl_answers(fake, make, name):
    sluice = make(connect="2s", more="sslmode=prefer")
    fake.ssl_answer = SSL_ANSWERS[name]
    refused(sluice)
    fake.ssl_answer = b"N"
    until(lambda: works(sluice), 10)


def test_server_without_tls_where_it_is_required(fake, make):
    sluice = make(more="sslmode=require")
    refused(sluice)


GREETINGS = {
    "nothing": b"",
    "ready": ready(),
    "authentication 99": message("R", struct.pack("!I", 99)),
    "password asked for": message("R", struct.pack("!I", 3)),
    "short": message("R", b"\0"),
    "endless": b"R\x7f\xff\xff\xff",
    "error": error("no", "FATAL", "28000"),
    "error unterminated": message("E", b"SFATAL"),
    "no key, no ready": message("R", struct.pack("!I", 0)),
    "row": message("R", struct.pack("!I", 0)) + row("x"),
    "bad parameter": message("R", struct.pack("!I", 0)) +
    message("S", b"TimeZone") + ready(),
}


@pytest.mark.parametrize("name", GREETINGS)
def test_greetings(fake, make, name):
    good = fake.greeting
    sluice = make(connect="1s")
    fake.greeting = lambda number: GREETINGS[name]
    refused(sluice)
    fake.failures.clear()
    fake.drop()
    fake.greeting = good
    until(lambda: works(sluice), 10)
    # What follows a broken login is no query for settings.
    fake.failures.clear()


SETTINGS_REPLIES = {
    "error": error() + ready(),
    "no rows": complete("SELECT 0") + ready(),
    "one column": description("name") + row("TimeZone") + complete() +
    ready(),
    "no columns": description() + row() + complete() + ready(),
    "copy in": message("G", b"\0\0\0"),
    "copy out": message("H", b"\0\0\0") + message("d", b"x"),
    "copy both": message("W", b"\0\0\0"),
    "empty query": message("I") + ready(),
    "silence": b"",
    "a transaction": settings_reply()[:-6] + ready("T"),
    "a failed one": settings_reply()[:-6] + ready("E"),
    "surprise": message("?", b"what") + ready(),
    "endless": b"T\x7f\xff\xff\xff",
    "rows before columns": row("a", "b") + complete() + ready(),
}


@pytest.mark.parametrize("name", SETTINGS_REPLIES)
def test_settings_replies(fake, make, name):
    """A server of which we know nothing is not used."""
    sluice = make(connect="1s")
    fake.settings = SETTINGS_REPLIES[name]
    refused(sluice)
    assert sluice.http("/healthz")[0] == 200
    fake.settings = settings_reply()
    until(lambda: works(sluice), 10)


def test_values_in_settings(fake, make):
    """Odd ones are only text to us."""
    sluice = make()
    fake.settings = settings_reply(
        {"TimeZone": "x" * 100000, "DateStyle": "", "=": "=",
         "client_encoding": "a\nstandard_conforming_strings=on"})
    assert works(sluice)


def test_notices_at_login_are_not_printed(fake, make):
    good = fake.greeting
    fake.greeting = lambda number: good(number).replace(
        ready(), notice("secret\x1b[31m notice") + ready())
    sluice = make()
    assert works(sluice)
    assert "\x1b[31m" not in sluice.log


def test_parameters_of_the_welcome(fake, make):
    """What the server said at login is what the client is told."""
    sluice = make()
    with client(sluice) as c:
        told = dict(c.parameters)
        assert told.pop("application_name") == ""
        assert told == PARAMETERS
