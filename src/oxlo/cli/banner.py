"""What `oxlo serve` prints once it is ready: plain text, so that it copies cleanly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oxlo.catalogue import Model
from oxlo.plans import Plan


@dataclass(frozen=True)
class _Example:
    """How models with an ability are called."""

    #: Below `/v1`.
    path: str
    #: What curl is told beside address and key, and statements for the Python client.
    options: str
    python: str


def _json(body: str, more: str = "") -> str:
    return f"""-H "Content-Type: application/json" \\
  -d '{body}'{more}"""


_EXAMPLES = {
    "chat": _Example(
        "/chat/completions",
        _json("""\
{{"model": "{model}", "messages": [{{"role": "user", "content": "Say hello."}}],
       "max_tokens": 100}}"""),
        """\
reply = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Say hello."}}],
    max_tokens=100,
)
print(reply.choices[0].message.content)""",
    ),
    "embeddings": _Example(
        "/embeddings",
        _json('{{"model": "{model}", "input": "Say hello."}}'),
        """\
vectors = client.embeddings.create(model="{model}", input=["Say hello.", "Greet me."])
print(vectors.data[0].embedding[:4])""",
    ),
    "speech": _Example(
        "/audio/speech",
        _json('{{"model": "{model}", "input": "Hello there."}}', " -o hello.mp3"),
        """\
speech = client.audio.speech.create(model="{model}", voice="alloy", input="Hello there.")
speech.write_to_file("hello.mp3")""",
    ),
    "transcription": _Example(
        "/audio/transcriptions",
        "-F model={model} -F file=@hello.mp3",
        """\
with open("hello.mp3", "rb") as recording:
    print(client.audio.transcriptions.create(model="{model}", file=recording).text)""",
    ),
}

_CURL = """\
curl {base}{path} \\
  -H "Authorization: Bearer {key}" \\
  {options}"""

_PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{base}", api_key="{key}")
{calls}"""


def banner(base_url: str, key: str | None, plan: Plan, models: Sequence[Model]) -> str:
    """The whole text. `key` is there only when it was just made, `models` are those ready."""
    base = f"{base_url}/v1"
    names = ", ".join(model.id for model in models)
    lines = ["", "Oxlo is ready.", "", f"Base URL: {base}", *_key_lines(key)]
    lines += [f"Models: {names}" if models else _NO_MODELS, _plan_line(plan)]
    lines += _calls(base, key or "YOUR_API_KEY", models)
    return "\n".join([*lines, "", "Stop with Ctrl-C."])


def _calls(base: str, key: str, models: Sequence[Model]) -> list[str]:
    """A call with curl, and a program that calls a model of each ability."""
    found = list(_examples(models))
    if not found:
        return []
    example, model = found[0]
    options = example.options.format(model=model)
    curl = _CURL.format(base=base, key=key, path=example.path, options=options)
    calls = "\n\n".join(example.python.format(model=model) for example, model in found)
    python = _PYTHON.format(base=base, key=key, calls=calls)
    return ["", "Ask with curl:", "", curl, "", "Or with Python (pip install openai):", "", python]


def _examples(models: Sequence[Model]) -> Iterator[tuple[_Example, str]]:
    """Each ability's example, with the first of the models that has it."""
    for ability, example in _EXAMPLES.items():
        if able := [model.id for model in models if ability in model.abilities]:
            yield example, able[0]


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
