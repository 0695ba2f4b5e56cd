"""Predicts a call's cost, and learns from completed calls."""

from oxlo.fleet.pace import TOKEN_BYTES
from oxlo.fleet.router import Demand
from oxlo.gateway.active import ActiveCall
from oxlo.gateway.admission import Decision
from oxlo.queue import Waiting
from oxlo.wire.marks import marks
from oxlo.wire.request import Request


def demand(request: Request, decision: Decision, account: str) -> Demand:
    """The predicted work and, if there are several replicas, the marks of its prefixes."""
    group = decision.group
    return Demand(
        marks(request.turns()) if len(group.backends) > 1 else [],
        1 + request.text_bytes / TOKEN_BYTES,
        group.pace.predict(account, decision.max_tokens),
    )


def waiting(call: ActiveCall) -> Waiting[ActiveCall]:
    """The call's entry in the queue."""
    return Waiting(
        priority=call.plan.priority,
        account=call.caller.account,
        cost=call.demand.work,
        enqueued_at=call.queued_at,
        wait_limit=call.plan.queue_wait,
        item=call,
    )


def learn(call: ActiveCall, decision: Decision) -> None:
    """Update the predictions from a completed call."""
    usage, attempt, pace = call.usage, call.attempt, decision.group.pace
    if not usage.prompt_tokens:
        return
    pace.answered(call.caller.account, usage.completion_tokens)
    if call.stream and attempt is not None:
        pace.timed(
            usage.prompt_tokens - usage.cached_tokens,
            attempt.first_at - call.sent_at,
            usage.completion_tokens,
            attempt.last_at - attempt.first_at,
        )
