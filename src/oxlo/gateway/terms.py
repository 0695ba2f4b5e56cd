"""The plan of each caller, as now in force."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from oxlo.ledger.windows import day_of
from oxlo.plans import Plan, Plans
from oxlo.plans.caller import Caller
from oxlo.plans.edited import Watched


class Terms:
    """The plans, which an operator may edit at any moment."""

    def __init__(self, plans: Plans, file: Path | None) -> None:
        """`file`: where edited ones are; None: nowhere."""
        self._plans = {plan.id: plan for plan in plans}
        self._file = Watched(file)

    def of(self, caller: Caller, wall: Callable[[], float]) -> Plan:
        """The plan of a caller, with what an operator granted for the day."""
        plan = self._plans[caller.plan]
        return plan if not caller.grants else _raised(plan, caller.granted(day_of(wall())))

    def changed(self) -> Plans | None:
        """The plans, when they were edited; they hold from the next call on."""
        plans = self._file.changed()
        if plans is not None:
            self._plans = {plan.id: plan for plan in plans}
        return plans


def _raised(plan: Plan, granted: int) -> Plan:
    """The plan with requests that an operator granted for the day."""
    if plan.requests_per_day is None or not granted:
        return plan
    return msgspec.structs.replace(plan, requests_per_day=plan.requests_per_day + granted)
