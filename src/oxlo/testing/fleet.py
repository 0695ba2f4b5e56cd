"""A host under observation: tests wait for what it tells, never for a time."""

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
    """A started EngineHost, and everything that it told about its replica."""

    def __init__(
        self,
        launch: Launch,
        logs: Path,
        stall: float = 60.0,
        *,
        cards: tuple[int, ...] = (),
        turns: Turns | None = None,
    ) -> None:
        """`logs` is the folder of its log; `stall` is in seconds."""
        self.told: list[Replica] = []
        self._told = asyncio.Event()
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
        self.told.append(replica)
        self._told.set()

    async def until(self, condition: Callable[[Replica], bool]) -> Replica:
        """The first replica that was told and fits. Raises TimeoutError after 100 s."""
        async with asyncio.timeout(100):  # a loaded machine starts engines slowly
            while not (found := next(filter(condition, self.told), None)):
                self._told.clear()
                await self._told.wait()
        return found

    async def ready(self, generation: int = 1) -> Replica:
        """The replica when it became ready in this generation."""
        return await self.until(
            lambda r: r.state is ReplicaState.READY and r.generation == generation
        )

    async def end(self) -> None:
        """Stop the host. Its engine is killed, and TimeoutError raised, after 100 s."""
        try:
            async with asyncio.timeout(100):
                await self.host.stop(drain=0)
        except TimeoutError:
            if self.host.pid:
                os.killpg(self.host.pid, signal.SIGKILL)
            raise

    async def sick(self) -> Replica:
        """The replica when it first became sick."""
        return await self.until(lambda r: r.state is ReplicaState.SICK)
