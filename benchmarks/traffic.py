"""Messages with unique nonces, their replies, and the verdict on what became of them."""

import asyncio
import contextlib
import itertools
import secrets
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from lar.testing.models.brain import NONCE
from lar.testing.telegram import Json, TelegramSim

MESSAGE = "bench message {index} in chat {chat}: {nonce}"


class Shown(NamedTuple):
    """The nonce became visible: when (seconds since the epoch), in which message, with which text, as which event."""

    t: float
    message_id: int
    text: str
    seq: int


@dataclass(slots=True, eq=False)
class Turn:
    """One message and what answered it; `sent` in seconds since the epoch."""

    nonce: str
    chat: int
    index: int
    done: asyncio.Future[None]
    sent: float = 0.0
    shown: list[Shown] = field(default_factory=list[Shown])
    strays: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a number of messages.

    `lost`: never answered. `duplicates`: shown in more than one message at the end; `marked` ones say that they were
    sent again and are counted apart. `misrouted`: seen in another chat. `disorder`: first shown out of order.
    `merged`: answered together with another one.
    """

    messages: int
    lost: int
    duplicates: int
    marked: int
    misrouted: int
    disorder: int
    merged: int

    def faults(self) -> str:
        """One line for the report."""
        counts = {name: count for name, count in asdict(self).items() if name not in ("messages", "merged")}
        said = [f"{count} {name}" for name, count in counts.items() if count]
        return f"{', '.join(said) or 'none'} of {self.messages}"


class Traffic:
    """Writes as the users and watches what the bot shows them."""

    def __init__(self, telegram: TelegramSim, resent: str = "") -> None:
        self.telegram = telegram
        self.turns: dict[str, Turn] = {}
        self._resent = resent
        self._indexes: dict[int, itertools.count[int]] = defaultdict(itertools.count)
        telegram.on_event = self._on_event

    def _on_event(self, event: Json) -> None:
        text = str(event["text"] or "")
        if event["kind"] not in ("send", "edit"):
            return
        for nonce in set(NONCE.findall(text)):
            turn = self.turns.get(nonce)
            if turn and turn.chat != event["chat_id"]:
                turn.strays += 1
            elif turn:
                turn.shown.append(Shown(event["t"], event["message_id"], text, event["seq"]))
                if not turn.done.done():
                    turn.done.set_result(None)

    def send(self, chat: int, template: str = MESSAGE) -> Turn:
        """One message; `template` may name {nonce}, {index} and {chat}."""
        nonce = "n" + secrets.token_hex(5)
        turn = Turn(nonce, chat, next(self._indexes[chat]), asyncio.get_running_loop().create_future())
        self.turns[nonce] = turn
        turn.sent = self.telegram.send_text(template.format(index=turn.index, chat=chat, nonce=nonce), chat)["t"]
        return turn

    async def ask(self, chat: int, timeout: float, template: str = MESSAGE) -> Turn:  # noqa: ASYNC109  # giving up is no error here
        """One message; returns when it is answered, or after `timeout` seconds."""
        turn = self.send(chat, template)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(turn.done), timeout)
        return turn

    def forget(self) -> None:
        """Drop all turns, chats' contents and logged calls, so that long runs stay small."""
        self.turns.clear()
        self.telegram.calls.clear()
        for chat in self.telegram.chats.values():
            chat.messages.clear()
            chat.events.clear()

    def verdict(self, turns: Sequence[Turn]) -> Verdict:
        """Judge these messages by what the users see now."""
        doubled = [copies for turn in turns if len(copies := self._copies(turn)) > 1]
        marked = sum(self._only_resent(copies) for copies in doubled)
        disorder = merged = 0
        for answered in _by_chat(turns).values():
            order = [turn.shown[0].seq for turn in answered]
            disorder += sum(later < earlier for earlier, later in itertools.pairwise(order))
            merged += len(order) - len(set(order))
        return Verdict(
            messages=len(turns),
            lost=sum(not turn.shown for turn in turns),
            duplicates=len(doubled) - marked,
            marked=marked,
            misrouted=sum(bool(turn.strays) for turn in turns),
            disorder=disorder,
            merged=merged,
        )

    def _only_resent(self, copies: Sequence[str]) -> bool:
        """Whether all copies but one say that they were sent again."""
        return bool(self._resent) and sum(self._resent in text for text in copies) >= len(copies) - 1

    def _copies(self, turn: Turn) -> list[str]:
        """The texts of all messages that show the nonce now."""
        messages = self.telegram.chat(turn.chat).messages
        texts = (str(messages.get(number, {}).get("text", "")) for number in {shown.message_id for shown in turn.shown})
        return [text for text in texts if turn.nonce in text]


def _by_chat(turns: Sequence[Turn]) -> dict[int, list[Turn]]:
    chats: dict[int, list[Turn]] = defaultdict(list)
    for turn in sorted(turns, key=lambda turn: turn.index):
        if turn.shown:
            chats[turn.chat].append(turn)
    return chats


def spread(seconds: Sequence[float]) -> dict[str, Any]:
    """Median, 95th percentile and maximum in milliseconds; None where there is nothing."""
    if not seconds:
        return {"median": None, "p95": None, "max": None}
    ordered = sorted(seconds)
    at_95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    known = {"median": statistics.median(ordered), "p95": at_95, "max": ordered[-1]}
    return {name: round(value * 1000, 2) for name, value in known.items()}
