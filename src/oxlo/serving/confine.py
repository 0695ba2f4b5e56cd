"""Keeps an engine's process from opening connections, where the kernel can (Landlock, Linux 6.7).

Engines are sent everything that they need. One that is tricked into fetching something, an address
inside of the operator's network for instance, gets no connection.
"""

import ctypes
import os
import sys

#: Numbers of the system calls, on every processor, and of what is asked of them.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION_FLAG = 1
_CONNECT_TCP = 1 << 1
_PR_SET_NO_NEW_PRIVS = 38
#: The first version that knows of connections.
_VERSION = 4


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


def no_connections() -> bool:
    """From now on this thread, and all that it starts, open no TCP connection; they accept them.

    To be called before other threads are started. Returns whether the kernel agreed.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG) < _VERSION:
        return False
    rules = _Ruleset(files=0, network=_CONNECT_TCP)
    fd = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if fd < 0:
        return False
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, fd, 0) == 0)
    finally:
        os.close(fd)
