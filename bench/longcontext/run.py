"""Run every routing policy with the same requests on fresh engines, and print a table."""

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import mean, median
from time import perf_counter

import msgspec

from bench import engines, machine
from bench.calls import Refused
from bench.chats import Chat, chat
from bench.longcontext.calls import Call, Size, calls, least
from bench.longcontext.ways import WAYS, Way
from bench.processes import Failed
from oxlo.engines.base import CannotLaunch, Launch
from oxlo.engines.llamacpp import LlamaCpp
from oxlo.engines.llamacpp_child import Config
from oxlo.fleet.fetch import fetch
from oxlo.fleet.registry import Replica
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

MODEL = "smollm2-135m"
ENGINES = 2
#: Prompts cached per engine, one per slot and none beyond; that makes two documents.
SLOTS = 2
CACHE_MB = 32
CONTEXT = 2048

#: Targets: maximum ratio to the best possible; maximum ratio of an engine's load to the mean.
MOST_COMPUTED = 1.25
MOST_LOADED = 1.5
#: Tolerance for noise in comparisons with peers.
NO_WORSE = 1.02


class Row(msgspec.Struct, frozen=True):
    """The result of a routing policy."""

    way: str
    computed: int
    #: Milliseconds to first token.
    first_mean: float
    first_median: float
    first_p95: float
    #: Requests answered by each engine.
    answered: tuple[int, ...]
    seconds: float

    @property
    def load(self) -> float:
        """Return the highest load of an engine relative to the mean."""
        return max(self.answered) / mean(self.answered)


def main(arguments: list[str]) -> int:
    """Measure, print and save the results; return 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench longcontext", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=WAYS, default=list(WAYS), metavar="WAY")
    parser.add_argument("--clients", type=int, default=1, help="calls at once")
    parser.add_argument("--words", type=int, default=Size.words, help="of a document")
    parser.add_argument("--turns", type=int, default=Size.turns, help="of a conversation")
    parser.add_argument("--threads", type=int, default=1, help="of an engine")
    options = parser.parse_args(arguments)
    size = Size(words=options.words, turns=options.turns)
    try:
        best, rows = asyncio.run(_measure(options, size))
    except (Failed, Refused, CannotLaunch) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(size, best, rows)


async def _measure(options: argparse.Namespace, size: Size) -> tuple[int, list[Row]]:
    todo = calls(size)
    best, rows = 0, []
    for name in options.only:
        async with _engines(options.threads) as replicas:
            best = best or await _least(replicas[0], todo)
            with WAYS[name](replicas) as way:
                row = await _row(name, way, replicas, todo, options.clients)
            rows.append(row)
            print(_line(row, best), flush=True)
    return best, rows


@asynccontextmanager
async def _engines(threads: int) -> AsyncIterator[list[Replica]]:
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as folder:
        async with AsyncExitStack() as stack:
            replicas = []
            for number in range(1, ENGINES + 1):
                (Path(folder) / str(number)).mkdir()
                launch = _launch(Path(folder), threads)
                replica, _ = await stack.enter_async_context(
                    engines.started(launch, Path(folder) / str(number))
                )
                named = msgspec.structs.replace(replica, id=f"{MODEL}-{number}")
                replicas.append(named)
            yield replicas


def _launch(folder: Path, threads: int) -> Launch:
    """Configure an engine with a limited cache and without an API key."""
    settings = Settings(
        home=folder, llamacpp_threads=threads, llamacpp_slots=SLOTS, llamacpp_context=CONTEXT,
        llamacpp_cache_mb=CACHE_MB,
    )  # fmt: skip
    here = Machine(cores=threads, memory_mb=4096)
    launch = LlamaCpp().launch(engines.spec(MODEL, here, settings))
    config = msgspec.json.decode(launch.config, type=Config)
    own = msgspec.structs.replace(config, slots=SLOTS, api_key="")
    return msgspec.structs.replace(
        launch, config=msgspec.json.encode(own), api_key="", cache_tokens=SLOTS * CONTEXT
    )


async def _row(
    name: str, way: Way, replicas: Sequence[Replica], todo: Sequence[Call], clients: int
) -> Row:
    before = [await _counters(replica) for replica in replicas]
    began = perf_counter()
    chats = await _send(way, todo, clients)
    seconds = perf_counter() - began
    after = [await _counters(replica) for replica in replicas]
    firsts = sorted(one.first_ms for one in chats)
    answered = [late[1] - early[1] for early, late in zip(before, after, strict=True)]
    each = sum(answered) / len(todo)
    return Row(
        name,
        sum(late[0] - early[0] for early, late in zip(before, after, strict=True)),
        mean(firsts),
        median(firsts),
        firsts[int(len(firsts) * 0.95)],
        tuple(round(tokens / each) for tokens in answered),
        seconds,
    )


async def _send(way: Way, todo: Sequence[Call], clients: int) -> list[Chat]:
    """Send all requests with bounded concurrency; the turns of a conversation are sequential."""
    ended = {(call.conversation, call.turn): asyncio.Event() for call in todo}
    waiting = iter(todo)
    chats = []

    async def client() -> None:
        for call in waiting:
            if call.turn:
                await ended[call.conversation, call.turn - 1].wait()
            place = way.place(call)
            chats.append(await chat(place, call.body))
            way.done(place)
            ended[call.conversation, call.turn].set()

    await asyncio.gather(*(client() for _ in range(clients)))
    return chats


_COUNTERS = re.compile(
    r"^llamacpp:(prompt_tokens_total|tokens_predicted_total) (\S+)", re.MULTILINE
)


async def _counters(replica: Replica) -> tuple[int, int]:
    """Return an engine's counters of prompt tokens computed and tokens generated."""
    reply = await fetch(replica.address, "/metrics", api_key="", deadline=30)
    counters = dict(_COUNTERS.findall(reply.body.decode()))
    return (
        int(float(counters.get("prompt_tokens_total", 0))),
        int(float(counters.get("tokens_predicted_total", 0))),
    )


