"""The plan of each caller, as now in force."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from oxlo.ledger.windows import day_of
from oxlo.plans import Plan, Plans
from oxlo.plans.caller import Caller
from oxlo.plans.edited import Watched

log = structlog.get_logger()


class Terms:
    """The plans, which an operator may edit at any moment."""

    def __init__(self, plans: Plans, file: Path | None) -> None:
        """`file`: where edited ones are; None: nowhere."""
        self._plans = {plan.id: plan for plan in plans}
        self._file = Watched(file)
        #: Plans that accounts are on and that do not exist: each is told once.
        self._missed: set[str] = set()

    def of(self, caller: Caller, wall: Callable[[], float]) -> Plan:
        """The plan of a caller, with what an operator granted for the day.

        One that was removed is the cheapest until it is mended, as on the pages.
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
        """The plans, when they were edited; they hold from the next call on."""
        plans = self._file.changed()
        if plans is not None:
            self._plans = {plan.id: plan for plan in plans}
            self._missed.clear()
        return plans


def _raised(plan: Plan, granted: int) -> Plan:
    """The plan with requests that an operator granted for the day."""
    if plan.requests_per_day is None or not granted:
        return plan
    return msgspec.structs.replace(plan, requests_per_day=plan.requests_per_day + granted)
