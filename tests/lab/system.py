# SPDX-License-Identifier: GPL-2.0
"""The guest itself: commands, files, waiting, CPUs, loading the module."""

import contextlib
import ctypes
import os
import subprocess
import time

libc = ctypes.CDLL(None, use_errno=True)

TIMEOUT = float(os.environ.get("LAB_TIMEOUT", "60"))


def checked(result, what):
    """Raise what a C function left in errno."""
    if result:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def run(*command, check=True, **kwargs):
    """Run a command in the calling thread's namespace; its output as text."""
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          timeout=TIMEOUT, **kwargs)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout


def wait_for(condition, what, timeout=None):
    """Wait until condition() is true; its value."""
    deadline = time.monotonic() + (timeout or TIMEOUT)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for: {what}")
        time.sleep(0.01)


def get(path):
    """A file's text, without the white space around it."""
    with open(path, encoding="ascii") as f:
        return f.read().strip()


def put(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(value))


def write_line(path, value):
    """One write(2) of a line, as "echo" does it; an error is an OSError."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, f"{value}\n".encode())
    finally:
        os.close(fd)


def insmod(*params):
    """Load the module, as insmod(8) does, but without starting a program."""
    finit_module = 313
    with open(os.environ["LAB_MODULE"], "rb") as f:
        checked(libc.syscall(finit_module, f.fileno(), " ".join(params).encode(), 0),
                " ".join(("insmod", *params)))


def rmmod():
    delete_module = 176
    checked(libc.syscall(delete_module, b"pmtu_hostroute", os.O_NONBLOCK), "rmmod")


@contextlib.contextmanager
def one_cpu():
    """Keep the calling thread, and the threads it starts, on one CPU. Packets sent
    on two CPUs overtake each other on a virtual cable when one CPU is delayed, and
    TCP takes that for loss."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


@contextlib.contextmanager
def whole_cpu():
    """The calling thread, which is on one CPU already, has that CPU to itself: no
    other thread runs there, nor the kernel's deferred work."""
    masks = "/sys/devices/virtual/workqueue/cpumask"
    runtime = "/proc/sys/kernel/sched_rt_runtime_us"
    cpu, = os.sched_getaffinity(0)
    before = {}
    for name, value in ((masks, f"{1 << cpu:x}"), (runtime, -1)):
        before[name] = get(name)
        put(name, value)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        for name, value in before.items():
            put(name, value)


def open_as_nobody(path, flags):
    """What happens when an unprivileged process opens a file: "opened", or the
    name of the error."""
    return run("/usr/bin/python3", "-c", f"""
import errno, os
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
try:
    os.open({path!r}, {flags})
    print("opened")
except OSError as e:
    print(errno.errorcode[e.errno])
""").strip()
