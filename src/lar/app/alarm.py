"""Alerts: what tells the admins without the rest of a Lar."""

import time

from lar.channels.contract import Channel
from lar.config import Config
from lar.operations import alert as alerting
from lar.operations.alert import Told
from lar.store.database import Database


async def alert(config: Config, text: str, seconds: float) -> Told:
    """Tell the admins, with or without a gateway beside: see `lar.operations.alert`."""
    from lar.channels.telegram.adapter import TelegramChannel

    settings, end = config.channels.telegram, time.monotonic() + seconds
    telegram = TelegramChannel(settings, config.home / "files")
    account = (telegram.manifest.name, telegram.account)
    channels: dict[tuple[str, str], Channel] = {account: telegram} if settings.bot_token.get_secret_value() else {}
    users = {account: frozenset(str(user) for user in settings.admin_user_ids)} if channels else {}
    reach = alerting.configured(alerting.notify_address(config.support.notify_chat, list(users)), users)
    reach, problem = await alerting.look_up(Database(config.database), reach, list(users), seconds / 4)
    try:
        told = await alerting.tell(text, reach, channels, end - time.monotonic())
    finally:
        await telegram.close()
    problems = (*told.problems, *([problem] if problem else []), *([] if channels else ["there is no bot token"]))
    return Told(told.chats, problems)
