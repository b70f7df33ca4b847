# SPDX-License-Identifier: PostgreSQL
"""What the machine lets a run do: a network and a view of files of its own.

be_alone() takes both, if they are to be had, so that nothing that a fault
needs (addresses, /etc/hosts, a full disk) is seen by anybody else.
"""

import contextlib
import ctypes
import os
import subprocess
import tempfile

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
alone = {}  # "net", "files": None, or why it is not to be had


def unshare(flag):
    """None, or why not."""
    if libc.unshare(flag) == 0:
        return None
    return f"unshare: {os.strerror(ctypes.get_errno())}"


def run(*words):
    """None, or why not."""
    try:
        done = subprocess.run(words, text=True, capture_output=True,
                              check=False)
    except OSError as e:
        return str(e)
    return done.stderr.strip() or "failed" if done.returncode else None


def be_alone():
    alone["net"] = unshare(CLONE_NEWNET) or \
        run("ip", "link", "set", "lo", "up")
    alone["files"] = unshare(CLONE_NEWNS) or \
        run("mount", "--make-rprivate", "/")
    alone["groups"] = MemoryGroup.why_not()
    alone["compiler"] = run(*os.environ.get("CC", "cc").split(), "--version")


def needs(*what):
    """For Fault.needs: the first of these that is not to be had, and why."""
    def reason():
        for w in what:
            if alone.get(w, "not alone"):
                return f"{w}: {alone.get(w, 'not alone')}"
        return None
    return reason


@contextlib.contextmanager
def instead(path, text):
    """A file whose content is another one for this run; yields a function
    that changes it."""
    with tempfile.NamedTemporaryFile("w", prefix="pgs-file.") as f:
        os.chmod(f.name, 0o644)

        def change(now):
            f.seek(0)
            f.truncate()
            f.write(now)
            f.flush()
        change(text)
        why = run("mount", "--bind", f.name, path)
        if why:
            raise OSError(f"{path}: {why}")
        try:
            yield change
        finally:
            run("umount", path)


class MemoryGroup:
    """A cgroup with a limit; version 1 or 2, whichever is there."""

    PLACES = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
              ("/sys/fs/cgroup", "memory.max"))

    def __init__(self, limit):
        for place, name in self.PLACES:
            self.folder = os.path.join(place, f"pgs-chaos-{os.getpid()}")
            try:
                os.mkdir(self.folder)
                self.write(name, limit)
                return
            except OSError as e:
                self.end()
                why = e
        raise why

    @classmethod
    def why_not(cls):
        try:
            cls(1 << 30).end()
        except OSError as e:
            return str(e)
        return None

    def write(self, name, value):
        # Not "w": that would make a file where there is no such setting.
        with open(os.path.join(self.folder, name), "r+",
                  encoding="ascii") as f:
            f.write(str(value))

    def take(self, pid):
        self.write("cgroup.procs", pid)

    def end(self):
        """Its processes have ended, or go back to the root."""
        with contextlib.suppress(OSError):
            with open(os.path.join(self.folder, "cgroup.procs"),
                      encoding="ascii") as f:
                pids = f.read().split()
            for pid in pids:
                with open(os.path.join(os.path.dirname(self.folder),
                                       "cgroup.procs"), "w",
                          encoding="ascii") as f:
                    f.write(pid)
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)


@contextlib.contextmanager
def memory_group(limit):
    group = MemoryGroup(limit)
    try:
        yield group
    finally:
        group.end()


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """A file system of its own, as large as that."""
    os.makedirs(folder, exist_ok=True)
    why = run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none",
              folder)
    if why:
        raise OSError(f"{folder}: {why}")
    try:
        yield folder
    finally:
        run("umount", "-l", folder)
