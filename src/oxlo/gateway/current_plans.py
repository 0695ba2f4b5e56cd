"""The plans currently in force."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from oxlo.ledger.windows import day_of
from oxlo.plans import Plan, Plans
from oxlo.plans.caller import Caller
from oxlo.plans.edited import Watched

log = structlog.get_logger()


class CurrentPlans:
    """The plans, which an operator may edit at any time."""

    def __init__(self, plans: Plans, file: Path | None) -> None:
        """`file`: the edited plans; None: they cannot be edited."""
        self._plans = {plan.id: plan for plan in plans}
        self._file = Watched(file)
        #: Missing plans that accounts refer to, each logged once.
        self._missed: set[str] = set()

    def of(self, caller: Caller, wall: Callable[[], float]) -> Plan:
        """The plan of a caller, including extra requests granted for the day.

        A plan that was removed is replaced by the cheapest one until fixed, as on the pages.
        """
        plan = self._plans.get(caller.plan) or self._instead(caller.plan)
        return plan if not caller.grants else _raised(plan, caller.granted(day_of(wall())))

    def _instead(self, missing: str) -> Plan:
        cheapest = next(iter(self._plans.values()))
        if missing not in self._missed:
            self._missed.add(missing)
            log.error("plan.missing", plan=missing, instead=cheapest.id)
        return cheapest

    def changed(self) -> Plans | None:
        """The plans if edited since the last check; they apply from the next call on."""
        plans = self._file.changed()
        if plans is not None:
            self._plans = {plan.id: plan for plan in plans}
            self._missed.clear()
        return plans


def _raised(plan: Plan, granted: int) -> Plan:
    """The plan with its daily limit raised by extra requests."""
    if plan.requests_per_day is None or not granted:
        return plan
    return msgspec.structs.replace(plan, requests_per_day=plan.requests_per_day + granted)
