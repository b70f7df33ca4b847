# SPDX-License-Identifier: PostgreSQL
"""The queue of measurements: workers take batches with SKIP LOCKED and mark each
configuration completed; some are killed with what they hold, which comes back after
a timeout.  Each configuration must be completed exactly once.
"""

import socket
import threading
import time

BATCH = 100
CLAIM = ("WITH next AS (SELECT id FROM benchmark_configs WHERE status = "
         "'pending' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) UPDATE "
         "benchmark_configs c SET status = 'running', worker = %s, claimed_at "
         "= clock_timestamp() FROM next WHERE c.id = next.id RETURNING c.id")
DONE = ("UPDATE benchmark_configs SET status = 'completed', completions = "
        "completions + 1 WHERE id = %s AND status = 'running' AND worker = %s")
BACK = ("UPDATE benchmark_configs SET status = 'pending', worker = NULL WHERE "
        "status = 'running' AND claimed_at < clock_timestamp() - %s * "
        "interval '1 second'")
LOOKUP = "SELECT status FROM benchmark_configs WHERE id = %s"


class Queue:
    def __init__(self, connect, timeout):
        self.connect = connect
        self.timeout = timeout
        self.times = {"claim": [], "done": [], "lookup": []}
        self.killed = 0
        self.returned = 0
        self.errors = []
        self.lock = threading.Lock()

    def timed(self, conn, what, sql, args):
        began = time.perf_counter()
        cur = conn.execute(sql, args)
        took = (time.perf_counter() - began) * 1000
        with self.lock:
            self.times[what].append(took)
        return cur

    def work(self, number, doomed):
        """A doomed one takes a batch, does a part, and is gone."""
        conn = self.connect()
        try:
            while True:
                ids = [r[0] for r in self.timed(
                    conn, "claim", CLAIM, (BATCH, number)).fetchall()]
                if not ids and not self.is_open(conn):
                    return
                if not ids:
                    time.sleep(0.05)
                for i in ids[:BATCH // 3] if doomed else ids:
                    if i % 10 == 0:
                        self.timed(conn, "lookup", LOOKUP, (i,)).fetchone()
                    self.timed(conn, "done", DONE, (i, number))
                if doomed and ids:
                    self.kill(conn)
                    return
        except Exception as e:  # told by the caller
            self.errors.append(repr(e))
        finally:
            conn.close()

    def kill(self, conn):
        """Its connection breaks, and it says nothing."""
        with socket.socket(fileno=conn.fileno()) as s:
            s.shutdown(socket.SHUT_RDWR)
            s.detach()
        with self.lock:
            self.killed += 1

    @staticmethod
    def is_open(conn):
        return conn.execute("SELECT EXISTS (SELECT FROM benchmark_configs "
                            "WHERE status <> 'completed')").fetchone()[0]

    def maintain(self, over):
        with self.connect() as conn:
            while not over.wait(0.2):
                self.returned += conn.execute(BACK, (self.timeout,)).rowcount

    def run(self, workers, doomed):
        over = threading.Event()
        threads = [threading.Thread(target=self.work, args=(n, n < doomed))
                   for n in range(workers)]
        upkeep = threading.Thread(target=self.maintain, args=(over,))
        began = time.monotonic()
        for t in [upkeep, *threads]:
            t.start()
        for t in threads:
            t.join()
        over.set()
        upkeep.join()
        return time.monotonic() - began
