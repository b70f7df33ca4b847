# SPDX-License-Identifier: PostgreSQL
"""The application's sync: posts whose document is behind, in batches, through
pgsluice; and somebody who changes posts meanwhile."""

import threading
import time

BATCH = 8  # as many values as are told apart in one statement


def upsert(conn, documents):
    """documents: (id, JSON text). Literals, as a batch of VALUES."""
    from psycopg import sql
    values = sql.SQL(", ").join(sql.SQL("({}, {})").format(str(i), text)
                                for i, text in documents)
    conn.execute(sql.SQL(
        "INSERT INTO tv_post (id, data) VALUES {} ON CONFLICT (id) DO UPDATE "
        "SET data = excluded.data").format(values))


def sync(conn):
    """All that is behind; how many documents."""
    done = 0
    while True:
        rows = conn.execute(
            "SELECT id, data::text, clock_timestamp() FROM post_document "
            "JOIN post_behind USING (id) ORDER BY id LIMIT "
            f"{BATCH}").fetchall()
        if not rows:
            return done
        ok = False
        try:
            upsert(conn, [r[:2] for r in rows])
            ok = True
        finally:
            conn.execute(
                "INSERT INTO sync_log (documents, ok, started, finished) "
                "VALUES (%s, %s, %s, clock_timestamp())",
                (len(rows), ok, rows[0][2]))
        done += len(rows)


class Life:
    """Changes of posts and syncs, until it is over."""

    def __init__(self, connect, post, rows, every=0.1):
        self.connect = connect
        self.post = post
        self.rows = rows
        self.every = every
        self.over = threading.Event()
        self.changes = self.synced = 0
        self.failed = None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        import psycopg
        try:
            with self.connect() as conn:
                while not self.over.is_set():
                    self.changes += 1
                    conn.execute(
                        "UPDATE tb_post SET title = %s, updated_at = "
                        "clock_timestamp() WHERE id = %s",
                        (f"Changed {self.changes}",
                         self.post(self.changes * 13 % self.rows)))
                    time.sleep(self.every / 2)
                    self.synced += sync(conn)
                    time.sleep(self.every / 2)
        except psycopg.Error as e:
            self.failed = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
