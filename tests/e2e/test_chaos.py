# SPDX-License-Identifier: PostgreSQL
"""Some faults of tests/chaos under load, without a word about times; and that
what they are judged by finds what is wrong.  tests/chaos/run.py alone plays all
of them, and tells how long each takes."""

import os
import socket
import sys
import threading

import pytest

import harness

sys.path[:0] = [os.path.join(harness.TOP, "tests", folder)
                for folder in ("chaos", "checker")]

import load  # noqa: E402
import relay  # noqa: E402
import trial  # noqa: E402
from catalogue import FAULTS  # noqa: E402
from scene import Scene  # noqa: E402

SHORT = sorted(name for name, fault in FAULTS.items() if fault.short)


@pytest.fixture(scope="module")
def scene(lab):
    made = Scene(lab, 1)
    yield made
    made.stop()


@pytest.mark.parametrize("name", SHORT)
def test_fault(scene, name):
    played = trial.Trial(scene, FAULTS[name], 1.0, timed=False)
    good = played.run()
    print("; ".join(played.shown))
    assert good, played.wrong


# -- the judge ----------------------------------------------------------------

def sample(returned, outcome="ok", who="x"):
    return load.Sample(returned - 0.1, returned, outcome, who)


def judged(app, other=(), states=""):
    fault = trial.Fault("F0", "", "", None, frozenset(states.split()),
                        frozenset(), 1.0, lambda: None)
    found = trial.Trial(None, fault, 1.0)
    found.begin, found.end = 10.0, 11.0
    found.judge_errors({"app": load.Figures(list(app), 10.0, 11.0),
                        "other": load.Figures(list(other), 10.0, 11.0)})
    return found.wrong


def test_errors_that_are_not_meant_to_be():
    assert not judged([sample(9), sample(10.5, "08006"), sample(12)],
                      states="08006")
    assert judged([sample(10.5, "08006")]) == ["app met 08006"]
    assert judged([], [sample(10.5, "lost")], "lost") == ["other met lost"]
    assert judged([load.Sample(0, 0, "hung", "x")], states="08006") == \
        ["app met hung"]
    assert judged([sample(9, "08006")], states="08006") == \
        ["app met 08006 before the fault"]


@pytest.mark.parametrize("samples, seconds", [
    ([sample(9), sample(11.5)], 0.5),
    ([sample(11.25), sample(11.5, "08006"), sample(11.75)], 0.5),
    ([sample(11.25), sample(11.5, "08006")], None),
    ([sample(9), sample(10.5)], None)])
def test_recovery(samples, seconds):
    assert load.Figures(samples, 10.0, 11.0).to_recovery == seconds


def test_no_load_is_no_success(lab):
    """Nobody is there to ask, and nothing is answered."""
    nobody = harness.lablib.free_port()
    going = load.Load(lab.work, {g: nobody for g in load.GROUPS}, 1, "nobody")
    try:
        assert not going.wait(1, timeout=0.5)
    finally:
        _, samples = going.finish()
    assert {s.outcome for s in samples["app"]} == {"login"}


# -- the relay ----------------------------------------------------------------

@pytest.fixture
def way():
    """(relay, connected socket) to a server that says what it is told."""
    server = socket.create_server(("127.0.0.1", 0))

    def echo():
        while True:
            try:
                conn = server.accept()[0]
            except OSError:
                return
            with conn:
                try:
                    while data := conn.recv(65536):
                        conn.sendall(data)
                except OSError:
                    pass

    threading.Thread(target=echo, daemon=True).start()
    made = relay.Relay({"way": (("127.0.0.1", 0), server.getsockname())}, 7)
    with socket.create_connection(("127.0.0.1", made.ports["way"]), 10) as s:
        yield made, s
    made.close()
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def said(s, data):
    s.sendall(data)
    found = b""
    while len(found) < len(data):
        more = s.recv(len(data) - len(found))
        assert more, "the end"
        found += more
    return found


WORDS = bytes(range(256)) * 40


@pytest.mark.parametrize("mood", [
    {}, {"piece": 1}, {"piece": 7}, {"gather": 0.02}, {"delay": 0.02},
    {"delay": 0.01, "jitter": 0.02, "piece": 100}])
def test_bytes_arrive_in_order(way, mood):
    made, s = way
    made.set("way", both=mood)
    assert said(s, WORDS) == WORDS
    if mood.get("piece") == 1:
        assert made.counts()["pieces"] == 2 * len(WORDS)


def test_bits_are_flipped(way):
    made, s = way
    made.set("way", down={"flip": 0.01})
    found = said(s, WORDS)
    wrong = [bin(a ^ b).count("1") for a, b in zip(found, WORDS) if a != b]
    assert set(wrong) == {1} and len(wrong) == made.counts()["flips"]


def test_frozen_and_not(way):
    made, s = way
    made.set("way", both={"frozen": True})
    s.sendall(b"abc")
    s.settimeout(0.2)
    with pytest.raises(TimeoutError):
        s.recv(1)
    s.settimeout(10)
    made.set("way")
    assert said(s, b"def") == b"abc"
    assert s.recv(3) == b"def"


def test_only_some_are_frozen(way):
    made, s = way
    said(s, b"the first words")
    made.set("way", only=b"others", both={"frozen": True})
    assert said(s, b"me") == b"me"
    made.set("way", only=b"first", both={"frozen": True})
    s.sendall(b"me")
    s.settimeout(0.2)
    with pytest.raises(TimeoutError):
        s.recv(1)


def test_the_ends(way):
    made, s = way
    said(s, b"x")
    assert made.ask("half_close", "way", "up") == 1
    assert s.recv(1) == b""
    made.ask("refuse", "way")
    address = "127.0.0.1", made.ports["way"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 10)
    made.ask("listen", "way")
    with socket.create_connection(address, 10) as other:
        assert said(other, b"y") == b"y"
        made.cut("way")
        with pytest.raises(ConnectionResetError):
            other.recv(1)
