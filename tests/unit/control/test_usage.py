"""`GET /v1/usage` over a real unix socket."""

import httpx2
import pytest
from tests.unit.control.conftest import NOW

from oxlo.control import usage
from oxlo.control.context import Control
from oxlo.errors import BadRequest
from oxlo.testing import journal

MINE = {"x-oxlo-account": "acct_1"}


def write(control: Control, *records: object) -> None:
    journal.append(control.settings.journal_dir / "gw-000001.jsonl", journal.lines(*records))


async def test_calls_are_in_it_at_once(control: Control, public_client: httpx2.AsyncClient) -> None:
    """Records in the journal are drained first."""
    write(control, journal.settled("req_1"), journal.settled("req_2"))
    reply = await public_client.get("/v1/usage?by=model,day", headers=MINE)
    assert reply.status_code == 200
    (row,) = reply.json()["data"]
    assert (row["model"], row["day"]) == ("m", "2027-01-15T00:00:00Z")
    assert (row["requests"], row["counted"], row["prompt_tokens"]) == (2, 2, 22)
    assert reply.json()["total"]["requests"] == 2


async def test_nobody_sees_another_account(
    control: Control, public_client: httpx2.AsyncClient
) -> None:
    """Usage is visible to its own account only."""
    write(control, journal.settled("req_1"))
    reply = await public_client.get("/v1/usage", headers={"x-oxlo-account": "acct_2"})
    assert reply.json()["data"] == []
    assert (await public_client.get("/v1/usage")).status_code == 401


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("by=colour", "by"),
        ("by=day,day", "by"),
        ("from=yesterday", "from"),
        ("to=2027-13-01", "to"),
        ("to=9999-12-31T23:59:59-01:00", "to"),
        ("to=0001-01-05", "to"),
        ("to=1970-01-01", "from"),
        ("from=2027-02-01&to=2027-01-01", "from"),
        ("by=hour&from=2020-01-01", "from"),
    ],
)
async def test_wrong_queries_name_the_parameter(
    public_client: httpx2.AsyncClient, query: str, param: str
) -> None:
    """The error says which values are valid."""
    reply = await public_client.get(f"/v1/usage?{query}", headers=MINE)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param


def test_periods() -> None:
    """The default is thirty UTC days; dates and times in any zone are accepted."""
    assert usage.period({}, NOW) == usage.Period(1_797_465_600.0, 1_800_057_600.0)
    day = usage.period({"from": "2026-11-24", "to": "2026-11-24T02:00:00+01:00"}, NOW)
    assert (day.end - day.begin) == 3600
    with pytest.raises(BadRequest):
        usage.period({"from": "2026-11-24", "to": "2026-11-24"}, NOW)
