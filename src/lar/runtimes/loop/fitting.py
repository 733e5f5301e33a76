"""What of a prompt a model takes: files of kinds it does not take become a reference in text. Imports pydantic-ai."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import cast

from pydantic_ai.messages import BinaryContent, ModelMessage, ModelRequest, ModelRequestPart, ToolReturnPart
from pydantic_ai.messages import UserPromptPart as Said

from lar.providers.contract import Input

_WORDS: dict[Input, str] = {"image": "look at images", "audio": "listen to audio", "document": "open such files"}
_HINT = "[a file of type {mime} belongs here; you cannot {do}, so it is not shown to you]"


def fitted(messages: list[ModelMessage], takes: Collection[Input]) -> list[ModelMessage]:
    """These messages, as a model that `takes` so much gets them; the very same where it takes all that is in them."""
    if not any(_lacking(part, takes) for message in messages for part in message.parts):
        return messages
    return [_message(message, takes) if isinstance(message, ModelRequest) else message for message in messages]


def _message(message: ModelRequest, takes: Collection[Input]) -> ModelRequest:
    return replace(message, parts=[_part(part, takes) for part in message.parts])


def _part(part: ModelRequestPart, takes: Collection[Input]) -> ModelRequestPart:
    if not (isinstance(part, Said | ToolReturnPart) and _lacking(part, takes)):
        return part
    return replace(part, content=[_item(item, takes) for item in cast("Sequence[object]", part.content)])


def _item(item: object, takes: Collection[Input]) -> object:
    if not isinstance(item, BinaryContent) or _kind(item) in takes:
        return item
    return _HINT.format(mime=item.media_type, do=_WORDS[_kind(item)])


def _lacking(part: object, takes: Collection[Input]) -> bool:
    """Whether there is a file in it that is not taken."""
    if not isinstance(part, Said | ToolReturnPart) or not isinstance(part.content, list | tuple):
        return False
    items = cast("Sequence[object]", part.content)
    return any(isinstance(item, BinaryContent) and _kind(item) not in takes for item in items)


def _kind(file: BinaryContent) -> Input:
    return "image" if file.is_image else "audio" if file.is_audio else "document"
