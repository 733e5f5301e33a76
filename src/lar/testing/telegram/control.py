"""The user's side over HTTP: `/_sim/...`, arguments as query string, JSON body, or both.

POST inject, press, react, raw, faults, block, config, reset; GET wait, chat/<id>, events/<id>, calls, state.
Arguments are those of the methods of `UserSide`; times are epoch seconds, `seq` orders all events.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from lar.testing.telegram.files import MEDIA
from lar.testing.telegram.methods.updates import webhook_info
from lar.testing.telegram.user import DEFAULT_USER, REPLIES, UserSide
from lar.testing.telegram.wire import Json
from lar.testing.telegram.world import Bot

_NUMBERS = ("chat_id", "message_id", "after", "since", "user", "thread_id", "reply_to", "edit")


class Control:
    """The actions, by name."""

    def __init__(self, world: UserSide) -> None:
        self._world = world
        self._actions: dict[str, Callable[[Json], Awaitable[Any]]] = {
            "inject": self._inject,
            "press": self._press,
            "react": self._react,
            "raw": self._raw,
            "wait": self._wait,
            "chat": self._chat,
            "events": self._events,
            "calls": self._calls,
            "faults": self._faults,
            "block": self._block,
            "config": self._config,
            "reset": self._reset,
            "state": self._state,
        }

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer /_sim/<action>[/<chat id>]: 404 for what is not there, 400 for wrong arguments."""
        arguments: Json = dict(request.query)
        if request.can_read_body:
            arguments.update(await request.json())
        if "chat_id" in request.match_info:
            arguments["chat_id"] = request.match_info["chat_id"]
        for name in _NUMBERS:
            value = arguments.get(name)
            if isinstance(value, str) and re.fullmatch(r"-?\d+", value):
                arguments[name] = int(value)
        name = request.match_info["action"]
        action = self._actions.get(name)
        if action is None:
            return web.json_response({"error": f"no control action {name!r}"}, status=404)
        try:
            return web.json_response(await action(arguments))
        except LookupError as error:
            return web.json_response({"error": f"{error}"}, status=404)
        except (TypeError, ValueError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    async def _inject(self, arguments: Json) -> Json:
        """A user's message; each kind of medium may stand beside the text: {"photo": {"b64": ...}}."""
        media: Json = arguments.pop("media", None) or {}
        media.update({kind: arguments.pop(kind) for kind in MEDIA if kind in arguments})
        return self._world.inject(media=media, **arguments)

    async def _press(self, arguments: Json) -> Json:
        return self._world.press(**arguments)

    async def _react(self, arguments: Json) -> Json:
        return {"update_id": self._world.react(**arguments)}

    async def _raw(self, arguments: Json) -> Json:
        """Any other update: {kind: payload}."""
        ((kind, payload),) = arguments.items()
        return {"update_id": self._world.push_update(kind, payload)}

    async def _wait(self, arguments: Json) -> Json:
        """The bot's next message or edit: {"reply"}, null when none comes in time."""
        kinds: str = arguments.get("kinds", "")
        reply = await self._world.wait_reply(
            arguments.get("chat_id", DEFAULT_USER),
            arguments.get("after", 0),
            match=arguments.get("match"),
            timeout=float(arguments.get("timeout", 30)),
            settle=float(arguments.get("settle", 0)),
            kinds=tuple(kinds.split(",")) if kinds else REPLIES,
        )
        return {"reply": reply}

    async def _chat(self, arguments: Json) -> Json:
        """What the user sees now."""
        chat = self._world.chat(arguments["chat_id"])
        return {"chat": chat.info, "messages": self._world.messages(chat.id), "pinned": chat.pinned}

    async def _events(self, arguments: Json) -> list[Json]:
        return self._world.events(arguments["chat_id"], arguments.get("after", 0))

    async def _calls(self, arguments: Json) -> list[Json]:
        """The log of calls: those after number `since`, of a `method`, of a `chat_id`."""
        method, since, chat_id = (
            arguments.get("method", "").lower(),
            arguments.get("since", 0),
            arguments.get("chat_id"),
        )
        return [
            call
            for call in self._world.calls
            if call["n"] > since and method in {"", call["method"].lower()} and chat_id in (None, call["chat_id"])
        ]

    async def _faults(self, arguments: Json) -> list[Json]:
        """Order a fault, or {"clear": true}; those still pending."""
        faults = self._world.faults
        if arguments.pop("clear", None):
            faults.pending.clear()
        if arguments:
            self._world.fail(**arguments)
        return faults.pending

    async def _block(self, arguments: Json) -> Json:
        self._world.block(arguments["chat_id"], blocked=bool(arguments.get("blocked", True)))
        return {"ok": True}

    async def _config(self, arguments: Json) -> Json:
        self._world.configure(arguments)
        return self._world.options

    async def _reset(self, _: Json) -> Json:
        self._world.reset()
        return {"ok": True}

    async def _state(self, _: Json) -> Json:
        return {bot.user["username"]: _bot_state(bot) for bot in self._world.bots.values()}


def _bot_state(bot: Bot) -> Json:
    return {
        "pending": len(bot.updates),
        "polls": bot.polls,
        "polling_now": bot.polling.is_set(),
        "first_poll": bot.first_poll,
        "webhook": webhook_info(bot),
        "allowed": bot.allowed,
        "commands": {scope: commands for (scope, _), commands in bot.commands.items()},
        "profile": {field: text for (field, _), text in bot.profile.items()},
    }
