"""A Telegram Bot API server on loopback, as strict as the real one.

The bot's side speaks the public Bot API over HTTP. The user's side is this class in process, or `/_sim/...` over
HTTP (see `control`); `python -m lar.testing.telegram --port 8081` serves both.

    async with TelegramSim() as telegram:
        ...  # point the bot at telegram.url with telegram.token
        reply = await telegram.ask("hello")
"""

from lar.testing.telegram.simulator import DEFAULT_TOKEN, TelegramSim
from lar.testing.telegram.user import DEFAULT_USER
from lar.testing.telegram.wire import Json

__all__ = ["DEFAULT_TOKEN", "DEFAULT_USER", "Json", "TelegramSim"]
