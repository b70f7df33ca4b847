# SPDX-License-Identifier: PostgreSQL
"""Faults of the machine: processor, memory, disk, clock."""

import contextlib
import mmap
import os
import struct
import subprocess
import threading
import time

import machine
from trial import fault

HOUR = 3600
HERE = os.path.dirname(os.path.abspath(__file__))


@fault("F17", "the memory of the process is capped (cgroup), the cache full",
       "no more than the cap; not ended by the kernel; no errors",
       needs=machine.needs("groups"))
def memory_capped(t):
    t.start(more='cache_memory = "32MB"\n')
    base = t.memory()
    limit = base + (48 << 20)
    group = t.clean.enter_context(machine.memory_group(limit))
    group.take(t.scene.sluice.pid)
    largest = 0
    with t.scene.sluice.connect() as conn:
        for n in range(1000):
            conn.execute("SELECT n, repeat('x', 20000) AS x, "
                         f"{n} AS i FROM pad")
            largest = max(largest, t.memory())
    t.over()
    t.show("memory", f"{base >> 20} -> {largest >> 20} MiB, cap "
           f"{limit >> 20} MiB")
    t.expect("memory", largest <= limit)
    cache = t.scene.sluice.metric("pgsluice_cache_bytes")
    t.show("L1", f"{int(cache) >> 20} MiB")
    t.expect("alive", t.scene.sluice.running)


def talk(t, number=300):
    """Statements that are logged."""
    with t.scene.sluice.connect() as conn:
        for n in range(number):
            conn.execute(f"SELECT {n}")


@fault("F18", "the disk of the log is full",
       "lines are lost and counted; no errors; goes on by itself",
       needs=machine.needs("files"))
def log_disk_full(t):
    folder = t.clean.enter_context(machine.small_disk(
        os.path.join(t.scene.lab.work, "full"), 64))
    log = os.path.join(folder, "log")
    t.clean.callback(t.scene.stop_serving)
    t.start(log=log, more='log_min_duration_statement = "0"\n'
            'log_statement_text = "full"\n')
    t.until("a full disk", lambda: talk(t) or
            os.statvfs(folder).f_bavail == 0)
    t.last(0.5)
    talk(t)
    lost = t.scene.sluice.metric("pgsluice_log_lines_dropped_total")
    t.expect("lines lost and counted", lost > 0, f"{lost:.0f}")
    os.truncate(log, 0)
    t.over()
    t.show("goes on after", "{:.2f} s".format(t.until(
        "new lines", lambda: talk(t, 10) or "SELECT" in t.scene.sluice.log)))


@fault("F19", "the log goes to a pipe that nobody reads",
       "lines are lost and counted; no errors; no stall")
def log_blocked(t):
    path = os.path.join(t.scene.lab.work, "log.pipe")
    os.mkfifo(path)
    t.clean.callback(os.unlink, path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    t.clean.callback(os.close, reader)
    t.clean.callback(t.scene.stop_serving)
    t.start(log=path, more='log_min_duration_statement = "0"\n')
    t.scene.sluice.logfile = os.devnull  # nobody reads the pipe
    talk(t, 2000)
    t.last(0.5)
    lost = t.scene.sluice.metric("pgsluice_log_lines_dropped_total")
    t.expect("lines lost and counted", lost > 0, f"{lost:.0f}")
    with contextlib.suppress(BlockingIOError):
        while os.read(reader, 1 << 16):
            pass
    t.over()
    drain = threading.Event()
    t.clean.callback(drain.set)
    threading.Thread(target=read_all, args=(reader, drain),
                     daemon=True).start()


def read_all(fd, end):
    while not end.is_set():
        with contextlib.suppress(OSError):
            os.read(fd, 1 << 16)
        time.sleep(0.005)


def clock(t):
    """(environment, function that sets by how much the clock is wrong)"""
    library = os.path.join(t.scene.lab.work, "clock.so")
    if not os.path.exists(library):
        subprocess.run([*os.environ.get("CC", "cc").split(), "-std=gnu11",
                        "-O2", "-shared", "-fPIC", "-o", library,
                        os.path.join(HERE, "clock.c"), "-ldl"], check=True)
    path = os.path.join(t.scene.lab.work, "clock")
    with open(path, "wb") as f:
        f.write(bytes(8))
    with open(path, "r+b") as f:
        memory = mmap.mmap(f.fileno(), 0)
    return {"LD_PRELOAD": library, "CHAOS_CLOCK": path,
            "ASAN_OPTIONS": "verify_asan_link_order=0:exitcode=99"}, \
        lambda by: struct.pack_into("=q", memory, 0, by)


@fault("F20", "the daemon's wall clock jumps by an hour, forth and back",
       "no errors; nothing expires at once; nothing lives too long",
       needs=machine.needs("compiler"))
def clock_jumps(t):
    environment, set_by = clock(t)
    t.start(environment=environment)
    expired = t.scene.sluice.metric("pgsluice_cache_expired_total")
    for by in (HOUR, -HOUR, 0):
        set_by(by)
        t.scene.sluice.console("RELOAD")
        t.last(0.4)
    lines = t.scene.sluice.log.splitlines()
    stamps = {line[5:18] for line in lines if line.startswith("time=")}
    t.expect("the log shows the jumps", len(stamps) >= 3, len(stamps))
    expired = t.scene.sluice.metric("pgsluice_cache_expired_total") - expired
    t.expect("expired", expired < 50, f"{expired:.0f}")


@fault("F41", "pgsluice is stopped (SIGSTOP) for a while, then starved of "
       "processors", "no errors; nothing stale after it", others="",
       recovery=2.0)
def starved(t):
    t.start()
    t.scene.sluice.freeze()
    t.last()
    t.scene.sluice.thaw()
    t.load.wait(30)
    hogs = [subprocess.Popen(["sh", "-c", "while :; do :; done"])
            for _ in range(4 * (os.cpu_count() or 1))]
    try:
        t.last()
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    t.over()
    t.show("hogs", len(hogs))


