"""Admission decisions, made before anything is reserved: pure functions of plain data."""

from typing import Any, Final

from oxlo.catalogue import Catalogue, Model
from oxlo.engines.dialects.failures import over_context
from oxlo.errors import (
    ApiError,
    ContextLengthExceeded,
    Forbidden,
    ModelAccessDenied,
    ModelNotDeployed,
    ModelNotFound,
    Overloaded,
    UnsupportedAbility,
)
from oxlo.gateway.backends import Backends, Group
from oxlo.gateway.endpoints import Endpoint
from oxlo.gateway.model_suggestions import ModelSuggestions
from oxlo.plans import Plan, Plans
from oxlo.plans.caller import Caller
from oxlo.wire.decode import required
from oxlo.wire.request import Request

#: Maximum number of cached model spellings.
PERMIT_LIMIT: Final = 10_000


class Decision:
    """The outcome of admission for one call."""

    __slots__ = (
        "counted", "group", "input_cap", "max_tokens", "model", "must_count", "open_ended",
        "priority", "prompt", "requested",
    )  # fmt: skip

    def __init__(
        self,
        permit: "Permit",
        max_tokens: int,
        *,
        prompt: str,
        requested: int | None,
        input_cap: int,
        must_count: bool,
        open_ended: bool,
    ) -> None:
        self.model = permit.model
        self.group = permit.group
        #: The plan's priority, 0 (best effort) to 3 (dedicated).
        self.priority = permit.priority
        #: The request field whose input tokens are counted.
        self.prompt = prompt
        #: Maximum output tokens.
        self.max_tokens = max_tokens
        #: Output tokens requested by the client.
        self.requested = requested
        #: Maximum input tokens, by plan and context length.
        self.input_cap = input_cap
        #: Whether the prompt may exceed a limit, so that its tokens have to be counted.
        self.must_count = must_count
        #: Whether the engine may generate until its context is full; it is then sent no limit.
        self.open_ended = open_ended
        #: Number of input tokens if counted; otherwise 0.
        self.counted = 0

    @property
    def clamped(self) -> bool:
        """Whether the requested number of output tokens was reduced."""
        return self.requested is not None and self.requested > self.max_tokens


class Permit:
    """Permission of a plan to use a model at an endpoint, with the values all such calls share."""

    __slots__ = ("group", "max_input", "max_output", "model", "overhead", "priority")

    def __init__(self, model: Model, group: Group, plan: Plan) -> None:
        self.model = model
        self.group = group
        self.priority = int(plan.priority)
        #: Tokens allowed by the plan; None: no limit.
        self.max_input = plan.max_input_tokens
        self.max_output = plan.max_output_tokens
        #: Tokens added by the chat template: per prompt, and per message.
        self.overhead = model.template_overhead


