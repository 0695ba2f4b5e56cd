"""Which CPUs the threads of one run get."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tests.waiting import until

from oxlo.engines.affinity import available_cpus, pin, shares
from oxlo.engines.sessions import affinities, session


@given(st.sets(st.integers(0, 300)), st.integers(1, 70))
def test_no_two_threads_share_a_cpu(cpus: set[int], threads: int) -> None:
    """Every CPU is used once, and threads get equally many; or there is no division."""
    divided = shares(cpus, threads)
    if threads == 1 or threads > len(cpus):
        assert divided == []
        return
    assert len(divided) == threads
    assert sorted(cpu for share in divided for cpu in share) == sorted(cpus)
    assert max(map(len, divided)) - min(map(len, divided)) <= 1


def test_neighbours_go_to_different_threads() -> None:
    """On CPUs that are not the first ones, as in a container."""
    assert shares({4, 5, 8, 9}, 2) == [[4, 8], [5, 9]]


def test_onnxruntime_counts_from_one() -> None:
    """Threads are separated by semicolons."""
    assert affinities([[1, 3], [2]]) == "2,4;3"


def _identity() -> bytes:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    opset = helper.make_opsetid("", 17)
    made: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    return made


def _threads_on(cpu: int) -> set[int]:
    """This process's threads that may use that CPU only."""
    threads = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended
            if os.sched_getaffinity(int(task.name)) == {cpu}:
                threads.add(int(task.name))
    return threads


@pytest.mark.skipif(len(available_cpus()) < 2, reason="needs two CPUs, and Linux")
async def test_threads_of_a_session() -> None:
    """The library's thread goes where it was told to, and the caller's stays as it was."""
    last, everywhere = max(available_cpus()), available_cpus()
    before = _threads_on(last)
    opened = session(_identity(), 2, "cpu", cpus=[[last]])
    await until(lambda: len(_threads_on(last) - before) == 1)
    assert available_cpus() == everywhere
    del opened


@pytest.mark.skipif(len(available_cpus()) < 2, reason="needs two CPUs, and Linux")
def test_pin_is_of_one_thread() -> None:
    """The thread that calls it, and no other."""
    everywhere, seen = available_cpus(), []

    def work() -> None:
        pin([max(everywhere)])
        seen.append(available_cpus())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [{max(everywhere)}]
    assert available_cpus() == everywhere
