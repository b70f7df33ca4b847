# SPDX-License-Identifier: PostgreSQL
"""A network of two hosts whose packets get lost, late, or out of order.

A relay (relay.py) in a network namespace of its own, reached through a pair of
tun devices between which a thread carries the packets.  TCP sees a real loss,
and a partition is one: nothing is refused, nothing is answered.  Needs root.
Run it in a namespace already (machine.be_alone): the near device is made where
the caller is.
"""

import dataclasses
import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time

import machine
import relay

NEAR, FAR = "10.212.0.1", "10.212.0.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def device(name, address):
    """A descriptor that gives and takes its packets."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                           IFF_TUN | IFF_NO_PI))
    for words in (("addr", "add", f"{address}/24", "dev", name),
                  ("link", "set", name, "up")):
        why = machine.run("ip", *words)
        if why:
            raise OSError(f"ip {' '.join(words)}: {why}")
    return fd


@dataclasses.dataclass
class Air:
    """What befalls the packets of one direction."""
    loss: float = 0.0    # chance of each
    delay: float = 0.0   # seconds
    jitter: float = 0.0  # seconds more, at random: they overtake each other


class Carrier(threading.Thread):
    def __init__(self, near, far, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.airs = {"up": Air(), "down": Air()}
        self.sides = {near: ("up", far), far: ("down", near)}
        self.late = []  # (when, number, descriptor, packet)
        self.count = {"packets": 0, "lost": 0}

    def take(self, fd):
        name, sink = self.sides[fd]
        packet, air = os.read(fd, 65536), self.airs[name]
        self.count["packets"] += 1
        if self.random.random() < air.loss:
            self.count["lost"] += 1
            return
        when = time.monotonic() + air.delay + air.jitter * self.random.random()
        heapq.heappush(self.late, (when, self.count["packets"], sink, packet))

    def run(self):
        while True:
            wait = self.late[0][0] - time.monotonic() if self.late else 1.0
            for fd in select.select(self.sides, (), (), max(0.0, wait))[0]:
                self.take(fd)
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, sink, packet = heapq.heappop(self.late)
                os.write(sink, packet)


class Hub(relay.Hub):
    carrier = None

    def air(self, up, down):
        self.carrier.airs = {"up": Air(**up), "down": Air(**down)}

    def lost(self):
        return dict(self.carrier.count)


def serve(control, links, seed):
    near = device("chaos-near", NEAR)
    why = machine.unshare(machine.CLONE_NEWNET) or \
        machine.run("ip", "link", "set", "lo", "up")
    if why:
        raise OSError(why)
    far = device("chaos-far", FAR)
    hub = Hub(control, links, seed)
    hub.carrier = Carrier(near, far, seed)
    hub.carrier.start()
    hub.run()


class Network(relay.Relay):
    """As a relay, at another host, and with air()."""

    host = FAR

    def __init__(self, targets, seed):
        """targets: {name: path of a unix socket}"""
        super().__init__({name: ((FAR, 0), path)
                          for name, path in targets.items()}, seed, serve)

    def air(self, both=None, up=None, down=None):
        self.ask("air", both or up or {}, both or down or {})
