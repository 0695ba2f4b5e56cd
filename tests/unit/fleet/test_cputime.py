"""What a process got of the CPUs, and what it waited for them."""

import os
import threading
from pathlib import Path

import pytest

from oxlo.fleet.cputime import CpuTime, Share

BEFORE = CpuTime(ran=100.0, waited=50.0)


def test_a_process_beside_others_is_starved() -> None:
    """Two threads that get a tenth of a CPU each: nine of ten seconds are not theirs."""
    now = CpuTime(ran=102.0, waited=68.0)
    assert now.starved(BEFORE, 10.0) == pytest.approx(9.0)


def test_a_hang_that_spins_is_not_starved() -> None:
    """One that gets a CPU whenever it wants one has all of its time."""
    assert CpuTime(ran=110.0, waited=50.0).starved(BEFORE, 10.0) == 0.0


def test_a_hang_that_answers_polls_is_not_starved() -> None:
    """What it waits for a CPU to answer a poll is little beside the time between two."""
    assert CpuTime(ran=100.01, waited=51.0).starved(BEFORE, 10.0) == 0.0


def test_a_thread_that_ended_takes_nothing_back() -> None:
    """Sums may shrink, as threads that ended are in them no more."""
    assert CpuTime(ran=90.0, waited=40.0).starved(BEFORE, 10.0) == 0.0


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs Linux's schedstat")
def test_the_kernel_tells_it_of_all_threads() -> None:
    """What another thread than the first computes is seen."""
    before, ended = CpuTime.of(os.getpid()), threading.Event()
    worker = threading.Thread(target=lambda: [None for _ in iter(ended.is_set, True)])
    worker.start()
    while CpuTime.of(os.getpid()).ran < before.ran + 0.02:
        pass
    ended.set()
    worker.join()


def test_nobody_s_process_is_never_starved() -> None:
    """An engine that runs elsewhere, and one that is gone, have all of their time."""
    assert Share(None).starved(1e9, look=True) == 0.0
    assert CpuTime.of(2**22 + 1) == CpuTime()


def test_only_whole_looks_count() -> None:
    """What it waited before anybody was in doubt about it excuses nothing."""
    share = Share(os.getpid())
    assert share.starved(10.0, look=True) == 0.0
    assert share.starved(20.0, look=False) == 0.0
    assert share.starved(1e9, look=True) == 0.0
