# SPDX-License-Identifier: PostgreSQL
"""A relay that does to bytes what networks and bad peers do to them.

A process of its own, one thread.  It has links, each from a port of its own to
a server, and for each link two moods, of the bytes on their way `up` (to the
server) and `down`.  It knows nothing of what the bytes mean, but for the first
ones of a connection, by which a mood may be for some of them only.  Chances are
drawn from the seed in the order in which bytes come.

A setting holds when the call that makes it returns, for bytes that come later
and for connections that are open.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import random
import selectors
import socket
import struct
import time

BURST = 32       # pieces in a turn
FIRST = 512      # bytes at least, by which a connection is known
HELD = 1 << 18  # bytes of one direction; then no more are read
NOW = struct.pack("ii", 1, 0)  # SO_LINGER: a reset


@dataclasses.dataclass
class Mood:
    """What befalls bytes of one direction."""
    delay: float = 0.0    # seconds
    jitter: float = 0.0   # seconds more, at random; the order stays
    gather: float = 0.0   # seconds for which bytes are kept, to go together
    piece: int = 0        # bytes that are sent at a time; 0: all there are
    flip: float = 0.0     # chance of a bit, of each byte
    frozen: bool = False  # nothing is taken and nothing given


class Way:
    """One direction of one connection."""

    def __init__(self, connection, source, sink, name):
        self.connection, self.name = connection, name
        self.source, self.sink = source, sink
        self.queue, self.size, self.last = [], 0, 0.0
        self.ended = self.told = False

    @property
    def mood(self):
        return self.connection.mood(self.name)

    def take(self):
        try:
            data = self.source.recv(65536)
        except BlockingIOError:
            return
        if not data:
            self.ended = True
            return
        connection = self.connection
        if self.name == "up" and len(connection.first) < FIRST:
            connection.first += data
        connection.relay.count["bytes"] += len(data)
        self.put(data, self.mood, connection.relay)

    def put(self, data, mood, relay):
        if mood.flip:
            data = relay.flipped(data, mood.flip)
        due = time.monotonic() + mood.delay + \
            mood.jitter * relay.random.random()
        if mood.gather:
            due = (due // mood.gather + 1) * mood.gather
        self.last = due = max(due, self.last)
        step = mood.piece or len(data)
        for at in range(0, len(data), step):
            self.queue.append((due, data[at:at + step]))
        self.size += len(data)

    def give(self, now):
        """What is due, in one go or in some pieces."""
        mood = self.mood
        if mood.frozen:
            return
        n = 0
        while n < len(self.queue) and self.queue[n][0] <= now:
            n += 1
        due = [d for _, d in self.queue[:n]]
        if mood.piece:
            due = due[:BURST]
        elif due:
            due, self.queue[:n] = [b"".join(due)], [(now, b"".join(due))]
        for data in due:
            try:
                sent = self.sink.send(data)
            except BlockingIOError:
                return
            self.connection.relay.count["pieces"] += 1
            self.size -= sent
            self.queue.pop(0)
            if sent < len(data):
                self.queue.insert(0, (now, data[sent:]))
                return
        if self.ended and not self.queue and not self.told:
            self.told = True
            with contextlib.suppress(OSError):
                self.sink.shutdown(socket.SHUT_WR)

    def due(self):
        """When there is something to give, or None."""
        if self.mood.frozen:
            return None
        if self.queue:
            return self.queue[0][0]
        return 0.0 if self.ended and not self.told else None


class Connection:
    def __init__(self, relay, link, near, far):
        self.relay, self.link, self.first = relay, link, b""
        self.sockets = near, far
        self.ways = (Way(self, near, far, "up"), Way(self, far, near, "down"))
        self.masks = {}
        for s in self.sockets:
            s.setblocking(False)
            with contextlib.suppress(OSError):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def mood(self, name):
        link = self.link
        if link.only and link.only not in self.first:
            return link.fair
        return link.moods[name]

    def wishes(self):
        """{socket: what to wait for}"""
        out = dict.fromkeys(self.sockets, 0)
        now = time.monotonic()
        for way in self.ways:
            if not (way.mood.frozen or way.ended or way.size > HELD):
                out[way.source] |= selectors.EVENT_READ
            due = way.due()
            if due is not None and way.queue and due <= now:
                out[way.sink] |= selectors.EVENT_WRITE
        return out

    def step(self, s, mask):
        """False: it is over."""
        try:
            for way in self.ways:
                if way.source is s and mask & selectors.EVENT_READ:
                    way.take()
                way.give(time.monotonic())
        except OSError:
            return False
        return not all(way.told for way in self.ways)


class Link:
    fair = Mood()

    def __init__(self, name, address, target):
        self.name, self.target = name, target
        self.moods = {"up": Mood(), "down": Mood()}
        self.only = b""
        self.address = address
        self.listener = None
        self.open()

    def open(self):
        if self.listener is None:
            self.listener = socket.create_server(self.address, backlog=1024)
            self.listener.setblocking(False)
            self.address = self.listener.getsockname()

    @property
    def frozen(self):
        return not self.only and all(m.frozen for m in self.moods.values())

    def reach(self):
        """A socket to the server: a path, or host and port."""
        if isinstance(self.target, str):
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.target)
            return s
        return socket.create_connection(self.target, timeout=5)


class Hub:
    """What runs in the process."""

    def __init__(self, control, links, seed):
        self.control, self.random = control, random.Random(seed)
        self.count = {"bytes": 0, "pieces": 0, "flips": 0, "cuts": 0,
                      "connections": 0}
        self.links = {name: Link(name, *where)
                      for name, where in links.items()}
        self.connections = set()
        self.stirred = set()  # those to look at in the next turn
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, self)
        for link in self.links.values():
            self.watch(link)

    def flipped(self, data, chance):
        out = bytearray(data)
        for i in range(len(out)):
            if self.random.random() < chance:
                out[i] ^= 1 << self.random.randrange(8)
                self.count["flips"] += 1
        return bytes(out)

    def watch(self, link):
        """Whether anybody is let in."""
        watched = link.listener in self.selector.get_map() \
            if link.listener else False
        if link.listener and not link.frozen and not watched:
            self.selector.register(link.listener, selectors.EVENT_READ, link)
        elif watched and link.frozen:
            self.selector.unregister(link.listener)

    # -- what is told ------------------------------------------------------

    def ports(self):
        return {name: link.address[1] for name, link in self.links.items()}

    def set(self, name, only, moods):
        link = self.links[name]
        link.only = only
        link.moods = {way: Mood(**moods.get(way, {})) for way in link.moods}
        self.watch(link)
        self.stirred |= set(self.mine(name, b""))

    def counts(self):
        return dict(self.count)

    def mine(self, name, only):
        return [c for c in self.connections if c.link.name == name and
                only in c.first]

    def cut(self, name, only):
        """Resets to both sides."""
        found = self.mine(name, only)
        for c in found:
            for s in c.sockets:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
            self.end(c)
        self.count["cuts"] += len(found)
        return len(found)

    def half_close(self, name, way):
        """As if one side had said that it has no more to say."""
        found = self.mine(name, b"")
        for c in found:
            for w in c.ways:
                w.ended |= w.name == way
        self.stirred |= set(found)
        self.count["cuts"] += len(found)
        return len(found)

    def refuse(self, name):
        """Nobody listens there."""
        link = self.links[name]
        if link.listener in self.selector.get_map():
            self.selector.unregister(link.listener)
        link.listener.close()
        link.listener = None

    def listen(self, name):
        link = self.links[name]
        link.open()
        self.watch(link)

    def lead(self, name, target):
        """New connections go there."""
        self.links[name].target = target

    # -- the loop ----------------------------------------------------------

    def accept(self, link):
        with contextlib.suppress(OSError):
            near = link.listener.accept()[0]
            try:
                far = link.reach()
            except OSError:
                near.close()
                return
            self.count["connections"] += 1
            made = Connection(self, link, near, far)
            self.connections.add(made)
            self.stirred.add(made)

    def end(self, connection):
        self.connections.discard(connection)
        self.stirred.discard(connection)
        for s in connection.sockets:
            if s in connection.masks:
                self.selector.unregister(s)
            s.close()
        connection.masks = {}

    def arrange(self, connection):
        for s, mask in connection.wishes().items():
            old = connection.masks.get(s, 0)
            if mask == old:
                continue
            if not mask:
                self.selector.unregister(s)
                del connection.masks[s]
            elif old:
                self.selector.modify(s, mask, connection)
            else:
                self.selector.register(s, mask, connection)
            if mask:
                connection.masks[s] = mask

    def look(self, connection, s=None, mask=0):
        """Seconds until it wants to be looked at again, or None."""
        if not connection.step(s, mask):
            self.end(connection)
            return None
        self.arrange(connection)
        dues = [d for d in (w.due() for w in connection.ways)
                if d is not None]
        if not dues:
            self.stirred.discard(connection)
            return None
        self.stirred.add(connection)
        return max(0.0, min(dues) - time.monotonic())

    def turn(self):
        waits = [self.look(c) for c in list(self.stirred)]
        wait = min((w for w in waits if w is not None), default=1.0)
        for key, mask in self.selector.select(wait):
            if key.data is self:
                self.obey()
            elif isinstance(key.data, Link):
                self.accept(key.data)
            elif key.data in self.connections:
                self.look(key.data, key.fileobj, mask)

    def obey(self):
        name, args = self.control.recv()
        self.control.send(getattr(self, name)(*args))

    def run(self):
        with contextlib.suppress(EOFError):
            while True:
                self.turn()


def serve(control, links, seed):
    hub = Hub(control, links, seed)
    hub.run()


class Relay:
    """The handle on it.  links: {name: (address to listen on, target)}."""

    def __init__(self, links, seed, run=serve):
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self.control = here
        self.process = context.Process(
            target=self.child, args=(run, here, there, links, seed),
            daemon=True)
        self.process.start()
        there.close()
        self.ports = self.ask("ports")

    @staticmethod
    def child(run, here, there, links, seed):
        here.close()  # so that the end of the parent is an end of file
        run(there, links, seed)

    def ask(self, name, *args):
        self.control.send((name, args))
        return self.control.recv()

    def set(self, link, only=b"", both=None, **moods):
        """both, or up and down: dicts of what Mood has; none: as it comes."""
        if both is not None:
            moods = {"up": both, "down": both}
        self.ask("set", link, only, moods)

    def counts(self):
        return self.ask("counts")

    def cut(self, link, only=b""):
        return self.ask("cut", link, only)

    def close(self):
        self.control.close()
        self.process.join(5)
        if self.process.exitcode is None:
            os.kill(self.process.pid, 9)
            self.process.join()

