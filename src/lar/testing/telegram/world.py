"""The state behind the API: bots, chats, messages, files, and the one order of everything that happened."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import aiohttp

from lar.domain.values import Clock
from lar.testing.telegram.faults import Faults
from lar.testing.telegram.files import FileStore
from lar.testing.telegram.limits import RateLimiter
from lar.testing.telegram.wire import Json

OPT_IN_UPDATES = {"chat_member", "message_reaction", "message_reaction_count"}


class Options(TypedDict, total=False):
    """Traits of the server; off unless said otherwise."""

    rate_limits: bool  # 30/s per bot, 1/s per chat, 20/min per group
    latency: float  # seconds added to every call
    privacy_mode: bool  # in groups, the bot sees only what is addressed to it
    private_topics: bool  # topics in private chats
    strict_chats: bool  # 400 for chats that never wrote
    strict_https: bool  # webhooks must be https
    disabled_methods: Sequence[str]  # answered with 404, to be an older server
    poll_floor: float  # seconds that a poll repeating the last one within 3 s waits at least; 3 as the real server


@dataclass(slots=True)
class Chat:
    """One chat as its members see it."""

    info: Json
    next_id: int  # of the next message or topic
    messages: dict[int, Json] = field(default_factory=dict[int, Json])
    events: list[Json] = field(default_factory=list[Json])
    topics: dict[int, Json] = field(default_factory=dict[int, Json])
    pinned: list[int] = field(default_factory=list[int])
    blocked: bool = False
    waiters: set[asyncio.Future[None]] = field(default_factory=set[asyncio.Future[None]])

    @property
    def id(self) -> int:
        """Its id: > 0 private, < 0 group, < -10^12 supergroup."""
        return self.info["id"]

    @property
    def is_private(self) -> bool:
        """Whether it is a chat with one user."""
        return self.info["type"] == "private"


@dataclass(slots=True)
class Webhook:
    """Where updates are pushed to."""

    url: str
    secret: str
    max_connections: int
    last_error: tuple[float, str] | None = None  # when (epoch seconds), what


class Bot:
    """The server's side of one bot: its update queue, its poller or webhook, its public profile."""

    def __init__(self, token: str, username: str, name: str) -> None:
        self.token = token
        self.user: Json = {
            "id": int(token.split(":", maxsplit=1)[0]),
            "is_bot": True,
            "first_name": name,
            "username": username,
        }
        self.poll: asyncio.Future[str] | None = None
        self.polling = asyncio.Event()  # a long poll waits right now
        self.webhook: Webhook | None = None
        self.webhook_tasks: dict[int, asyncio.Task[None]] = {}  # by chat
        self.reset()

    def reset(self) -> None:
        """As if new; a waiting poller is sent home, deliveries stop."""
        self.end_poll("closed")
        self.stop_webhook()
        self.updates: deque[Json] = deque()
        self.next_update = 100_000_001
        self.allowed: list[str] | None = None
        self.last_poll: tuple[int | None, float] = (None, 0.0)  # offset, when (loop time)
        self.first_poll: float | None = None  # epoch seconds
        self.polls = 0
        self.profile: dict[tuple[str, str], str] = {}  # (field, language) -> text
        self.commands: dict[tuple[str, str], list[Json]] = {}  # (scope, language) -> commands
        self.callbacks: set[str] = set()  # ids of pressed buttons

    def end_poll(self, why: str) -> None:
        """Answer the waiting long poll: "updates", "conflict", "webhook" or "closed"."""
        if self.poll and not self.poll.done():
            self.poll.set_result(why)
        self.poll = None
        self.polling.clear()

    def stop_webhook(self) -> None:
        """Forget the webhook and end its deliveries."""
        for task in self.webhook_tasks.values():
            task.cancel()
        self.webhook_tasks.clear()
        self.webhook = None


def public(message: Json) -> Json:
    """A message without what only the simulator knows."""
    return {key: value for key, value in message.items() if not key.startswith("_")}


def quoted(message: Json) -> Json:
    """A message as it appears in `reply_to_message`: its own reply is left out."""
    return {key: value for key, value in public(message).items() if key != "reply_to_message"}


