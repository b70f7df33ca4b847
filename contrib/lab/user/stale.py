# SPDX-License-Identifier: PostgreSQL
"""Are logins ever served what was changed before they began?

One thread changes a user's password again and again, through pgsluice or behind
it; others log in as that user all the time, over sessions of their own.  A
login is stale if it saw an older password than one whose change had been
acknowledged before it began; behind pgsluice, longer before than the feed may
lag.
"""

import threading
import time

UID = "00000000-0000-4000-8000-100000000001"
LOGIN = ("SELECT uid, password_hash, role, is_verified FROM usermonolith "
         "WHERE email = 'user100000000001@example.org'")


class Watched:
    """What has been acknowledged when, and what has been seen."""

    def __init__(self, bound):
        self.bound = bound
        self.acknowledged = []  # (version, when)
        self.seen = []          # (began, version)
        self.over = threading.Event()

    def change(self, connect, sql):
        with connect() as conn:
            version = 0
            while not self.over.is_set():
                version += 1
                conn.execute(sql.format(f"changed {version}", UID))
                self.acknowledged.append((version, time.monotonic()))
                time.sleep(0.01)

    def log_in(self, connect):
        with connect() as conn:
            while not self.over.is_set():
                began = time.monotonic()
                text = conn.execute(LOGIN).fetchone()[1]
                self.seen.append((began, int(text.split()[-1])))

    def stale(self):
        """Logins that saw too old a version, and the oldest of what any saw
        behind an acknowledgement, in seconds."""
        times = [0.0] + [when for _, when in self.acknowledged]
        count, worst = 0, 0.0
        for began, version in self.seen:
            if version + 1 < len(times) and times[version + 1] < began:
                age = began - times[version + 1]
                worst = max(worst, age)
                count += age > self.bound
        return count, worst


def watch(change_connect, change_sql, connect, readers, seconds, bound):
    w = Watched(bound)
    threads = [threading.Thread(target=w.change,
                                args=(change_connect, change_sql))]
    threads += [threading.Thread(target=w.log_in, args=(connect,))
                for _ in range(readers)]
    for t in threads:
        t.start()
    time.sleep(seconds)
    w.over.set()
    for t in threads:
        t.join()
    return w
