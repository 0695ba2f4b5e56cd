"""CPU affinity of the threads that share one run, so that each has CPUs of its own.

Linux wakes a thread where it ran last or beside the thread that wakes it, unless it finds an idle
CPU. In a virtual machine a halted CPU does not count as idle; so two threads often share one CPU
while another idles, and a run takes twice as long (`docs/decisions/0054-threads-apart.md`).
"""

import os
from collections.abc import Collection


def available_cpus() -> set[int]:
    """The CPUs that the calling thread may use; empty where the system has no affinity."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def shares(cpus: Collection[int], threads: int) -> list[list[int]]:
    """Divide CPUs among the threads of a run; [] if one thread, or more threads than CPUs."""
    if not 1 < threads <= len(cpus):
        return []
    return [sorted(cpus)[thread::threads] for thread in range(threads)]


def pin(cpus: Collection[int]) -> None:
    """Keep the calling thread, and threads that it starts later, on these CPUs; none: no change."""
    if cpus:
        os.sched_setaffinity(0, cpus)
