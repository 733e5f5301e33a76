"""A prompt that was too long: what is left out, and that it stays out for the rest of the turn."""

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolReturnPart, UserPromptPart

from lar.runtimes.loop.shortening import Shortening, leave_out


def talk(exchanges: int) -> list[ModelMessage]:
    """History, and what the person says now."""
    history: list[ModelMessage] = []
    for number in range(exchanges):
        history += [ModelRequest([UserPromptPart(f"q{number}")]), ModelResponse([TextPart(f"a{number}")])]
    return [*history, ModelRequest([UserPromptPart("now")])]


async def test_the_older_half_goes_first() -> None:
    """R-LM-3: what is left begins with what a person said, and ends with what is asked now."""
    messages = talk(5)
    shorter = await leave_out(messages, 10)
    assert shorter == messages[6:]
    brief = talk(1)
    assert await leave_out(brief, 2) == brief[2:]


async def test_then_the_middle_of_long_texts() -> None:
    """R-LM-3: without history long texts are cut; where nothing is long, there is nothing to leave out."""
    long = ModelRequest([UserPromptPart("x" * 9000), ToolReturnPart("look", "y" * 9000, "1")])
    found = await leave_out([long, ModelResponse([TextPart("z" * 9000)])], 0)
    assert found is not None
    assert len(str(found[0])) < 10_000
    assert "5000 characters are left out here" in str(found[0])
    assert await leave_out(talk(0), 0) is None


async def test_what_was_too_long_stays_short() -> None:
    """R-LM-3: later questions of the turn are asked with the shorter prompt, and can be shortened again."""
    shortening = Shortening(leave_out, 8)
    messages = talk(4)
    assert shortening.sent(messages) is messages
    assert await shortening.more(messages)
    assert shortening.sent(messages) == messages[4:]
    messages = [*messages, ModelResponse([TextPart("calling")]), ModelRequest([UserPromptPart("more")])]
    assert shortening.sent(messages) == messages[4:]
    assert await shortening.more(messages)
    assert shortening.sent(messages) == messages[6:]
    assert await shortening.more(messages)
    assert shortening.sent(messages) == messages[8:]
    assert not await shortening.more(messages)
