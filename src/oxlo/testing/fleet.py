"""An observed engine host: tests wait for its reports instead of sleeping."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from oxlo.engines.base import Launch
from oxlo.fleet.host import EngineHost
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.fleet.turns import Turns


class WatchedHost:
    """A running EngineHost, and all reports about its replica."""

    def __init__(
        self,
        launch: Launch,
        logs: Path,
        stall: float = 60.0,
        *,
        cards: tuple[int, ...] = (),
        turns: Turns | None = None,
    ) -> None:
        """`logs` is the folder for the log file; `stall` is in seconds."""
        self.reports: list[Replica] = []
        self._reported = asyncio.Event()
        self.host = EngineHost(
            f"{launch.model}-1",
            launch,
            logs=logs,
            stall=stall,
            changed=self._changed,
            cards=cards,
            turns=turns,
        )
        self.host.start()

    def _changed(self, replica: Replica) -> None:
        self.reports.append(replica)
        self._reported.set()

    async def until(self, condition: Callable[[Replica], bool]) -> Replica:
        """Wait for the first report that fulfils `condition`. Raises TimeoutError after 100 s."""
        async with asyncio.timeout(100):  # engines start slowly on a busy machine
            while not (found := next(filter(condition, self.reports), None)):
                self._reported.clear()
                await self._reported.wait()
        return found

    async def ready(self, generation: int = 1) -> Replica:
        """Wait until the replica is ready in this generation."""
        return await self.until(
            lambda r: r.state is ReplicaState.READY and r.generation == generation
        )

    async def end(self) -> None:
        """Stop the host. After 100 s, kills the engine and raises TimeoutError."""
        try:
            async with asyncio.timeout(100):
                await self.host.stop(drain=0)
        except TimeoutError:
            if self.host.pid:
                os.killpg(self.host.pid, signal.SIGKILL)
            raise

    async def sick(self) -> Replica:
        """Wait until the replica is sick."""
        return await self.until(lambda r: r.state is ReplicaState.SICK)
