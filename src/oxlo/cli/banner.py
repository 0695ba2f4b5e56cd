"""What `oxlo serve` prints once it is ready: plain text, so that it copies cleanly."""

from oxlo.plans import Plan

_CURL = """\
curl {base}/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Say hello."}}],
       "max_tokens": 100}}'"""

_PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{base}", api_key="{key}")
reply = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Say hello."}}],
    max_tokens=100,
)
print(reply.choices[0].message.content)"""


def banner(base_url: str, key: str | None, plan: Plan, models: list[str]) -> str:
    """The whole text. `key` is there only when it was just made, `models` are those ready."""
    base = f"{base_url}/v1"
    lines = ["", "Oxlo is ready.", "", f"Base URL: {base}", *_key_lines(key)]
    lines += [f"Models: {', '.join(models)}" if models else _NO_MODELS, _plan_line(plan)]
    if models:
        shown = {"base": base, "key": key or "YOUR_API_KEY", "model": models[0]}
        lines += ["", "Ask with curl:", "", _CURL.format(**shown)]
        lines += ["", "Or with Python (pip install openai):", "", _PYTHON.format(**shown)]
    return "\n".join([*lines, "", "Stop with Ctrl-C."])


KEEP = "Keep the key now: it is not shown again."
_NO_MODELS = "Models: none; `oxlo models list` shows what can be pulled"


def _key_lines(key: str | None) -> list[str]:
    if key is None:
        return ["Keys: made earlier; `oxlo keys create --account operator` makes another"]
    return [f"API key: {key}", KEEP]


def _plan_line(plan: Plan) -> str:
    day, minute = plan.requests_per_day, plan.requests_per_minute
    limits = [
        f"{count:,} requests a {window}"
        for count, window in ((day, "day"), (minute, "minute"))
        if count
    ]
    allowed = ", ".join(limits) or "no limits"
    return f"Account: operator, on the {plan.name} plan ({allowed})"
