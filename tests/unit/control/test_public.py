"""The public application over a real unix socket."""

import httpx2
import pytest
from tests.unit.control.conftest import NOW

from oxlo.control.context import Control
from oxlo.store import grants
from oxlo.testing import journal

MINE = {"x-oxlo-account": "acct_1"}


def _write(control: Control, *records: object) -> None:
    journal.append(control.settings.journal_dir / "gw-000001.jsonl", journal.lines(*records))


async def test_front_page_has_the_base_url(public_client: httpx2.AsyncClient) -> None:
    """The front page shows the base URL for SDKs."""
    reply = await public_client.get("/")
    assert reply.json()["base_url"] == "http://127.0.0.1:8000/v1"


async def test_health(public_client: httpx2.AsyncClient) -> None:
    """The health check answers."""
    assert (await public_client.get("/healthz")).status_code == 200


async def test_receipt_is_there_at_once(
    control: Control, public_client: httpx2.AsyncClient
) -> None:
    """A call that is only in the journal is drained on request."""
    _write(control, journal.admitted("req_1"))
    running = await public_client.get("/v1/requests/req_1", headers=MINE)
    assert running.json()["outcome"] == "running"
    _write(control, journal.settled("req_1"))
    reply = await public_client.get("/v1/requests/req_1", headers=MINE)
    assert reply.status_code == 200
    assert reply.json()["reason"] == "The call was answered: it counts as one request."


async def test_receipt_without_sql(control: Control, public_client: httpx2.AsyncClient) -> None:
    """Without the database, the journal is searched."""
    _write(control, journal.admitted("req_1"), journal.settled("req_1"))
    async with control.database.write() as db:
        await db.exec_driver_sql("alter table calls rename to gone")
    reply = await public_client.get("/v1/requests/req_1", headers=MINE)
    assert reply.json()["outcome"] == "answered"


@pytest.mark.parametrize("account", ["acct_2", "acct_"])
async def test_receipts_of_others_are_unknown(
    control: Control, public_client: httpx2.AsyncClient, account: str
) -> None:
    """Receipts of other accounts look like unknown ones."""
    _write(control, journal.settled("req_1"))
    theirs = await public_client.get("/v1/requests/req_1", headers={"x-oxlo-account": account})
    nobodys = await public_client.get("/v1/requests/req_9", headers={"x-oxlo-account": account})
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text.replace("req_1", "req_9") == nobodys.text
    assert nobodys.json()["error"]["code"] == "request_not_found"


async def test_receipt_needs_an_account(public_client: httpx2.AsyncClient) -> None:
    """Without the gateway's account header, the status is 401."""
    assert (await public_client.get("/v1/requests/req_1")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "not_found"),
        ("POST", "/v1/requests/req_1", 405, "method_not_allowed"),
    ],
)
async def test_errors_are_openais(
    public_client: httpx2.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """Errors are JSON with OpenAI's four fields."""
    reply = await public_client.request(method, path)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert ("allow" in reply.headers) == (status == 405)


async def test_bugs_show_no_stack(control: Control, public_client: httpx2.AsyncClient) -> None:
    """An unexpected exception is a plain 500."""
    _write(control, journal.settled("req_1"))
    await control.drain.run()
    async with control.database.write() as db:
        await db.exec_driver_sql("update calls set tokens_in = 'many'")
    reply = await public_client.get("/v1/requests/req_1", headers=MINE)
    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "internal_error"
    assert "Traceback" not in reply.text


async def test_calls_are_listed(control: Control, public_client: httpx2.AsyncClient) -> None:
    """An account's own calls, newest first, a page at a time."""
    ended = [journal.settled(f"req_{n}", at=journal.AT + n) for n in range(3)]
    _write(control, *ended, journal.settled("req_9", account="acct_2"))
    first = (await public_client.get("/v1/requests?limit=2&counted=true", headers=MINE)).json()
    assert [call["id"] for call in first["data"]] == ["req_2", "req_1"]
    assert (first["has_more"], first["last_id"]) == (True, "req_1")
    rest = (await public_client.get("/v1/requests?after=req_1", headers=MINE)).json()
    assert [call["id"] for call in rest["data"]] == ["req_0"]
    assert rest["has_more"] is False


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=many", "limit"), ("counted=1", "counted"), ("after=x", "after")],
)
async def test_odd_lists(public_client: httpx2.AsyncClient, query: str, param: str) -> None:
    """The error for an invalid query names the parameter."""
    reply = await public_client.get(f"/v1/requests?{query}", headers=MINE)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


async def test_refund_is_on_the_receipt(
    control: Control, public_client: httpx2.AsyncClient
) -> None:
    """A refund and its reason are in the receipt and in the account's usage."""
    _write(control, journal.settled("req_1"))
    await control.drain.run()
    async with control.database.write() as db:
        await grants.refund(db, "req_1", "an odd answer", now=NOW)
    receipt = (await public_client.get("/v1/requests/req_1", headers=MINE)).json()
    assert (receipt["refund"]["requests"], receipt["refund"]["reason"]) == (1, "an odd answer")
    (given,) = (await public_client.get("/v1/usage", headers=MINE)).json()["grants"]
    assert (given["request"], given["day"]) == ("req_1", "2027-01-15T00:00:00Z")


async def test_status_is_public(control: Control, public_client: httpx2.AsyncClient) -> None:
    """The status is public, for any origin, and may be cached for ten seconds."""
    reply = await public_client.get("/status.json")
    assert (reply.status_code, reply.json()["state"]) == (200, "empty")
    assert reply.headers["cache-control"] == "public, max-age=10"
    assert reply.headers["access-control-allow-origin"] == "*"
