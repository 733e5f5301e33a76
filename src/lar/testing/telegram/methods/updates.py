"""Updates: long polling and webhooks, with the conflicts between them."""

import asyncio
import itertools
import re
from typing import Any, cast

from lar.testing.telegram.methods.call import Call, Handler
from lar.testing.telegram.wire import ApiError, Json, bad
from lar.testing.telegram.world import Bot, Webhook

_LONGEST_POLL = 50  # seconds


async def get_updates(call: Call) -> list[Json]:
    """Confirm what is older than `offset`; the rest, at once or as soon as something arrives."""
    bot, params = call.bot, call.params
    if bot.webhook:
        advice = "use deleteWebhook to delete the webhook first"
        raise ApiError(409, f"Conflict: can't use getUpdates method while webhook is active; {advice}")
    offset, timeout = params.number("offset"), min(max(params.number("timeout"), 0), _LONGEST_POLL)
    limit = min(max(params.number("limit", 100), 1), 100)
    _set_allowed(call)
    now = asyncio.get_running_loop().time()
    bot.polls += 1
    bot.first_poll = bot.first_poll or call.world.clock()
    last_offset, last_time = bot.last_poll
    if offset == last_offset and now < last_time + 3:
        timeout = max(timeout, call.world.options["poll_floor"])  # slows down who asks the same again and again
    if offset == last_offset and now < last_time + 0.5:
        limit = 1
    bot.last_poll = (offset, now)
    _confirm(bot, offset)
    if not bot.updates and timeout:
        await _wait(bot, timeout)
    return list(itertools.islice(bot.updates, limit))


def _confirm(bot: Bot, offset: int) -> None:
    if offset < 0:
        while len(bot.updates) > -offset:
            bot.updates.popleft()
    while offset > 0 and bot.updates and bot.updates[0]["update_id"] < offset:
        bot.updates.popleft()


async def _wait(bot: Bot, timeout: float) -> None:  # noqa: ASYNC109  # running out is the normal end of a poll
    bot.end_poll("conflict")
    bot.poll = poll = asyncio.get_running_loop().create_future()
    bot.polling.set()
    await asyncio.wait((poll,), timeout=timeout)
    if not poll.done():
        bot.end_poll("timeout")
    why = poll.result()
    if why == "conflict":
        advice = "make sure that only one bot instance is running"
        raise ApiError(409, f"Conflict: terminated by other getUpdates request; {advice}")
    if why == "webhook":
        raise ApiError(409, "Conflict: terminated by setWebhook request")
    if why == "updates":
        await asyncio.sleep(0)  # what arrives in the same instant leaves together


def _set_allowed(call: Call) -> None:
    if call.params.text("allowed_updates"):
        allowed = call.params.parsed("allowed_updates")
        if isinstance(allowed, list):
            call.bot.allowed = [str(kind) for kind in cast("list[Any]", allowed)] or None


def set_webhook(call: Call) -> bool:
    """Push updates to a URL from now on; an empty URL: no longer."""
    bot, params, world = call.bot, call.params, call.world
    url, secret = params.text("url"), params.text("secret_token")
    if not url:
        return delete_webhook(call)
    if params.flag("drop_pending_updates"):
        bot.updates.clear()
    if not re.match(r"https?://[^/\s]+", url):
        raise bad("invalid webhook URL specified")
    if world.options["strict_https"] and not url.startswith("https://"):
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if len(secret) > 256:
        raise bad("secret token is too long")
    if not re.fullmatch(r"[\w-]*", secret, re.ASCII):
        raise bad("secret token contains unallowed characters")
    _set_allowed(call)
    bot.end_poll("webhook")
    bot.first_poll = bot.first_poll or world.clock()
    connections = min(max(params.number("max_connections", 40), 1), 100)
    old = bot.webhook
    if old and (old.url, old.secret, old.max_connections) == (url, secret, connections):
        return True
    bot.stop_webhook()
    bot.webhook = Webhook(url, secret, connections)
    if world.on_pending:
        world.on_pending(bot)
    return True


def delete_webhook(call: Call) -> bool:
    """No longer push updates."""
    if call.params.flag("drop_pending_updates"):
        call.bot.updates.clear()
    call.bot.stop_webhook()
    return True


def get_webhook_info(call: Call) -> Json:
    """Where updates are pushed, what waits, and what went wrong last."""
    return webhook_info(call.bot)


def webhook_info(bot: Bot) -> Json:
    """The WebhookInfo of a bot."""
    hook = bot.webhook
    info: Json = {
        "url": hook.url if hook else "",
        "has_custom_certificate": False,
        "pending_update_count": len(bot.updates),
    }
    if hook:
        info.update(max_connections=hook.max_connections, ip_address="127.0.0.1")
        if hook.last_error:
            info.update(last_error_date=int(hook.last_error[0]), last_error_message=hook.last_error[1])
    if bot.allowed:
        info["allowed_updates"] = bot.allowed
    return info


METHODS: dict[str, Handler] = {
    "getupdates": get_updates,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
}
