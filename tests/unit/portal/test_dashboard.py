"""Usage and requests, as a user sees them."""

import csv
import io
import re

import pytest
from tests.unit.portal.people import Portal, Somebody

from oxlo.portal.dashboard import csvs
from oxlo.store import keys

DAY = 86400


async def _key(somebody: Somebody, **fields: str) -> str:
    """The new key's secret on its page."""
    reply = await somebody.send("/dashboard/api-keys", **{"name": "laptop", **fields})
    found = re.search(r'data-copy="(sk_[\w-]+)"', reply.text)
    assert found, reply.text
    return found[1]


async def _only_key(portal: Portal) -> keys.Key:
    account = await portal.account()
    async with portal.database.read() as db:
        return (await keys.of_account(db, account.id))[0]


async def test_call_is_on_every_page(portal: Portal) -> None:
    """A request lowers the limit, and appears in the list, as a receipt, in charts and CSV."""
    somebody = await portal.newcomer()
    await portal.called()
    overview = (await somebody.get("/dashboard")).text
    assert "59 of 60 requests left today. Resets in" in overview
    assert "req_1" in overview
    receipt = (await somebody.get("/dashboard/requests/req_1")).text
    assert "The call was answered: it counts as one request." in receipt
    assert "waterfall" in receipt
    assert "req_1" in (await somebody.get("/dashboard/requests?model=m&outcome=answered")).text
    assert "req_1" not in (await somebody.get("/dashboard/requests?model=other")).text
    for by in ("day", "hour", "model", "endpoint", "outcome", "key"):
        assert (await somebody.get(f"/dashboard/usage?by={by}&days=7")).status_code == 200
    table = list(csv.DictReader(io.StringIO((await somebody.get("/dashboard/usage.csv")).text)))
    assert sum(int(row["requests"]) for row in table) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=eq_1", {"req_1"}),
        ("status=429", {"req_2"}),
        ("endpoint=embeddings", {"req_3"}),
        ("days=1", {"req_1", "req_2"}),
        ("days=7&status=200", {"req_1", "req_3"}),
        ("status=x&days=9999999999999", {"req_1", "req_2", "req_3"}),
        ("q=%00", {"req_1", "req_2", "req_3"}),
        ("q=%25", set()),
    ],
)
async def test_requests_are_filtered(portal: Portal, query: str, found: set[str]) -> None:
    """By part of the id, status, endpoint and days; invalid values are ignored."""
    somebody = await portal.newcomer()
    await portal.called()
    await portal.called(id="req_2", outcome="refused", status=429)
    now = portal.clock.now
    await portal.called(id="req_3", endpoint="embeddings", admitted_at=now - 2 * DAY)
    page = (await somebody.get(f"/dashboard/requests?{query}")).text
    assert set(re.findall(r"/dashboard/requests/(req_\d)", page)) == found
    table = csv.DictReader(
        io.StringIO((await somebody.get(f"/dashboard/requests.csv?{query}")).text)
    )
    assert {row["id"] for row in table} == found


async def test_older_requests_stay(portal: Portal) -> None:
    """An older page does not update itself; the newest one does."""
    somebody = await portal.newcomer()
    for number in range(2):
        await portal.called(id=f"req_{number}", admitted_at=portal.clock.now + number)
    assert (
        'hx-get="/dashboard/requests?model=m"'
        in (await somebody.get("/dashboard/requests?model=m")).text
    )
    page = (await somebody.get("/dashboard/requests?model=m&after=req_1")).text
    assert "req_0" in page
    assert "every 3s" not in page
    assert 'href="/dashboard/requests?model=m">Back to the newest' in page


async def test_figures_lead_to_requests(portal: Portal) -> None:
    """Rows of usage and usage of keys link to the requests that they count."""
    somebody = await portal.newcomer()
    await _key(somebody)
    key = await _only_key(portal)
    await portal.called(key_id=key.id)
    for by, value in (("model", "m"), ("key", key.id), ("outcome", "answered")):
        page = (await somebody.get(f"/dashboard/usage?by={by}&days=7")).text
        assert f'href="/dashboard/requests?{by}={value}&amp;days=7"' in page
    page = (await somebody.get("/dashboard/api-keys")).text
    assert f'<a href="/dashboard/requests?key={key.id}&amp;days=30">1</a>' in page


async def test_bars_are_those_with_most(portal: Portal) -> None:
    """The chart shows the top ten and says so; the table has all."""
    somebody = await portal.newcomer()
    for number in range(11):
        await portal.called(id=f"req_{number}", model=f"model-{number}")
    page = (await somebody.get("/dashboard/usage?by=model")).text
    assert page.count('class="bar"') == 10
    assert "UTC: the top 10</figcaption>" in page
    assert page.count("/dashboard/requests?model=model-") == 11
    assert "the top 10" not in (await somebody.get("/dashboard/usage?by=day")).text


async def test_latency_is_drawn_and_told(portal: Portal) -> None:
    """p50 and p95 as lines, table and CSV, without other models' requests."""
    somebody = await portal.newcomer()
    assert "No answered request" in (await somebody.get("/dashboard/latency")).text
    await portal.called()
    for by in ("day", "hour"):
        page = (await somebody.get(f"/dashboard/latency?by={by}&days=7")).text
        assert page.count(">p95</text>") == page.count('class="chart plot"') > 0
    table = (await somebody.get("/dashboard/latency.csv?model=m")).text
    (row,) = csv.DictReader(io.StringIO(table))
    assert row["answered"] == "1"
    assert float(row["total_ms_p50"]) == float(row["total_ms_p95"]) > 0
    assert (
        "No answered requests of other"
        in (await somebody.get("/dashboard/latency?model=other")).text
    )


async def test_receipts_of_others_are_not_there(portal: Portal) -> None:
    """Another account's receipt is a 404 like a missing one."""
    await portal.newcomer()
    await portal.called()
    thief = await portal.newcomer("bob@example.com")
    assert (await thief.get("/dashboard/requests/req_1")).status_code == 404
    assert "req_1" not in (await thief.get("/dashboard/requests.csv")).text


async def test_csv_holds_no_formula(portal: Portal) -> None:
    """A model name sent by a client cannot become a formula in a spreadsheet."""
    somebody = await portal.newcomer()
    await portal.called(model='=HYPERLINK("https://evil.example","x")')
    for path in ("/dashboard/requests.csv", "/dashboard/usage.csv?by=model"):
        reply = await somebody.get(path)
        assert reply.headers["content-type"].startswith("text/csv")
        cells = [cell for row in csv.reader(io.StringIO(reply.text)) for cell in row]
        assert any(cell.startswith("'=HYPERLINK") for cell in cells)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_cells_that_begin_a_formula(start: str) -> None:
    """Each character that starts a formula is escaped; numbers stay numbers."""
    assert csvs.safe(f"{start}1") == f"'{start}1"
    assert csvs.safe(-1) == -1


async def test_odd_filters_are_refused(portal: Portal) -> None:
    """Invalid parameters give an error page, not a failure."""
    somebody = await portal.newcomer()
    for path in (
        "/dashboard/usage?by=x",
        "/dashboard/usage?days=1e9",
        "/dashboard/latency?by=model",
        "/dashboard/requests?after=x",
    ):
        assert (await somebody.get(path)).status_code == 400
