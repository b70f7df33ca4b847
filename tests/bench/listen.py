#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Many clients LISTEN on one channel through pgsluice: rate and delivery.

    listen.py [--clients 1000] [--notes 2000] [--rate 0] HOST:PORT SENDER_DSN

HOST:PORT is pgsluice with trust authentication for user and database app;
SENDER_DSN is where NOTIFY is sent, one transaction each; --rate limits them
per second (0: as fast as they go).  Prints how long LISTEN took, what was
delivered, and the delay from NOTIFY to the last and to the middle client.
"""

import argparse
import os
import selectors
import sys
import threading
import time

import psycopg

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import rawpg  # noqa: E402


def parsed():
    p = argparse.ArgumentParser()
    p.add_argument("--clients", type=int, default=1000)
    p.add_argument("--notes", type=int, default=2000)
    p.add_argument("--rate", type=float, default=0)
    p.add_argument("address")
    p.add_argument("sender")
    return p.parse_args()


def send(dsn, notes, rate, spans):
    with psycopg.connect(dsn, autocommit=True) as conn:
        begun = time.monotonic()
        for n in range(notes):
            if rate:
                time.sleep(max(0, begun + n / rate - time.monotonic()))
            conn.execute(f"NOTIFY bench, '{time.monotonic():.6f} {n}'")
        spans.append(time.monotonic() - begun)


def main():
    args = parsed()
    host, port = args.address.rsplit(":", 1)
    begun = time.monotonic()
    conns = [rawpg.RawConn(host, int(port), "app", "app", timeout=60)
             for _ in range(args.clients)]
    connected = time.monotonic()
    for conn in conns:
        conn.send(rawpg.query("LISTEN bench"))
    for conn in conns:
        conn.read_until_ready()
    listening = time.monotonic()
    spans = []
    thread = threading.Thread(target=send, args=(
        args.sender, args.notes, args.rate, spans))
    sel = selectors.DefaultSelector()
    for conn in conns:
        conn.next, conn.rest = 0, b""
        conn.sock.setblocking(False)
        sel.register(conn.sock, selectors.EVENT_READ, conn)
    delays, left, wrong = [], args.clients * args.notes, 0
    thread.start()
    start = time.monotonic()
    while left and time.monotonic() < start + 300:
        for key, _ in sel.select(1):
            conn = key.data
            data = conn.rest + conn.sock.recv(1 << 20)
            pos = 0
            while len(data) - pos >= 5:
                end = pos + 1 + int.from_bytes(data[pos + 1:pos + 5], "big")
                if end > len(data):
                    break
                sent, n = data[pos + 15:end - 1].split(b" ")
                wrong += int(n) != conn.next
                conn.next += 1
                left -= 1
                if conn.next % 50 == 0:
                    delays.append(time.monotonic() - float(sent))
                pos = end
            conn.rest = data[pos:]
    took = time.monotonic() - start
    thread.join()
    delays.sort()
    print(f"{args.clients} clients: connect {connected - begun:.2f} s, "
          f"LISTEN {listening - connected:.2f} s")
    print(f"{args.notes} NOTIFY in {spans[0]:.2f} s "
          f"({args.notes / spans[0]:.0f}/s), delivered "
          f"{args.clients * args.notes - left} in {took:.2f} s "
          f"({(args.clients * args.notes - left) / took:.0f}/s), "
          f"missing {left}, out of order {wrong}")
    print(f"delay: median {delays[len(delays) // 2] * 1e3:.1f} ms, "
          f"99 % {delays[len(delays) * 99 // 100] * 1e3:.1f} ms, "
          f"largest {delays[-1] * 1e3:.1f} ms")
    return 1 if left or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
