"""Plans and their limits, read from `plans.toml`."""

import math
import tomllib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec


class Priority(IntEnum):
    """Queue priority; higher numbers go first."""

    BEST_EFFORT = 0
    HIGH = 1
    HIGHEST = 2
    DEDICATED = 3


#: The plans that come with the package.
SHIPPED = Path(__file__).with_name("plans.toml")

_PRIORITIES = {priority.name.lower(): priority for priority in Priority}

#: Limits are at least 1; no limit is expressed by leaving it out.
Limit = Annotated[int, msgspec.Meta(ge=1)] | None


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One plan; a limit of None means unlimited."""

    id: str
    name: str
    price_usd: float | None = None
    requests_per_day: Limit = None
    requests_per_minute: Limit = None
    concurrency: Limit = None
    max_input_tokens: Limit = None
    max_output_tokens: Limit = None
    max_audio_minutes: Limit = None
    max_body_mb: int = 25
    tiers: frozenset[str]
    queue: Literal["best_effort", "high", "highest", "dedicated"]
    #: Days after sign-up during which `trial_tiers` are available, too.
    trial_days: int = 0
    trial_tiers: frozenset[str] = frozenset()
    #: Seconds that a request over `concurrency` waits in its account's queue before 429.
    concurrency_wait: float = 10.0
    #: Seconds that a request waits for a free slot before 503.
    queue_wait: float = 60.0
    #: Refunds per day for clients that disconnect after the engine has started.
    abandoned_refunds: int = 10

    @property
    def priority(self) -> Priority:
        """The queue priority as a number."""
        return _PRIORITIES[self.queue]

    @property
    def max_audio_seconds(self) -> int | None:
        """Limit on recordings, seconds; None: unlimited."""
        return None if self.max_audio_minutes is None else self.max_audio_minutes * 60

    def opens(self, tier: str, *, trial: bool = False) -> bool:
        """Whether the plan includes a tier, during the trial or after it."""
        return tier in self.tiers or (trial and tier in self.trial_tiers)


class Plans(msgspec.Struct, frozen=True):
    """The plans in force, cheapest first."""

    plans: tuple[Plan, ...]

    def __iter__(self) -> Iterator[Plan]:
        return iter(self.plans)

    def __getitem__(self, plan_id: str) -> Plan:
        """Look up a plan by id. Raises KeyError that names all plans."""
        for plan in self.plans:
            if plan.id == plan_id:
                return plan
        raise KeyError(f"no plan {plan_id!r}; there are {', '.join(p.id for p in self.plans)}")

    def cheapest_opening(self, tier: str) -> Plan | None:
        """The cheapest plan that includes a tier without a trial."""
        return next((plan for plan in self.plans if plan.opens(tier)), None)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    plan: dict[str, dict[str, object]]


def load(path: Path | None = None) -> Plans:
    """Read plans from `path`, or the default plans.

    Raises msgspec.ValidationError that names the file, the plan and the field.
    """
    source = path or SHIPPED
    try:
        text = source.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise msgspec.ValidationError(f"{source}: it is not UTF-8") from error
    return parse(text, str(source))


def parse(text: str, source: str) -> Plans:
    """Parse TOML; `source` names it in errors. Raises msgspec.ValidationError."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
        plans = [_plan(plan_id, body) for plan_id, body in file.plan.items()]
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise msgspec.ValidationError(f"{source}: {error}") from error
    if not plans:
        raise msgspec.ValidationError(f"{source}: there is no plan in it")
    return Plans(
        tuple(sorted(plans, key=lambda p: math.inf if p.price_usd is None else p.price_usd))
    )


def _plan(plan_id: str, body: dict[str, object]) -> Plan:
    try:
        return msgspec.convert({"id": plan_id, **body}, Plan)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"plan.{plan_id}: {error}") from error
