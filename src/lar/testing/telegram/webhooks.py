"""Pushing updates to a webhook: one after the other per chat, again and again until it answers."""

import asyncio
import json
import re
from typing import Any

import aiohttp

from lar.testing.telegram.server import BotApi
from lar.testing.telegram.wire import ApiError, Json, Params
from lar.testing.telegram.world import Bot, Webhook, World

_SUCCESS = range(200, 300)
_LONGEST_WAIT = 60.0  # seconds between two attempts, unless the webhook asks for more
_FIRST_WAIT = 0.05


class WebhookPusher:
    """Delivers what is pending to the bots that have a webhook."""

    def __init__(self, world: World, api: BotApi) -> None:
        self._world = world
        self._api = api

    def push(self, bot: Bot) -> None:
        """Start deliveries: a task per chat (its updates stay in order), at most max_connections at once."""
        if bot.webhook is None:
            return
        for update in bot.updates:
            key = update_chat(update)
            if key not in bot.webhook_tasks and len(bot.webhook_tasks) < bot.webhook.max_connections:
                delivery = self._deliver(bot, bot.webhook, key)
                bot.webhook_tasks[key] = asyncio.get_running_loop().create_task(delivery)

    async def _deliver(self, bot: Bot, hook: Webhook, key: int) -> None:
        while bot.webhook is hook:
            update = next((update for update in bot.updates if update_chat(update) == key), None)
            if update is None:
                break
            await self._insist(bot, hook, update)
        if bot.webhook is hook:
            bot.webhook_tasks.pop(key, None)
            self.push(bot)

    async def _insist(self, bot: Bot, hook: Webhook, update: Json) -> None:
        """Until the webhook takes the update: soon at first, then ever more rarely."""
        delay, attempts = 1.0, 0
        while bot.webhook is hook:
            asked = await self._attempt(bot, hook, update)
            if asked is None:
                return
            wait = asked or _FIRST_WAIT
            if not asked and attempts:
                delay = wait = min(delay * 2, _LONGEST_WAIT)
            attempts += 1
            await asyncio.sleep(wait)

    async def _attempt(self, bot: Bot, hook: Webhook, update: Json) -> float | None:
        """None: delivered; else the seconds the webhook asked to wait, 0 when it did not."""
        if self._world.http is None:
            return 0.0
        headers = {"X-Telegram-Bot-Api-Secret-Token": hook.secret} if hook.secret else {}
        limit = aiohttp.ClientTimeout(_LONGEST_WAIT)
        try:
            async with self._world.http.post(
                hook.url, json=update, headers=headers, ssl=False, timeout=limit
            ) as answer:
                body = await answer.read()
                if answer.status in _SUCCESS:
                    if update in bot.updates:
                        bot.updates.remove(update)
                    await self._take_answer(bot, answer.content_type, body)
                    return None
                what = f"Wrong response from the webhook: {answer.status} {answer.reason}"
                hook.last_error = (self._world.clock(), what)
                wished = answer.headers.get("Retry-After", "")
                return min(float(wished), 3600.0) if re.fullmatch(r"\d+(\.\d+)?", wished) else 0.0
        except (aiohttp.ClientError, OSError) as error:
            hook.last_error = (self._world.clock(), f"Connection failed: {error}")
            return 0.0

    async def _take_answer(self, bot: Bot, content_type: str, body: bytes) -> None:
        """A method call in the body of the webhook's response is executed; its result is not reported back."""
        if content_type != "application/json" or not body.strip():
            return
        try:
            values: Any = json.loads(body)
            method = str(values.pop("method", "")).lower()
        except (ValueError, AttributeError, TypeError):
            return
        if not method or method.startswith("get") or "webhook" in method:
            return
        about: Json = {"chat_id": values.get("chat_id"), "params": values, "via": "webhook response"}
        entry = self._world.log_call(method=method, token=bot.token[-4:], status=200, **about)
        try:
            await self._api.execute(bot, method, Params(values))
        except ApiError as error:
            entry.update(status=error.code, description=error.description)


def update_chat(update: Json) -> int:
    """The chat (or user) whose updates must stay in order with this one."""
    payload: Json = next(value for key, value in update.items() if key != "update_id")
    place: Json = payload.get("chat") or payload.get("message", {}).get("chat") or payload.get("from") or {"id": 0}
    return place["id"]