class _Prompt(msgspec.Struct):
    prompt: str


class _Tokens(msgspec.Struct):
    tokens: list[int]


async def _least(replica: Replica, todo: Sequence[Call]) -> int:
    prompts = [await _tokens(replica, call) for call in todo]
    return least(prompts)


async def _tokens(replica: Replica, call: Call) -> list[int]:
    body = msgspec.json.decode(call.body)
    rendered = await fetch(replica.address, "/apply-template", body=body, api_key="", deadline=30)
    prompt = msgspec.json.decode(rendered.body, type=_Prompt).prompt
    fields = {"content": prompt, "add_special": True, "parse_special": True}
    reply = await fetch(replica.address, "/tokenize", body=fields, api_key="", deadline=30)
    return msgspec.json.decode(reply.body, type=_Tokens).tokens


HEAD = f"{'':15} {'computed':>9} {'x best':>7} {'first word, ms: mean':>21} {'p50':>7} {'p95':>7}"


def _line(row: Row, best: int) -> str:
    shares = "/".join(map(str, row.answered))
    return (
        f"{row.way:15} {row.computed:9,} {row.computed / best:7.2f} {row.first_mean:21.0f}"
        f" {row.first_median:7.0f} {row.first_p95:7.0f} {shares:>9} {row.load:6.2f}"
        f" {row.seconds:6.1f}"
    )


def _show(size: Size, best: int, rows: Sequence[Row]) -> int:
    print(f"\n{size.conversations} conversations of {size.turns} turns, {size.documents} documents")
    print(f"{HEAD} {'calls':>9} {'x mean':>6} {'s':>6}")
    print(f"{'best possible':15} {best:9,} {1:7.2f}")
    for row in rows:
        print(_line(row, best))
    met = _targets(best, {row.way: row for row in rows})
    for what, passed in met.items():
        print(f"{what}: {'met' if passed else 'MISSED'}")
    result = {"size": size, "best": best, "rows": rows}
    print(f"kept in {machine.save('longcontext', result)}")
    return 0 if all(met.values()) else 1


def _targets(best: int, rows: dict[str, Row]) -> dict[str, bool]:
    ours = rows.get("oxlo")
    if ours is None:
        return {}
    peers = [row for name, row in rows.items() if name.endswith("router")]
    met = {
        f"computed at most {MOST_COMPUTED} x the best possible": ours.computed
        <= MOST_COMPUTED * best,
        f"no engine given more than {MOST_LOADED} x the mean": ours.load <= MOST_LOADED,
    }
    if peers:
        least_computed = min(peer.computed for peer in peers)
        met["computed no more than the best router"] = ours.computed <= NO_WORSE * least_computed
        soonest = min(peer.first_mean for peer in peers)
        met["first word no later than with the best router"] = ours.first_mean <= NO_WORSE * soonest
    return met
