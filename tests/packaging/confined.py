#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What a process that the unit starts can do: run with the unit's own directives.

Tries what each of them forbids, and what the daemon needs, and says which of them
has had no effect. deb.sh makes a unit of the installed one that starts this, and
a bare one, to see that the probes tell the difference. Of x86-64: the numbers of
system calls are its own.
"""

import ctypes
import errno
import mmap
import os
import resource
import socket
import stat
import sys

libc = ctypes.CDLL(None, use_errno=True)
NR = {"unshare": 272, "keyctl": 250, "mount": 165, "bpf": 321, "ptrace": 101,
      "sched_setscheduler": 144, "personality": 135, "clock_settime": 227,
      "settimeofday": 164, "init_module": 175, "reboot": 169, "swapon": 167,
      "sethostname": 170, "syslog": 103, "chroot": 161, "setrlimit": 160}
failed = 0


def say(good, text):
    global failed
    failed += not good
    print(("ok      " if good else "FAILED  ") + text, flush=True)


def call(name, *args):
    """The errno of a system call; 0: it worked. In a child, which it may change."""
    child = os.fork()
    if child == 0:
        done = libc.syscall(NR[name], *args)
        os._exit(ctypes.get_errno() if done == -1 else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tried(action):
    """The errno of what action does."""
    try:
        action()
    except OSError as e:
        return e.errno
    return 0


def forbidden(directive, what, code, *expected):
    text = f"{directive}: {what}: {errno.errorcode.get(code, 'works')}"
    say(code in (expected or (errno.EPERM, errno.EACCES)), text)


def status(key):
    with open("/proc/self/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(key + ":"):
                return line.split()[1]
    return None


def write(path):
    """Makes a file, and takes it away again."""
    def do():
        with open(path, "w", encoding="ascii") as f:
            f.write("1")
        if not path.startswith("/proc/"):
            os.unlink(path)
    return do


def make_folder(path):
    def do():
        os.mkdir(path)
        os.rmdir(path)
    return do


def executable_memory():
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    ctypes.set_errno(0)
    libc.mprotect(ctypes.c_void_p(address), 4096, 7)
    return ctypes.get_errno()


def suid():
    path = os.environ["STATE_DIRECTORY"] + "/suid"
    with open(path, "w", encoding="ascii"):
        pass
    try:
        return tried(lambda: os.chmod(path, 0o4755))
    finally:
        os.unlink(path)


def foreign_architecture():
    """getpid() as 32 bit programs call it, in a child, which a filter may end."""
    path = os.environ["STATE_DIRECTORY"] + "/code"
    with open(path, "wb") as f:
        f.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]).ljust(4096, b"\x90"))
    fd = os.open(path, os.O_RDONLY)
    os.unlink(path)
    child = os.fork()
    if child == 0:
        libc.mmap.restype = ctypes.c_void_p
        code = libc.mmap(None, ctypes.c_size_t(4096),
                         mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, fd,
                         ctypes.c_long(0))
        found = ctypes.CFUNCTYPE(ctypes.c_int)(code)()
        os._exit(0 if found == os.getpid() else 1)
    os.close(fd)
    return os.waitpid(child, 0)[1] == 0


def main():
    say(os.getuid() != 0 and status("CapEff") == "0" * 16,
        "User: not root, no capability in force")
    say(status("CapBnd") == "0" * 16, "CapabilityBoundingSet: empty")
    say(status("CapAmb") == "0" * 16, "AmbientCapabilities: none")
    say(status("NoNewPrivs") == "1", "NoNewPrivileges")
    say(status("Seccomp") == "2", "SystemCallFilter: a filter is in force")
    with open("/proc/self/uid_map", encoding="ascii") as f:
        uid_map = f.read().split()
    say(len(uid_map) <= 6 and uid_map != ["0", "0", "4294967295"],
        "PrivateUsers: user ids are a namespace of its own")
    say(resource.getrlimit(resource.RLIMIT_CORE) == (0, 0), "LimitCORE: none")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    # sys.argv[1]: what the service manager itself may give.
    most = min(65536, int(sys.argv[1]))
    say(files[0] == most, f"LimitNOFILE: {files[0]}")
    say(os.umask(0o077) == 0o077, "UMask: 0077")

    for path in ("/etc/x", "/usr/x", "/var/x", "/var/lib/x", "/etc/pgsluice/x"):
        forbidden("ProtectSystem", "write " + path, tried(write(path)),
                  errno.EROFS, errno.EACCES)
    say(os.statvfs("/usr").f_flag & os.ST_RDONLY, "ProtectSystem: / is read-only")
    for path in ("/home", "/root"):
        code = tried(lambda path=path: os.listdir(path))
        say(code in (errno.EACCES, errno.EPERM) or os.listdir(path) == [],
            f"ProtectHome: nothing to see in {path}")
    say(os.listdir("/tmp") == [], "PrivateTmp: /tmp is empty")
    nodes = {n for n in os.listdir("/dev")
             if stat.S_ISCHR(os.lstat("/dev/" + n).st_mode)
             or stat.S_ISBLK(os.lstat("/dev/" + n).st_mode)}
    say(nodes <= {"null", "zero", "full", "random", "urandom", "tty", "ptmx"},
        "PrivateDevices: /dev has " + " ".join(sorted(nodes)))
    names = {n for n in os.listdir("/proc") if not n.isdigit()}
    say("meminfo" not in names and "sys" not in names,
        "ProcSubset: nothing but processes in /proc")
    say("1" not in os.listdir("/proc"), "ProtectProc: others do not show")
    forbidden("ProtectKernelTunables", "write /proc/sys/kernel/domainname",
              tried(write("/proc/sys/kernel/domainname")),
              errno.EROFS, errno.EACCES, errno.ENOENT)
    forbidden("ProtectControlGroups", "write to a cgroup",
              tried(make_folder("/sys/fs/cgroup/x")),
              errno.EROFS, errno.EACCES, errno.ENOENT)
    forbidden("ProtectKernelLogs", "read the kernel's log", call("syslog", 3, 0, 0))
    forbidden("ProtectKernelModules", "load a module",
              call("init_module", 0, 0, 0))
    forbidden("ProtectClock", "set the clock", call("clock_settime", 0, 0))
    forbidden("ProtectHostname", "set the name of the host",
              call("sethostname", b"x", 1))
    forbidden("RestrictNamespaces", "a namespace", call("unshare", 0x10000000))
    forbidden("RestrictNamespaces", "one of mounts", call("unshare", 0x20000))
    forbidden("RestrictRealtime", "real time",
              call("sched_setscheduler", 0, 1, ctypes.byref(ctypes.c_int(1))))
    forbidden("LockPersonality", "another personality",
              call("personality", 0x0008))
    forbidden("RestrictSUIDSGID", "a setuid file", suid())
    forbidden("MemoryDenyWriteExecute", "make written memory executable",
              executable_memory())
    for family, name in ((socket.AF_NETLINK, "netlink"), (socket.AF_PACKET,
                                                          "packet")):
        forbidden("RestrictAddressFamilies", f"a socket of {name}",
                  tried(lambda family=family: socket.socket(
                      family, socket.SOCK_RAW).close()),
                  errno.EAFNOSUPPORT)
    say(not foreign_architecture(), "SystemCallArchitectures: no 32 bit calls")
    for name in ("mount", "reboot", "swapon", "bpf", "chroot", "settimeofday",
                 "ptrace"):
        forbidden("SystemCallFilter", name, call(name, 0, 0, 0, 0, 0))
    forbidden("SystemCallFilter", "raise a limit",
              call("setrlimit", resource.RLIMIT_NOFILE, 0))

    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        say(tried(lambda family=family: socket.socket(family).close()) == 0,
            f"needed: a socket of {family.name}")
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        say(tried(write(os.environ[name] + "/probe")) == 0,
            f"needed: write in {name}")
    say(tried(lambda: open("/etc/pgsluice/pgsluice.conf", "rb").close()) == 0,
        "needed: read the configuration")
    sys.exit(1 if failed else 0)


main()
