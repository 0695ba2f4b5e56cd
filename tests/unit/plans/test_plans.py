"""The shipped plans are the published table; a file of one's own replaces them."""

from pathlib import Path

import msgspec
import pytest

from oxlo import plans
from oxlo.plans import Plan, Plans, Priority, edited

MINIMAL = """
[plan.{id}]
name = "Own"
tiers = ["free"]
queue = "high"
"""


@pytest.fixture(scope="module")
def shipped() -> Plans:
    return plans.load()


def own(folder: Path, text: str) -> Path:
    path = folder / "plans.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("plan_id", "price", "day", "minute", "inputs", "outputs", "concurrency"),
    [
        ("free", 0, 60, 5, 2_048, 4_096, 1),
        ("pro", 14.90, 300, 60, 4_096, 8_192, 20),
        ("premium", 49.90, 2_000, 100, 16_384, 32_768, 50),
        ("enterprise", None, None, None, None, None, None),
    ],
)
def test_published_numbers(
    shipped: Plans,
    plan_id: str,
    price: float | None,
    day: int | None,
    minute: int | None,
    inputs: int | None,
    outputs: int | None,
    concurrency: int | None,
) -> None:
    """Price, counts, token caps and concurrency of each plan."""
    plan = shipped[plan_id]
    assert plan.price_usd == price
    assert (plan.requests_per_day, plan.requests_per_minute) == (day, minute)
    assert (plan.max_input_tokens, plan.max_output_tokens) == (inputs, outputs)
    assert plan.concurrency == concurrency


def test_cheapest_first(shipped: Plans) -> None:
    """Pages and `required_plan` rely on the order; a plan without a price comes last."""
    assert [plan.id for plan in shipped] == ["free", "pro", "premium", "enterprise"]


def test_queue_rises_with_the_plan(shipped: Plans) -> None:
    """Best effort, high, highest, dedicated."""
    assert [plan.priority for plan in shipped] == list(Priority)
    assert sorted(Priority) == list(Priority)


def test_free_trial(shipped: Plans) -> None:
    """Seven days of every model, with Free's own numbers; nobody else has a trial."""
    free = shipped["free"]
    assert free.trial_days == 7
    assert free.opens("premium", trial=True)
    assert not free.opens("premium")
    assert [plan.id for plan in shipped if plan.trial_days] == ["free"]


def test_paid_plans_open_everything(shipped: Plans) -> None:
    """Any paid plan reaches every tier (D1)."""
    tiers = ("free", "pro", "premium")
    assert all(shipped[paid].opens(tier) for paid in ("pro", "premium") for tier in tiers)


@pytest.mark.parametrize(
    ("tier", "plan_id"), [("free", "free"), ("pro", "pro"), ("premium", "pro")]
)
def test_required_plan(shipped: Plans, tier: str, plan_id: str) -> None:
    """The cheapest plan that opens a tier for good: a trial does not count."""
    plan = shipped.cheapest_opening(tier)
    assert plan is not None
    assert plan.id == plan_id


def test_no_plan_opens_an_unknown_tier(shipped: Plans) -> None:
    """A tier of nobody is None, not an error."""
    assert shipped.cheapest_opening("secret") is None


def test_unknown_plan_names_the_known(shipped: Plans) -> None:
    """Who mistypes a plan sees what there is."""
    with pytest.raises(KeyError, match="free, pro, premium, enterprise"):
        shipped["gold"]


def test_audio_minutes(shipped: Plans) -> None:
    """The cap for audio is a field of ours (D17)."""
    assert [plan.max_audio_minutes for plan in shipped] == [10, 60, 120, None]


def test_own_file(tmp_path: Path) -> None:
    """A file replaces the shipped plans; what it leaves out is no limit, or the default."""
    loaded = plans.load(own(tmp_path, MINIMAL.format(id="own")))
    assert [plan.id for plan in loaded] == ["own"]
    assert loaded["own"] == Plan(id="own", name="Own", tiers=frozenset({"free"}), queue="high")
    assert loaded["own"].requests_per_day is None


@pytest.mark.parametrize(
    ("line", "told"),
    [("requests_per_hour = 5", "requests_per_hour"), ('requests_per_day = "many"', "Expected")],
)
def test_mistakes_are_told(tmp_path: Path, line: str, told: str) -> None:
    """A misspelt field is no silent "no limit"."""
    with pytest.raises(msgspec.ValidationError, match=told):
        plans.load(own(tmp_path, MINIMAL.format(id="own") + line))


def test_unknown_queue(tmp_path: Path) -> None:
    """A queue that does not exist is found when the file is read, not at the first call."""
    text = MINIMAL.format(id="own").replace("high", "fastest")
    with pytest.raises(msgspec.ValidationError, match="fastest"):
        plans.load(own(tmp_path, text))


@pytest.mark.parametrize("text", ["plan = [", MINIMAL.format(id="gold") + "x = 1", "gold = 1"])
def test_mistakes_name_the_file(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with a file, its name is said; and the plan's where it is one's fault."""
    with pytest.raises(msgspec.ValidationError, match=r"plans\.toml: .*") as told:
        plans.load(own(tmp_path, text))
    assert ("plan.gold" in str(told.value)) is ("[plan.gold]" in text)


def test_other_encodings(tmp_path: Path) -> None:
    """A file in another encoding than UTF-8 is a mistake like any other."""
    file = tmp_path / "plans.toml"
    file.write_bytes(MINIMAL.format(id="own").encode() + "# é".encode("latin-1"))
    with pytest.raises(msgspec.ValidationError, match=r"plans\.toml: it is not UTF-8"):
        plans.load(file)


@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize("field", ["requests_per_day", "requests_per_minute", "concurrency"])
def test_limits_are_positive(tmp_path: Path, field: str, number: int) -> None:
    """A limit of nothing is a mistake: leaving it out means no limit."""
    with pytest.raises(msgspec.ValidationError, match=field):
        plans.load(own(tmp_path, MINIMAL.format(id="own") + f"{field} = {number}"))


def test_versions_are_kept(tmp_path: Path) -> None:
    """Each text that was put in force can be read again; one that is no plans changes nothing."""
    folder, current = tmp_path / "plans", tmp_path / "plans.toml"
    watched = edited.Watched(current)
    assert watched.changed() is None
    texts = [plans.SHIPPED.read_text(), plans.SHIPPED.read_text() + "\n# another\n"]
    assert [edited.save(folder, current, text) for text in texts] == [1, 2]
    with pytest.raises(msgspec.ValidationError):
        edited.save(folder, current, "[plan.x]")
    assert edited.versions(folder) == [1, 2]
    assert edited.read(folder, 1) == texts[0]
    assert current.read_text() == texts[1]
    changed = watched.changed()
    assert changed is not None
    assert [plan.id for plan in changed] == ["free", "pro", "premium", "enterprise"]
    current.unlink()
    assert watched.changed() is not None
    assert watched.changed() is None