class World:
    """Everything the server knows."""

    def __init__(self, bots: Sequence[Bot], options: Options, clock: Clock, log_size: int) -> None:
        self.bots = {bot.token: bot for bot in bots}
        self.token = bots[0].token
        self.options: dict[str, Any] = {
            "rate_limits": False,
            "latency": 0.0,
            "privacy_mode": False,
            "private_topics": False,
            "strict_chats": False,
            "strict_https": False,
            "disabled_methods": (),
            "poll_floor": 3.0,
        }
        self.configure(options)
        self.clock = clock
        self.log_size = log_size
        self.http: aiohttp.ClientSession | None = None  # set while the server runs
        self.on_event: Callable[[Json], None] | None = None  # every event of every chat, synchronously
        self.on_call: Callable[[Json], None] | None = None  # every finished API call
        self.on_pending: Callable[[Bot], None] | None = None  # a bot with a webhook has updates to deliver
        self.reset()

    def reset(self) -> None:
        """Forget all but the options."""
        for bot in self.bots.values():
            bot.reset()
        self.chats: dict[int, Chat] = {}
        self.files = FileStore()
        self.faults = Faults()
        self.limiter = RateLimiter()
        self.calls: deque[Json] = deque(maxlen=self.log_size)
        self.unique = itertools.count(1)
        self._sequence = itertools.count(1)
        self._call_numbers = itertools.count(1)

    def configure(self, options: Mapping[str, object]) -> None:
        """Change options.

        Raises:
            ValueError: One of them does not exist.
        """
        unknown = sorted(options.keys() - self.options.keys())
        if unknown:
            raise ValueError(f"unknown options {unknown}; there are {sorted(self.options)}")
        self.options.update(options)

    @property
    def bot(self) -> Bot:
        """The first bot."""
        return self.bots[self.token]

    def chat(self, chat_id: int, **info: Any) -> Chat:
        """The chat, created on first use; `info` other than None updates what is known about it."""
        if chat_id not in self.chats:
            kind = "supergroup" if chat_id < -(10**12) else "group"
            base: Json = {"id": chat_id, "title": f"Group {-chat_id}", "type": kind}
            if chat_id > 0:
                name = {"first_name": f"User{chat_id}", "username": f"user{chat_id}"}
                base = {"id": chat_id, "type": "private", **name}
            self.chats[chat_id] = Chat(base, next_id=1 if chat_id > 0 else 2)  # 1: "group created"
        chat = self.chats[chat_id]
        chat.info.update({key: value for key, value in info.items() if value is not None})
        return chat

    def record(self, chat: Chat, kind: str, message: Json, **extra: Any) -> Json:
        """Something happened in a chat. The event: seq, t (epoch seconds), kind, chat_id, message_id, text, message."""
        event: Json = {
            "seq": next(self._sequence),
            "t": self.clock(),
            "kind": kind,
            "chat_id": chat.id,
            "message_id": message.get("message_id"),
            "text": message.get("text", message.get("caption")),
            "message": public(message),
            **extra,
        }
        chat.events.append(event)
        if self.on_event:
            self.on_event(event)
        for waiter in chat.waiters:
            if not waiter.done():
                waiter.set_result(None)
        return event

    def log_call(self, **about: Any) -> Json:
        """A call begins: its entry in the log, numbered and dated, still to be completed."""
        call: Json = {"n": next(self._call_numbers), "t": self.clock(), **about}
        self.calls.append(call)
        return call

    def push_update(self, kind: str, payload: Json, bot: Bot | None = None) -> int | None:
        """Queue an update. Its id; None when the bot has not asked for this kind."""
        bot = bot or self.bot
        if kind not in bot.allowed if bot.allowed else kind in OPT_IN_UPDATES:
            return None
        update: Json = {"update_id": bot.next_update, kind: payload}
        bot.next_update += 1
        bot.updates.append(update)
        if bot.webhook and self.on_pending:
            self.on_pending(bot)
        else:
            bot.end_poll("updates")
        return update["update_id"]
