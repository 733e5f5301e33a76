"""Ask Telegram who the bot is, without starting anything."""

import httpx

from lar.channels.telegram.settings import TelegramSettings
from lar.errors import ChannelError

PATIENCE = 10.0
"""Seconds Telegram may take to answer."""


async def who_am_i(settings: TelegramSettings) -> str:
    """The bot's user name.

    Raises:
        ChannelError: the token is refused, or no answer came; the message says which.

    """
    url = f"{settings.api_base.rstrip('/')}/bot{settings.bot_token.get_secret_value()}/getMe"
    try:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            answer = (await client.get(url)).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ChannelError(f"no proper answer from {settings.api_base} ({type(error).__name__})") from None
    if not answer.get("ok"):
        raise ChannelError(f"the token is refused: {answer.get('description')}")
    return str(answer["result"]["username"])
