"""Which model answers here, chosen by whom, and what is told of keys."""

from dataclasses import replace
from datetime import UTC

import pytest

from lar.conversations.inbox import Inbox
from lar.conversations.minds import Minds
from lar.providers.health import Health, Way
from lar.testing.clock import FakeClock
from lar.testing.household import Household, Plan, living

KNOWN = ("openai:gpt-5-mini", "gemini:gemini-3-flash-preview", "groq:openai/gpt-oss-120b", "other:gpt-5-mini")


def minds(health: Health | None = None) -> Minds:
    """Four models, two keys each."""
    return Minds(KNOWN, {"main": KNOWN[0]}, health, lambda _: ("0001", ""), UTC)


def furnish(house: Household, furniture: Minds) -> None:
    """Let the household's commands know these models."""
    facts = replace(house.facts, minds=furniture)
    house.inbox = Inbox(house.db, {("fake", "main"): house.plan.rules}, house.plan.settings, facts, house.clock)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("gemini:gemini-3-flash-preview", KNOWN[1]),
        ("GEMINI-3-flash-preview", KNOWN[1]),
        ("openai/gpt-oss-120b", KNOWN[2]),
        ("gpt-5-mini", ""),
        ("gpt", ""),
    ],
)
def test_what_is_meant(wanted: str, found: str) -> None:
    """R-LM-2: a model may be named whole or by its name alone, where only one provider has it."""
    assert minds().found(wanted) == found


def test_names_that_are_near() -> None:
    """R-LM-2: a misspelt name is answered with those like it."""
    assert minds().nearest("gemini-3-flash")[0] == KNOWN[1]
    assert minds().nearest("gemini:gemni-3-flash-preview")[0] == KNOWN[1]
    assert minds().nearest("zzzzzzzz") == []


def test_what_is_told_of_keys() -> None:
    """R-LM-3: which key answers, and what rests until when; of a key only its number and its end."""
    clock = FakeClock()
    health = Health(clock)
    house = minds(health)
    health.worked(Way(KNOWN[0], 1))
    health.failed(Way(KNOWN[0]), "quota", None)
    health.failed(Way(KNOWN[1]), "overloaded", None)
    health.failed(Way(KNOWN[2], 1), "auth", None)
    assert house.lines(KNOWN[0], "en") == [
        "model: openai:gpt-5-mini, key 2/2",
        "⏸ gemini:gemini-3-flash-preview: overloaded, rests until 22:13 (30 s more)",
        "⏸ groq, key 2/2: auth, rests until 22:23 (10 min more)",
        "⏸ openai:gpt-5-mini, key 1/2 (…0001): quota, rests until 23:13 (1 h more)",
    ]
    clock.advance(3601)
    assert house.lines(KNOWN[3], "en") == ["model: other:gpt-5-mini"]
    assert house.lines("", "en") == []


async def test_a_model_is_chosen(plan: Plan) -> None:
    """R-LM-2: in a private chat anybody chooses, in a group an admin; the runtime is told, and it can go back."""
    async with living(plan) as house:
        furnish(house, minds())
        chat, group = house.channel.chat("1"), house.channel.chat("1", "-5")
        assert f"The model of this conversation: {KNOWN[0]}" in await house.ask("/model", chat=chat)
        assert "Similar: " in await house.ask("/model gemini", chat=chat)
        assert f"{KNOWN[1]} answers here" in await house.ask("/model gemini-3-flash-preview", chat=chat)
        assert f"model: {KNOWN[1]}" in await house.ask("/status", chat=chat)
        await house.ask("hello", chat=chat)
        assert house.runtime.requests[-1].model == KNOWN[1]
        assert f"{KNOWN[0]} answers here" in await house.ask("/model default", chat=chat)
        assert "an admin chooses" in await house.ask("/model gpt-oss", chat=group)
