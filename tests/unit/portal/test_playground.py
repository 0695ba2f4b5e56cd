"""The playground's page and its hidden key."""

import httpx2
from tests.unit.portal.people import Portal, Somebody, csrf

from oxlo import catalogue
from oxlo.fleet import registry
from oxlo.fleet.registry import ReplicaList, ReplicaState
from oxlo.plans import apikey
from oxlo.plans.caller import Caller
from oxlo.portal.playground.controls import controls
from oxlo.store import keys
from oxlo.testing.replicas import replica

HOUR = 3600


def serve(portal: Portal, **models: ReplicaState) -> None:
    """Write the list of replicas, as the fleet does; `_` stands for `-` in a model's id."""
    replicas = tuple(replica(name.replace("_", "-"), state) for name, state in models.items())
    registry.write(portal.services.settings.replicas_file, ReplicaList(0.0, replicas))


async def key_of(somebody: Somebody, **headers: str) -> httpx2.Response:
    """Request a key as the page does."""
    token = csrf(await somebody.get("/dashboard"))
    return await somebody.client.post("/playground/key", data={"csrf": token}, headers=headers)


async def caller(portal: Portal, secret: str) -> Caller | None:
    """The caller that a gateway would get for a key."""
    async with portal.database.read() as db:
        return await keys.caller(db, apikey.digest(secret), now=portal.clock.now)


async def test_strangers_log_in_first(portal: Portal) -> None:
    """And return to the model that they chose."""
    reply = await portal.somebody().get("/playground?model=smollm2-135m")
    assert reply.headers["location"] == "/login?returnUrl=%2Fplayground%3Fmodel%3Dsmollm2-135m"


async def test_key_holds_for_an_hour(portal: Portal) -> None:
    """It belongs to the account, with the account's limits."""
    somebody = await portal.newcomer()
    reply = await key_of(somebody)
    assert reply.headers["cache-control"] == "no-store"
    secret = reply.json()["key"]
    found = await caller(portal, secret)
    assert found is not None
    assert found.expires_at == reply.json()["expires_at"] == portal.clock.now + HOUR
    portal.clock.now += HOUR
    assert await caller(portal, secret) is None


async def test_key_is_not_listed(portal: Portal) -> None:
    """It is not shown among the account's keys."""
    somebody = await portal.newcomer()
    secret = (await key_of(somebody)).json()["key"]
    page = (await somebody.get("/dashboard/api-keys")).text
    assert secret[: keys.SHOWN] not in page


async def test_key_ends_with_the_session(portal: Portal) -> None:
    """Logging out revokes it."""
    somebody = await portal.newcomer()
    secret = (await key_of(somebody)).json()["key"]
    assert await caller(portal, secret) is not None
    await somebody.send("/logout", "/dashboard")
    assert await caller(portal, secret) is None


async def test_session_has_one_key(portal: Portal) -> None:
    """A new key replaces the old one."""
    somebody = await portal.newcomer()
    first = (await key_of(somebody)).json()["key"]
    second = (await key_of(somebody)).json()["key"]
    assert await caller(portal, first) is None
    assert await caller(portal, second) is not None


async def test_key_is_for_this_site(portal: Portal) -> None:
    """Its origin is restricted to the page's."""
    somebody = await portal.newcomer()
    reply = await key_of(somebody, origin="http://127.0.0.1:8000")
    found = await caller(portal, reply.json()["key"])
    assert found is not None
    assert found.origins == {"http://127.0.0.1:8000"}


async def test_forged_form_makes_no_key(portal: Portal) -> None:
    """Another site cannot create one."""
    somebody = await portal.newcomer()
    reply = await somebody.client.post("/playground/key", data={"csrf": "0" * 64})
    assert reply.status_code == 403
    assert (await portal.somebody().client.post("/playground/key")).status_code == 303


async def test_nothing_served(portal: Portal) -> None:
    """The page says so, and what the operator can do."""
    page = await (await portal.newcomer()).get("/playground?mode=speech")
    assert "No model for speech is served here" in page.text
    assert "OXLO_MODELS" in page.text


async def test_first_pane_has_a_model(portal: Portal) -> None:
    """Without parameters the page opens a mode with a ready model."""
    serve(portal, smollm2_135m=ReplicaState.STARTING, minilm_l6=ReplicaState.READY)
    page = (await (await portal.newcomer()).get("/playground")).text
    assert 'data-mode="embeddings"' in page
    assert 'data-model="minilm-l6"' in page


async def test_model_chooses_the_pane(portal: Portal) -> None:
    """`?model=` selects the mode, also by alias, or while the model starts."""
    serve(portal, smollm2_135m=ReplicaState.STARTING, minilm_l6=ReplicaState.READY)
    page = (await (await portal.newcomer()).get("/playground?model=SmolLM2-135M")).text
    assert 'data-mode="chat"' in page
    assert 'data-state="starting"' in page


async def test_model_that_is_not_served(portal: Portal) -> None:
    """Its name is shown escaped, and other models are offered."""
    serve(portal, minilm_l6=ReplicaState.READY)
    somebody = await portal.newcomer()
    page = (await somebody.get("/playground?model=<script>&mode=embeddings")).text
    assert "<code>&lt;script&gt;</code> is not served here" in page
    assert "all-MiniLM-L6-v2" in page


def test_controls_come_from_the_parameters() -> None:
    """Each parameter has a field of its type; parameters set by the pane have none."""
    found = controls(catalogue.load().resolve("smollm2-135m"), "chat")
    basic = {control.name: control for control in found.basic}
    assert (basic["temperature"].kind, basic["temperature"].high) == ("number", "2")
    assert basic["stop"].kind == "lines"
    assert "stream" not in basic
    assert "top_k" in {control.name for control in found.advanced}


def test_choices_are_choices() -> None:
    """A voice is selected from a list that names the default first."""
    found = controls(catalogue.load().resolve("kokoro-82m"), "speech")
    voice = next(control for control in found.basic if control.name == "voice")
    assert voice.kind == "choice"
    assert voice.placeholder == "af_heart"
    assert "nova" in voice.choices


def test_strength_is_of_edits() -> None:
    """A model without image edits has no strength field."""
    known = catalogue.load()
    names = {
        model: {control.name for section in controls(known.resolve(model), "images")
                for control in section}
        for model in ("tiny-scenes", "flux.1-schnell")
    }  # fmt: skip
    assert "strength" in names["tiny-scenes"]
    assert "strength" not in names["flux.1-schnell"]
