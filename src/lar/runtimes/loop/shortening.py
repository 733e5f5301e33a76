"""What is left out of a prompt that a model refused as too long. Imports pydantic-ai."""

from dataclasses import replace

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelRequestPart, ToolReturnPart, UserPromptPart

from lar.runtimes.loop.settings import Shorten

_LONG = 4_000
"""Texts longer than this (characters) are cut where there is no history to leave out."""
_CUT = "\n[... {count} characters are left out here ...]\n"


class Shortening:
    """What of a turn's messages is sent. The turn begins at message `since`.

    What was found to be too long once stays short for the rest of the turn.
    """

    def __init__(self, shorten: Shorten, since: int) -> None:
        self._shorten = shorten
        self._since = since
        self._replaced = 0
        self._by: list[ModelMessage] = []

    def sent(self, messages: list[ModelMessage]) -> list[ModelMessage]:
        """These messages as they are sent."""
        return self._by + messages[self._replaced :] if self._replaced else messages

    async def more(self, messages: list[ModelMessage]) -> bool:
        """Make them shorter; False: they cannot be."""
        dropped = self._replaced - len(self._by)
        shorter = await self._shorten(self.sent(messages), max(self._since - dropped, 0))
        if shorter is None:
            return False
        self._replaced, self._by = len(messages), shorter
        return True


async def leave_out(messages: list[ModelMessage], since: int, /) -> list[ModelMessage] | None:
    """Leave out the older half of the history; without any, the middle of long texts. A `Shorten`."""
    if since:
        start = (since + 1) // 2
        while start < since and not isinstance(messages[start], ModelRequest):
            start += 1  # what is left begins with what a person said
        return messages[start:]
    shorter = [_cut_message(message) if isinstance(message, ModelRequest) else message for message in messages]
    return None if shorter == messages else shorter


def _cut_message(message: ModelRequest) -> ModelRequest:
    return replace(message, parts=[_cut_part(part) for part in message.parts])


def _cut_part(part: ModelRequestPart) -> ModelRequestPart:
    if isinstance(part, UserPromptPart | ToolReturnPart) and isinstance(part.content, str):
        return replace(part, content=_cut(part.content))
    return part


def _cut(text: str) -> str:
    if len(text) <= _LONG:
        return text
    half = _LONG // 2
    return text[:half] + _CUT.format(count=len(text) - _LONG) + text[-half:]
