"""Which replica a call goes to, through the whole gateway."""

from tests.gateway.conftest import Start

from oxlo.testing.engine import EngineDouble


async def test_same_beginning_same_replica(start: Start) -> None:
    """Turns of one conversation meet the replica that has its beginning in its cache."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        served = set()
        system = {"role": "system", "content": "You are a careful assistant. " * 40}
        for turn in range(6):
            messages = [system, {"role": "user", "content": f"Question {turn}"}]
            before = len(other.calls)
            assert (await platform.chat(messages=messages)).status == 200
            served.add(len(other.calls) > before)
    assert len(served) == 1


async def test_different_beginnings_spread(start: Start) -> None:
    """Many conversations use both replicas."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        for number in range(40):
            messages = [{"role": "user", "content": f"Conversation {number}"}]
            assert (await platform.chat(messages=messages)).status == 200
        assert len(other.calls) > 5
        assert len(platform.engine.calls) > 5
