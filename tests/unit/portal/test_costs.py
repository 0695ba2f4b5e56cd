"""Comparison of prices per request and per token."""

import csv
import io
from datetime import date

import httpx2
import pytest

from oxlo import catalogue, plans
from oxlo.portal import calculator, costs, rates
from oxlo.portal.costs import Work
from oxlo.portal.rates import Rate

PLANS = plans.load()
MODELS = catalogue.load()
LLAMA = MODELS.resolve("llama-3.3-70b")
#: As the seed of our prices has it: $0.0009 for a thousand tokens.
SEED = Rate("Somebody", "llama-3.3-70b", 0.9, 0.9, date(2026, 1, 1), "https://example.org")
#: 500 calls of 3,000 tokens.
SEEDS_WORK = Work(500, 3000, 0)


def test_seeds_example_is_dearer_here() -> None:
    """$40.50 by the token against $49.90: the example of our own prices loses (D12)."""
    found = costs.compare(PLANS, [SEED], LLAMA, SEEDS_WORK)
    assert found.plan is not None
    assert found.plan.id == "premium"
    assert found.offers[0].monthly == pytest.approx(40.50)
    assert found.saving == pytest.approx(-9.40)
    kind, text = calculator.verdict(found)
    assert kind == "warn"
    assert text.startswith("Paying by the token is cheaper")


def test_break_even() -> None:
    """At that rate and volume the plan wins from about 3,700 tokens a call."""
    (offer,) = costs.compare(PLANS, [SEED], LLAMA, SEEDS_WORK).offers
    assert offer.break_even == 3696
    longer = SEEDS_WORK._replace(tokens_in=offer.break_even + 10)
    assert costs.compare(PLANS, [SEED], LLAMA, longer).saving > 0


def test_nothing_to_compare_with() -> None:
    """Without a rate for the model, or a plan for the workload, nothing is saved."""
    assert costs.compare(PLANS, [], LLAMA, SEEDS_WORK).saving == 0.0
    assert costs.compare(PLANS, [SEED], LLAMA, Work(10**6, 3000, 0)).saving == 0.0


def test_plan_wins_where_it_does() -> None:
    """With long prompts all day the plan is cheaper, and the page says by how much."""
    found = costs.compare(PLANS, [SEED], LLAMA, Work(2000, 12000, 500))
    kind, text = calculator.verdict(found)
    assert kind == "ok"
    assert text.startswith("Premium is cheaper")


@pytest.mark.parametrize(
    ("work", "plan"),
    [
        (Work(60, 2048, 100), "pro"),
        (Work(300, 4096, 8192), "pro"),
        (Work(301, 100, 100), "premium"),
        (Work(10, 5000, 100), "premium"),
        (Work(2001, 100, 100), None),
        (Work(1, 20_000, 100), None),
    ],
)
def test_covering_plan(work: Work, plan: str | None) -> None:
    """The cheapest plan that covers requests, prompt, output and the model's tier."""
    found = costs.covering(PLANS, LLAMA, work)
    assert (found.id if found else None) == plan


def test_free_models_are_covered_by_free() -> None:
    """Sixty short requests a day to a free model cost nothing."""
    found = costs.covering(PLANS, MODELS.resolve("mistral-7b"), Work(60, 2048, 100))
    assert found is not None
    assert found.id == "free"


def test_reasons_where_no_plan_covers() -> None:
    """The page names what exceeds every plan, with the highest limit."""
    found = costs.compare(PLANS, [SEED], LLAMA, Work(5000, 20_000, 100))
    assert found.plan is None
    assert len(found.reasons) == 2
    assert "2\u202f000" in found.reasons[0]


def test_break_even_beyond_the_cap() -> None:
    """A prompt length that the plan refuses is not a break-even."""
    cheap = Rate("Cheap", "llama-3.3-70b", 0.05, 0.05, date(2026, 1, 1), "https://example.org")
    assert costs.compare(PLANS, [cheap], LLAMA, SEEDS_WORK).offers[0].break_even is None


def test_rates_are_dated_and_sourced() -> None:
    """Each shipped rate is for a model in the catalogue, with date and source."""
    known = rates.load()
    assert len({rate.provider for rate in known}) >= 4
    for rate in known:
        assert MODELS.get(rate.model), rate
        assert rate.source.startswith("https://")
        assert date(2025, 1, 1) <= rate.checked <= date.today()  # noqa: DTZ011
        assert 0 < rate.input <= rate.output or rate.input == rate.output
    assert len({(rate.provider, rate.model) for rate in known}) == len(known)


async def test_calculator_reads_the_address(browser: httpx2.AsyncClient) -> None:
    """The form's values are in the URL; htmx gets the result alone."""
    query = "calls=1%20000&tokens_in=8000&tokens_out=200&model=qwen-3-32b"
    page = (await browser.get(f"/pricing?{query}")).text
    part = (await browser.get(f"/pricing/calculation?{query}")).text
    assert "<html" not in part
    for text in (page, part):
        assert "Qwen 3 32B: dollars a month" in text
        assert "2025-08-12" in text


async def test_figures_as_csv(browser: httpx2.AsyncClient) -> None:
    """The table can be downloaded as CSV."""
    reply = await browser.get("/pricing/calculation.csv?calls=500&model=llama-3.3-70b")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert {"Groq", "Oxlo Premium"} <= {row["provider"] for row in rows}
    assert all(float(row["usd_per_month"]) > 0 for row in rows)


@pytest.mark.parametrize("value", ["-5", "abc", "9" * 5000, "0", "<b>", "1e9"])
async def test_odd_figures_are_told(browser: httpx2.AsyncClient, value: str) -> None:
    """An invalid number is reported, and replaced by the default."""
    page = await browser.get("/pricing", params={"calls": value})
    assert page.status_code == 200
    assert "Give a whole number" in page.text
    assert 'value="500"' in page.text


async def test_cards_are_the_plans_in_force(browser: httpx2.AsyncClient) -> None:
    """Prices and limits come from plans.toml."""
    page = (await browser.get("/pricing")).text
    for words in ("$14.90", "$49.90", "60 requests a day", "2\u202f000 requests a day", "Custom"):
        assert words in page


async def test_checkout_leads_through_the_login(browser: httpx2.AsyncClient) -> None:
    """Visitors log in first and return to the checkout; an unknown plan shows the page."""
    reply = await browser.get("/pricing?plan=pro&auto_checkout=true")
    assert reply.status_code == 303
    back = "%2Fpricing%3Fplan%3Dpro%26auto_checkout%3Dtrue"
    assert reply.headers["location"] == f"/login?returnUrl={back}"
    assert (await browser.get("/pricing?plan=gold&auto_checkout=true")).status_code == 200
