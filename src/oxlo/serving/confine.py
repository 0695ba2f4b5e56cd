"""Outbound connections of an engine's process are blocked with Landlock (Linux 6.7 or later).

Engines receive everything they need in requests. This prevents SSRF: an engine that is tricked into
fetching a URL, for instance inside the operator's network, cannot connect.
"""

import ctypes
import os
import sys

#: System call numbers, the same on every architecture, and their flags.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION_FLAG = 1
_CONNECT_TCP = 1 << 1
_PR_SET_NO_NEW_PRIVS = 38
#: The first Landlock ABI version with network rules.
_VERSION = 4


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


def supported() -> bool:
    """Whether the kernel can do this."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG) >= _VERSION)


def no_connections() -> bool:
    """Forbid this thread and its children to open TCP connections; accepting stays possible.

    Call before starting other threads. Returns False if the kernel does not support it.
    """
    if not supported():
        return False
    libc = ctypes.CDLL(None)
    rules = _Ruleset(files=0, network=_CONNECT_TCP)
    fd = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if fd < 0:
        return False
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, fd, 0) == 0)
    finally:
        os.close(fd)