class Admission:
    """Makes admission decisions from the catalogue, the plans and the running replicas."""

    def __init__(self, catalogue: Catalogue, plans: Plans, backends: Backends) -> None:
        self._catalogue = catalogue
        self._plans = plans
        self._backends = backends
        self._suggestions = ModelSuggestions(catalogue, backends)
        #: Permits by (plan, endpoint, model as spelled in the request); a model's group never
        #: changes.
        self._permits: dict[tuple[str, str, str], Permit] = {}

    def use(self, plans: Plans) -> None:
        """Switch to other plans, from the next call on."""
        self._plans = plans
        self._permits.clear()

    def decide(
        self, endpoint: Endpoint, request: Any, name: str, caller: Caller, plan: Plan, now: float
    ) -> Decision:
        """Decide on a decoded request to the named model.

        Raises ApiError: 400, 403 or 404; or 503 if the model is not deployed or not ready.
        """
        permit = None
        if not name and endpoint.picks:
            name = self._pick(endpoint, caller, plan, now)
        if not caller.models and not caller.trial_until:
            permit = self._permits.get((plan.id, endpoint.name, name))
        if permit is None:
            permit = self._permit(endpoint, name, caller, plan, now)
        model, group = permit.model, permit.group
        try:
            endpoint.validate(request, model)
        except UnsupportedAbility as error:
            raise self._suggestions.unable(error) from None
        if not group.ready:
            if not group.backends:
                raise self._suggestions.not_deployed(model, endpoint)
            raise Overloaded(f"{model.id} is starting. Try again shortly.", retry_after=5)
        return _caps(request, endpoint, permit)

    def check(
        self, endpoint: Endpoint, request: Any, name: str, caller: Caller, plan: Plan, now: float
    ) -> None:
        """Check that a model listed in `models` may answer. Raises ApiError: 400, 403, 404."""
        try:
            self.decide(endpoint, request, name, caller, plan, now)
        except Overloaded:
            return  # allowed, once it is deployed and ready
        except ApiError as error:
            if error.param == "model":
                error.param = "models"
            raise

    def _pick(self, endpoint: Endpoint, caller: Caller, plan: Plan, now: float) -> str:
        """The first model by name that is ready and open to the caller."""
        trial = now < caller.trial_until
        open_to = [
            model.id
            for model in self._catalogue
            if endpoint.ability in model.abilities
            and self._backends.is_ready(model.id)
            and plan.opens(model.tier, trial=trial)
            and (not caller.models or model.id in caller.models)
        ]
        if not open_to:
            raise ModelNotDeployed(
                f"No model that you may use is ready to answer at {endpoint.path}.", param="model"
            )
        return min(open_to)

    def _permit(
        self, endpoint: Endpoint, name: str, caller: Caller, plan: Plan, now: float
    ) -> Permit:
        if not name.strip():
            raise required("model")
        try:
            model = self._catalogue.resolve(name)
        except ModelNotFound as error:
            raise self._suggestions.unknown(error, endpoint) from None
        if caller.models and model.id not in caller.models:
            raise Forbidden(f"This API key may not use {model.id}.", param="model")
        self._check_tier(model, plan, trial=now < caller.trial_until)
        if endpoint.ability not in model.abilities:
            raise self._suggestions.wrong_endpoint(model, endpoint)
        group = self._backends.group(model.id)
        if group is None:
            raise self._suggestions.not_deployed(model, endpoint)
        permit = Permit(model, group, plan)
        if plan.opens(model.tier):  # not cached if open to this caller only, as in a trial
            self._keep((plan.id, endpoint.name, name), permit)
        return permit

    def _keep(self, key: tuple[str, str, str], permit: Permit) -> None:
        if len(self._permits) >= PERMIT_LIMIT:  # clients choose the spellings
            self._permits.clear()
        self._permits[key] = permit

    def _check_tier(self, model: Model, plan: Plan, *, trial: bool) -> None:
        if plan.opens(model.tier, trial=trial):
            return
        cheapest = self._plans.cheapest_opening(model.tier)
        required = cheapest.id if cheapest else None
        remedy = f" Upgrade to {cheapest.name} to use it." if cheapest else ""
        raise ModelAccessDenied(
            f"Your plan ({plan.name}) does not include {model.id}.{remedy}",
            param="model",
            required_plan=required,
        )


def _caps(request: Request, endpoint: Endpoint, permit: Permit) -> Decision:
    group = permit.group
    context = group.context_length
    cap = min(permit.max_input or context, context)
    most = min(permit.max_output or context, context)
    requested = request.output_limit
    allowed = most if requested is None else min(requested, most)
    whole, each = permit.overhead
    # A token is at least one byte, apart from the template's own, so no prompt has more tokens.
    bound = request.text_bytes + whole + each * request.message_count
    # Some engines reject a request whose output might not fit instead of truncating it. Reduce the
    # limit to fit, unless there is no limit.
    open_ended = (
        group.strict_context and endpoint.open_ended and requested is None and most == context
    )
    misfits = group.strict_context and not open_ended and bound + allowed > context
    return Decision(
        permit,
        allowed,
        prompt=endpoint.prompt,
        requested=requested,
        input_cap=cap,
        must_count=endpoint.counts and (misfits or bound > cap < context),
        open_ended=open_ended,
    )


def fit(decision: Decision, counted: int) -> int:
    """The output tokens that fit besides `counted` input tokens. Raises ContextLengthExceeded."""
    context, cap = decision.group.context_length, decision.input_cap
    if counted >= context:
        raise over_context(counted, context, decision.prompt)
    if counted > cap:
        raise ContextLengthExceeded(
            f"This model's maximum context length is {cap} tokens on your plan ({context} in "
            f"itself), and the prompt has {counted}. Shorten it, or change the plan.",
            param=decision.prompt,
            counted_tokens=counted,
            allowed_tokens=cap,
        )
    return min(decision.max_tokens, context - counted)
