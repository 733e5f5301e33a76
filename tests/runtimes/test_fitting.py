"""What a model gets of a prompt made for another one."""

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)

from lar.runtimes.loop.fitting import fitted

IMAGE = BinaryContent(b"i", media_type="image/png")
SOUND = BinaryContent(b"s", media_type="audio/mpeg")
PAPER = BinaryContent(b"p", media_type="application/pdf")


def prompt() -> list[ModelMessage]:
    """A conversation with files in it: sent, and shown by a tool."""
    return [
        ModelRequest([UserPromptPart("before")]),
        ModelResponse([TextPart("yes")]),
        ModelRequest([UserPromptPart(["look", IMAGE, SOUND, PAPER])]),
        ModelRequest([ToolReturnPart("read_file", ["a file", IMAGE], "c1"), ToolReturnPart("list", "x", "c2")]),
    ]


def test_who_takes_everything_gets_the_very_same() -> None:
    """R-LM-4: nothing is copied for a model that takes all there is."""
    messages = prompt()
    assert fitted(messages, {"image", "audio", "document"}) is messages
    assert fitted(messages[:2], ()) == messages[:2]


def contents(message: ModelMessage) -> list[object]:
    """What the parts of a message hold."""
    assert isinstance(message, ModelRequest)
    return [part.content for part in message.parts if isinstance(part, UserPromptPart | ToolReturnPart)]


def test_who_takes_less_is_told_of_the_rest() -> None:
    """R-LM-4: a file of a kind a model does not take becomes a sentence in its place; the original stays."""
    messages = prompt()
    [first, second, sent, tools] = fitted(messages, {"audio"})
    no_image = "[a file of type image/png belongs here; you cannot look at images, so it is not shown to you]"
    no_paper = "[a file of type application/pdf belongs here; you cannot open such files, so it is not shown to you]"
    assert [first, second] == messages[:2]
    assert contents(sent) == [["look", no_image, SOUND, no_paper]]
    assert contents(tools) == [["a file", no_image], "x"]
    assert contents(messages[2]) == [["look", IMAGE, SOUND, PAPER]]
