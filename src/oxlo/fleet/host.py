"""The life cycle of one replica: start, warm-up, health checks, restart, drain, stop.

    STARTING -> WARMING -> READY -> SICK -> STARTING (the next generation) ...
    any -> DRAINING -> STOPPED

It does not depend on its owner: the local fleet here, a cluster actor elsewhere.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from oxlo.engines.base import Launch
from oxlo.engines.kinds import kind
from oxlo.engines.probe import PROBES, Probe, Progress
from oxlo.fleet.backoff import Backoff
from oxlo.fleet.cputime import Share
from oxlo.fleet.fetch import NoAnswer, Refused, fetch
from oxlo.fleet.health import Health, Sample
from oxlo.fleet.process import EngineProcess, log_file
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.fleet.turns import Turns
from oxlo.fleet.warm import Warmth, WarmUpFailed, warm

log = structlog.get_logger("oxlo.fleet")
T = TypeVar("T")

#: Timeout of warm-up, and interval of checks for CPU starvation, seconds.
_WARM_SECONDS = 300.0
_LOOK_SECONDS = 5.0
#: Interval at which the progress of a start is reported, seconds.
_TELL_SECONDS = 1.0
_LONGEST_LINE = 200
_POLL_DEADLINE = 5.0
#: After this, no gateway sends requests to a DRAINING replica: they read the list twice a second.
_NOTICE_SECONDS = 1.0


class EngineDown(Exception):
    """The engine cannot serve; the message says why."""


class EngineHost:
    """Keeps one engine running, and reports each change of its replica."""

    def __init__(
        self,
        replica_id: str,
        launch: Launch,
        *,
        logs: Path,
        stall: float,
        changed: Callable[[Replica], None],
        generation: int = 1,
        cards: tuple[int, ...] = (),
        turns: Turns | None = None,
    ) -> None:
        """`changed` gets each new state; `stall` is the health timeout in seconds; `generation` is
        that of the first start; engines on the same `cards` start in `turns`.
        """
        self._launch = launch
        self._cards = cards
        self._turns = turns or Turns()
        self._probe: Probe = PROBES[launch.dialect]
        self._log_file = logs / f"{replica_id}.log"
        self._stall = stall
        self._changed = changed
        self._backoff = Backoff()
        #: Why the last start failed; "" once it is READY.
        self._failure = ""
        self._process: EngineProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready_at = 0.0
        self._warmth: Warmth | None = None
        self.replica = Replica(
            id=replica_id,
            model=launch.model,
            kind=launch.kind,
            dialect=launch.dialect,
            address=launch.address,
            engine_model=launch.engine_model,
            slots=launch.slots,
            context_length=launch.context_length,
            cache_tokens=launch.cache_tokens,
            build=launch.build,
            overflow=launch.overflow,
            state=ReplicaState.STARTING,
            reason="waiting to be started",
            generation=generation,
            api_key=launch.api_key,
            since=time.time(),
        )

    def start(self) -> None:
        """Start in the background."""
        log.info("engine.launch", replica=self.replica.id, **self._launch.arguments)
        self._task = asyncio.create_task(self._run())

    async def stop(self, drain: float) -> None:
        """Wait at most `drain` seconds for running requests, then stop the process."""
        serves = self.serves
        self._enter(ReplicaState.DRAINING, "shutting down")
        await self._leave()
        if serves and self._process and drain > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain):
                    await self._idle()
        await self._end_process()
        self._enter(ReplicaState.STOPPED, "shut down")

    def report_to(self, changed: Callable[[Replica], None]) -> None:
        """Report changes to another callback from now on."""
        self._changed = changed

    def succeed(self, generation: int, changed: Callable[[Replica], None]) -> None:
        """Replace another host: take its next generation and callback, and report the state."""
        self.replica = msgspec.structs.replace(self.replica, generation=generation)
        self.report_to(changed)
        changed(self.replica)

    @property
    def serves(self) -> bool:
        """Whether it is READY."""
        return self.replica.state is ReplicaState.READY

    @property
    def pid(self) -> int | None:
        """The engine's process id, if it is running here."""
        return self._process.pid if self._process else None

    def _enter(self, state: ReplicaState, reason: str, **fields: object) -> None:
        self.replica = msgspec.structs.replace(
            self.replica, state=state, reason=reason, since=time.time(), **fields
        )
        log.info("replica.state", replica=self.replica.id, state=str(state), reason=reason)
        self._changed(self.replica)

    async def _leave(self) -> None:
        """Stop watching, without stopping the process."""
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            self._ready_at = time.monotonic()
            try:
                await self._live()
            except Refused as refused:
                await self._fail(await self._refusal(refused))
            except (EngineDown, WarmUpFailed, NoAnswer, OSError) as down:
                await self._fail(str(down))

    async def _fail(self, reason: str) -> None:
        well = self.replica.state is ReplicaState.READY
        wait = self._backoff.failed(time.monotonic() - self._ready_at if well else 0.0)
        self._failure = reason
        self._enter(ReplicaState.SICK, f"{reason}; tried again in {wait:g} s", pid=0)
        await self._end_process()
        await asyncio.sleep(wait)
        if self._launch.argv:
            self.replica = msgspec.structs.replace(
                self.replica, generation=self.replica.generation + 1
            )

    async def _live(self) -> None:
        """One start, until it fails. Raises EngineDown and the errors of `fetch`."""
        if self._turns.taken(self._cards):
            self._enter(ReplicaState.STARTING, "waits for another engine to start on its card")
        async with self._turns.on(self._cards):
            again = f" again after: {self._failure}" if self._failure else ""
            self._enter(ReplicaState.STARTING, f"being started{again}")
            address = await self._within(self._launch.start_seconds, self._address(), "start")
        await self._warm(address)
        await self._watch(address)

    async def _address(self) -> str:
        if not self._launch.argv:
            await self._progress(self._launch.address)
            return self._launch.address
        self._process = await EngineProcess.start(self._launch, log_file(self._log_file))
        self.replica = msgspec.structs.replace(self.replica, pid=self._process.pid)
        telling = asyncio.create_task(self._tell_progress(self._process))
        try:
            address = await self._process.listening()
        finally:
            telling.cancel()
        if address is None:
            raise EngineDown(await self._last_words())
        return address

    async def _tell_progress(self, process: EngineProcess) -> None:
        """Report the last log line of a starting engine: a large one loads for many minutes."""
        reported = ""
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            if process.last_line != reported:
                reported = process.last_line
                reason = f"being started: {reported[:_LONGEST_LINE]}"
                self.replica = msgspec.structs.replace(self.replica, reason=reason)
                self._changed(self.replica)

    async def _warm(self, address: str) -> None:
        if self._launch.warm and (self._launch.argv or not self._warmth):
            self._enter(ReplicaState.WARMING, "real requests are running", address=address)
            self._warmth = await self._warmed(address)
        self._ready_at = time.monotonic()
        self._failure = ""
        warmth = self._warmth
        self._enter(
            ReplicaState.READY,
            "",
            address=address,
            first_ms=warmth.first_ms if warmth else None,
            warm_ms=warmth.warm_ms if warmth else None,
        )

    async def _warmed(self, address: str) -> Warmth:
        """Warm up; time in which the engine was starved of CPU does not count as waiting."""
        warming = asyncio.ensure_future(self._or_exit(warm(self._launch, address)))
        got, left = Share(self.pid), _WARM_SECONDS
        try:
            while left > 0:
                await asyncio.wait({warming}, timeout=_LOOK_SECONDS)
                if warming.done():
                    return warming.result()
                left -= _LOOK_SECONDS - got.starved(time.monotonic(), look=True)
        finally:
            warming.cancel()
        raise EngineDown(f"did not warm up within {_WARM_SECONDS:g} s")

    async def _watch(self, address: str) -> None:
        health = Health.fresh(time.monotonic())
        got = Share(self.pid)
        while True:
            await self._or_exit(asyncio.sleep(self._probe.interval))
            health = health.after(await self._sample(address))
            health = health.starved(got.starved(health.sampled_at, look=not health.moves))
            if sickness := health.sickness(health.sampled_at, self._stall):
                raise EngineDown(sickness)

    async def _sample(self, address: str) -> Sample:
        """One health poll. Raises EngineDown if the engine rejects our key."""
        try:
            progress = await self._progress(address)
        except NoAnswer:
            return Sample(time.monotonic(), "silent")
        except Refused as refused:
            return Sample(time.monotonic(), "refused", detail=str(refused))
        return Sample(time.monotonic(), "answered", progress)

    async def _progress(self, address: str) -> Progress | None:
        path, key = self._probe.path, self._launch.api_key
        reply = await fetch(address, path, api_key=key, deadline=_POLL_DEADLINE)
        if reply.status in (401, 403):
            raise EngineDown(f"{address} refuses our key: status {reply.status}")
        if reply.status >= (400 if self._probe.progress else 500):
            raise Refused(f"{path} answered with status {reply.status}")
        try:
            return self._probe.progress(reply.body) if self._probe.progress else None
        except ValueError as error:
            raise Refused(f"{path} cannot be read: {error}") from None

    async def _idle(self) -> None:
        """Wait until the engine has no requests left."""
        await asyncio.sleep(_NOTICE_SECONDS)
        while await self._busy():  # noqa: ASYNC110 - engines can only be polled
            await asyncio.sleep(_NOTICE_SECONDS / 4)

    async def _busy(self) -> bool:
        try:
            progress = await self._progress(self.replica.address)
        except NoAnswer:
            return True  # too busy to answer
        except (Refused, EngineDown):
            return False
        return bool(progress and progress.busy)

    async def _or_exit(self, work: Awaitable[T]) -> T:
        """The result of `work`. Raises EngineDown as soon as the process exits."""
        if self._process is None:
            return await work
        working = asyncio.ensure_future(work)
        exited = asyncio.ensure_future(self._process.exited())
        try:
            await asyncio.wait({working, exited}, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                raise EngineDown(await self._last_words())
            return working.result()
        finally:
            working.cancel()
            exited.cancel()

    async def _within(self, seconds: float, work: Awaitable[T], what: str) -> T:
        try:
            # Not `wait_for`: before Python 3.12 it loses a cancellation that comes with the result.
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            raise EngineDown(f"did not {what} within {seconds:g} s") from None

    async def _refusal(self, refused: Refused) -> str:
        """The reason for a refusal: if the engine is just exiting, its exit status says more."""
        if self._process is None:
            return str(refused)
        try:
            async with asyncio.timeout(_NOTICE_SECONDS):
                await self._process.exited()
        except TimeoutError:
            return str(refused)
        return await self._last_words()

    async def _last_words(self) -> str:
        """Why the process exited, from its status, its own report and its log."""
        assert self._process
        status = await self._process.exited()
        ended = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
        cause = kind(self._launch.kind).explain(tuple(self._process.tail))
        return ": ".join(filter(None, (f"the engine {ended}", self._process.failure, cause)))

    async def _end_process(self) -> None:
        if self._process:
            await self._process.stop()  # if this is cancelled, the process remains to be stopped
            self._process = None
            self.replica = msgspec.structs.replace(self.replica, pid=0)
