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


async def test_questions_follow_their_document(start: Start) -> None:
    """Documents are shared out, and each question about one meets the replica that has read it."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        served: dict[int, set[bool]] = {0: set(), 1: set(), 2: set(), 3: set()}
        for question in range(5):
            for number, seen in served.items():
                text = f"Document {number}. " * 400 + f"Question {question}?"
                before = len(other.calls)
                await platform.chat(messages=[{"role": "user", "content": text}])
                seen.add(len(other.calls) > before)
    assert sorted(map(sorted, served.values())) == [[False], [False], [True], [True]]


async def test_conversation_stays(start: Start) -> None:
    """A growing conversation stays where its beginning is cached, also when others come between."""
    platform = await start()
    async with EngineDouble("openai") as other:
        platform.replicas(platform.engine, other)
        messages = [{"role": "user", "content": "Tell me about whales. " * 20}]
        served = set()
        for turn in range(5):
            await platform.chat(messages=[{"role": "user", "content": f"Other {turn}. " * 50}])
            before = len(other.calls)
            await platform.chat(messages=messages)
            served.add(len(other.calls) > before)
            messages += [
                {"role": "assistant", "content": f"Whale {turn}. " * 30},
                {"role": "user", "content": f"And then {turn}?"},
            ]
    assert len(served) == 1
