"""The tools that write to other chats: what a person may write to, and a message that leaves with the reply.

A chat is named `name#number`. The name is what a person reads when they are asked, the number is where the message
goes: both must be right when it is sent, so that neither a renamed chat nor an invented name leads it astray.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from lar.conversations.strings import say
from lar.domain.artifact import Outgoing
from lar.domain.conversation import Conversation, Place
from lar.domain.principal import Principal
from lar.domain.risk import Deed, Risk
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.policy.access import AccessRules, admit
from lar.store import conversations, messages, people
from lar.store.database import Database
from lar.store.people import Identity
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult
from lar.tools.define import tool

Rules = Mapping[tuple[str, str], AccessRules]

LONGEST_NAME = 60

ChatName = Annotated[str, Field(pattern=r"^[^#\n]+#[0-9]{1,18}$")]
Words = Annotated[str, Field(min_length=1, max_length=3500)]


@dataclass(frozen=True, slots=True)
class Chat:
    """Somewhere a person may write to. `owner` is whose private chat it is, None of a group."""

    conversation: Conversation
    name: str
    owner: Principal | None

    @property
    def handle(self) -> str:
        """How a model names it."""
        return f"{self.name}#{self.conversation.id}"


def chats_of(connection: Connection, rules: Rules, who: Principal) -> list[Chat]:
    """Where this person may write to.

    Their own private chats; the allowed groups they have written in. An admin: every allowed group, and the private
    chats of everybody who is admitted.
    """
    known = {(entry.channel, entry.account, entry.user): entry for entry in people.everyone(connection)}
    found = [
        _chat(connection, conversation, known, account, who)
        for conversation in conversations.reachable(connection)
        if (account := rules.get((conversation.address.channel, conversation.address.account))) is not None
    ]
    return [chat for chat in found if chat is not None]


def _chat(
    connection: Connection,
    conversation: Conversation,
    known: Mapping[tuple[str, str, str], Identity],
    rules: AccessRules,
    who: Principal,
) -> Chat | None:
    """This conversation as a chat to write to; None if it is not one for this person."""
    address = conversation.address
    if conversation.place is Place.GROUP:
        shared = address.chat in rules.chats and (
            who.is_admin or messages.has_written(connection, conversation.id, who.id)
        )
        return Chat(conversation, _name(conversation.title or f"group {address.chat}"), None) if shared else None
    user = address.account if rules.local is not None else address.chat  # a local account has one user
    entry = known.get((address.channel, address.account, user))
    if entry is None:
        return None
    granted = entry.principal.role if entry.granted else None
    theirs = who.is_admin and admit(rules, user, address.chat, granted) is not None
    if entry.principal.id != who.id and not theirs:
        return None
    return Chat(conversation, _name(entry.principal.name), entry.principal)


def _name(text: str) -> str:
    """A title as one line that no title can break out of."""
    plain = "".join(letter if letter.isprintable() and letter != "#" else " " for letter in text)
    return " ".join(plain.split())[:LONGEST_NAME] or "nameless"


def sending_tools(db: Database, rules: Rules) -> tuple[Tool, ...]:
    """The tools `list_chats` and `send_message`."""

    @tool(risk=Risk.READ, repeatable=True, private=True)
    async def list_chats(context: ToolContext) -> str:
        """List the chats this person may have messages sent to, besides this one: their own, groups they share.

        Args:
            context: Who asks.
        """
        lines = [
            f"{chat.handle} ({chat.conversation.address.channel}, {_kind(chat, context.principal)})"
            for chat in await db.read(chats_of, rules, context.principal)
            if chat.conversation.id != context.conversation_id
        ]
        return "\n".join(lines) or "There is no other chat this person may write to."

    @tool(risk=Risk.REACH, repeatable=True, private=True, effect=_writing)
    async def send_message(context: ToolContext, to: ChatName, text: Words) -> ToolResult:
        """Send a message to another chat. It leaves together with your reply. To answer here, just answer.

        Args:
            context: Who asks.
            to: The chat, written exactly as list_chats shows it: its name, # and its number.
            text: The message, as plain text.
        """
        may = {chat.handle: chat for chat in await db.read(chats_of, rules, context.principal)}
        chat = may.get(to)
        if chat is None:
            raise ToolError(f"There is no chat {to!r} this person may write to. list_chats shows those there are.")
        if chat.conversation.id == context.conversation_id:
            raise ToolError("That is this very chat: write it in your reply.")
        said = (
            text
            if chat.owner is not None and chat.owner.id == context.principal.id
            else _from(context.principal, chat, text)
        )
        return ToolResult(f"It will be sent to {to} with your reply.", outgoing=(_outgoing(chat, said),))

    return list_chats, send_message


def _kind(chat: Chat, who: Principal) -> str:
    if chat.owner is None:
        return "group"
    return "their own" if chat.owner.id == who.id else "private"


def _from(who: Principal, chat: Chat, text: str) -> str:
    language = chat.owner.language if chat.owner is not None else who.language
    return say(language, "message_from", name=who.name, text=text)


def _outgoing(chat: Chat, text: str) -> Outgoing:
    return Outgoing(text, conversation=chat.conversation.id)


def _writing(arguments: JsonObject) -> Effect:
    return Effect(Deed.SEND, f"Write to {arguments['to']}:\n{arguments['text']}", str(arguments["to"]))
