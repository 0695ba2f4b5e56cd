"""Tests in several processes: `pytest --workers 2`.

Tests are collected once, then the process forks. A worker asks for another file whenever it has run
all of its last, and the first process tells of everything as if it had run the tests itself.
"""

import os
import sys
from collections.abc import Sequence
from itertools import groupby, pairwise
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

import pytest
from _pytest.nodes import Node

Tests = list[pytest.Item]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--workers`."""
    parser.addoption("--workers", type=int, default=1, help="run tests in so many processes")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests in workers; pytest itself does it for one, and where a fork is not safe."""
    options = session.config.option
    if options.workers < 2 or options.collectonly or session.testsfailed or sys.platform != "linux":
        return None
    files = [list(tests) for _, tests in groupby(session.items, lambda test: test.path)]
    pipes: dict[int, Connection] = {}
    for _ in range(options.workers):
        ours, theirs = Pipe()
        if not (pid := os.fork()):
            Worker(session, theirs, files).run()
            return True
        theirs.close()  # so that the pipe ends with its worker
        pipes[pid] = ours
    Office(session, len(files)).serve(list(pipes.values()))
    for pid in pipes:
        os.waitpid(pid, 0)
    return True


class Office:
    """Where workers fetch the numbers of files, and leave their reports."""

    def __init__(self, session: pytest.Session, files: int) -> None:
        self._session = session
        self._files = iter(range(files))
        self._unreported = {test.nodeid for test in session.items}

    def serve(self, workers: list[Connection]) -> None:
        """Answer workers until all of them have ended. Raises what ends a session that failed."""
        while workers:
            for worker in wait(workers):
                assert isinstance(worker, Connection)
                try:
                    self._answer(worker, worker.recv())
                except (EOFError, ConnectionError):
                    workers.remove(worker)
        if self._unreported and not self._session.shouldfail:
            self._session.shouldfail = f"a worker died, not run: {sorted(self._unreported)}"
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)

    def _answer(self, worker: Connection, said: dict[str, object] | None) -> None:
        if said is None:
            worker.send(None if self._session.shouldfail else next(self._files, None))
            return
        hook, config = self._session.config.hook, self._session.config
        report = hook.pytest_report_from_serializable(config=config, data=said)
        hook.pytest_runtest_logreport(report=report)
        if report.when == "teardown":
            self._unreported.discard(report.nodeid)


class Worker:
    """A process that runs files of tests; a plugin of its own pytest."""

    def __init__(self, session: pytest.Session, office: Connection, files: Sequence[Tests]) -> None:
        self._session = session
        self._office = office
        self._files = files

    def run(self) -> None:
        """Run tests as long as there are files that nobody has."""
        self._mute()
        self._session.config.pluginmanager.register(self)
        file = self.fetch()
        while file:
            following = Following(self)
            for test, after in pairwise([*file, following]):
                test.config.hook.pytest_runtest_protocol(item=test, nextitem=after)
                if self._session.shouldfail or self._session.shouldstop:
                    return
            file = following.file

    def fetch(self) -> Tests:
        """The tests of another file; none if there are no more."""
        self._office.send(None)
        number = self._office.recv()
        return [] if number is None else self._files[number]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hand it in."""
        config = self._session.config
        data = config.hook.pytest_report_to_serializable(config=config, report=report)
        self._office.send(data)

    def _mute(self) -> None:
        """What this process prints is not the suite's, and what it captures not other workers'."""
        capture = self._session.config.pluginmanager.getplugin("capturemanager")
        capture.stop_global_capturing()
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        capture.start_global_capturing()
        capture.suspend_global_capture()


class Following:
    """Stands for the test after a file's last.

    pytest asks for its place when the last is over, to know which fixtures end; the next file is
    fetched no earlier, so that no file waits for a worker that is busy.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.file: Tests = []

    def listchain(self) -> list[Node]:
        """The collectors that stay, and their fixtures with them."""
        self.file = self._worker.fetch()
        return self.file[0].listchain() if self.file else []
