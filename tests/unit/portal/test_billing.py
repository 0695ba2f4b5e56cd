"""Plan requests without a payment provider, and the effects of subscriptions on accounts."""

import pytest
from tests.unit.portal.people import Portal, Somebody, csrf, field

from oxlo.billing.remote import Effect, effect
from oxlo.settings import Settings, SettingsError
from oxlo.store import identity, mails
from oxlo.store.payments import Subscription

PAGE = "/dashboard/billing"
REQUESTS = "/operator/requests"


async def operator(portal: Portal) -> Somebody:
    """A browser with a signed-in operator."""
    boss = await portal.newcomer("boss@example.com", "192.0.2.9")
    async with portal.database.write() as db:
        account = await identity.by_email(db, "boss@example.com")
        assert account
        await identity.set_role(db, account, "operator")
    return boss


async def plan_of(portal: Portal) -> tuple[str, str]:
    """Plan and id of the account that made the request."""
    async with portal.database.read() as db:
        account = await identity.by_email(db, "ann@example.com")
    assert account
    return account.plan, account.id


@pytest.mark.parametrize(("decision", "plan"), [("approve", "pro"), ("decline", "free")])
async def test_operator_decides(portal: Portal, decision: str, plan: str) -> None:
    """The operator sees the request; the decision is sent by mail."""
    somebody, boss = await portal.newcomer(), await operator(portal)
    assert (await somebody.send(PAGE, plan="pro")).headers["location"] == f"{PAGE}?done=asked"
    assert "You asked for Pro" in (await somebody.get(PAGE)).text
    shown = await boss.get(REQUESTS)
    assert "Approve" in shown.text
    _, account = await plan_of(portal)
    form = {"plan": field(shown, "plan"), "decision": decision}
    reply = await boss.send(f"{REQUESTS}/{account}", REQUESTS, **form)
    assert reply.status_code == 303
    assert (await plan_of(portal))[0] == plan
    async with portal.database.read() as db:
        subjects = [mail.subject for mail in await mails.latest(db)]
    assert {"approve": "You are on Pro", "decline": "Your request for Pro"}[decision] in subjects
    again = await boss.send(f"{REQUESTS}/{account}", PAGE, **form)
    assert again.headers["location"].endswith("done=gone")


async def test_changed_wish_is_not_decided_unseen(portal: Portal) -> None:
    """The operator approves the plan that the page showed, or nothing."""
    somebody, boss = await portal.newcomer(), await operator(portal)
    await somebody.send(PAGE, plan="pro")
    await somebody.send(PAGE, plan="premium")
    _, account = await plan_of(portal)
    reply = await boss.send(f"{REQUESTS}/{account}", REQUESTS, plan="pro", decision="approve")
    assert reply.headers["location"].endswith("done=gone")
    assert (await plan_of(portal))[0] == "free"


async def test_wish_is_taken_back(portal: Portal) -> None:
    """Choosing the current plan withdraws a request."""
    somebody = await portal.newcomer()
    await somebody.send(PAGE, plan="pro")
    await somebody.send(PAGE, plan="free")
    assert "You asked for" not in (await somebody.get(PAGE)).text


async def test_only_operators_decide(portal: Portal) -> None:
    """Others get a 404."""
    somebody = await portal.newcomer()
    await somebody.send(PAGE, plan="pro")
    _, account = await plan_of(portal)
    token = csrf(await somebody.get(PAGE))
    form = {"csrf": token, "plan": "pro", "decision": "approve"}
    reply = await somebody.client.post(f"{REQUESTS}/{account}", data=form)
    assert reply.status_code == 404
    assert (await plan_of(portal))[0] == "free"


async def test_no_provider_no_webhook(portal: Portal) -> None:
    """The webhook is a 404, and a checkout link shows the plans."""
    somebody = await portal.newcomer()
    assert (await somebody.client.post("/billing/webhook", content=b"{}")).status_code == 404
    assert (await somebody.get(f"{PAGE}?plan=pro&auto_checkout=true")).status_code == 200


def subscription(status: str, name: str = "sub_1", plan: str = "pro") -> Subscription:
    return Subscription(
        account_id="a", customer="c", subscription=name, item="si", plan=plan, status=status
    )


@pytest.mark.parametrize(
    ("now", "before", "has", "expected"),
    [
        (subscription("active"), None, "free", Effect("pro")),
        (subscription("incomplete"), None, "free", Effect(None)),
        (subscription("canceled"), subscription("active"), "pro", Effect("free")),
        (subscription("canceled"), subscription("active", "sub_2"), "pro", Effect(None)),
        (subscription("canceled"), subscription("active"), "enterprise", Effect(None)),
        (subscription("incomplete_expired"), None, "free", Effect(None)),
    ],
)
def test_effects(
    now: Subscription, before: Subscription | None, has: str, expected: Effect
) -> None:
    """Paying grants the plan; the subscription's end removes that plan and no other."""
    assert effect(now, before, "free", has) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"OXLO_STRIPE_PRICES": "pro"},
        {"OXLO_STRIPE_KEY": "sk_test_1"},
    ],
)
def test_settings_that_cannot_work(given: dict[str, str]) -> None:
    """Invalid settings are refused at the start, by name."""
    with pytest.raises(SettingsError, match="OXLO_STRIPE"):
        Settings.read(given)
