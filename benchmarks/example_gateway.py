"""The floor: the least a gateway can do with the usual libraries. aiogram polls, openai answers, nothing is stored."""

import asyncio
import os
from collections import defaultdict
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message
from openai import AsyncOpenAI, DefaultAioHttpClient

HISTORY = 10
LONGEST = 4096


def client() -> AsyncOpenAI:
    """The openai client, which reads OPENAI_BASE_URL and OPENAI_API_KEY; on aiohttp where its extra is installed."""
    try:
        return AsyncOpenAI(http_client=DefaultAioHttpClient())
    except RuntimeError:
        return AsyncOpenAI()


async def main() -> None:
    """Answer every message, one at a time in each chat."""
    model = client()
    locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
    history: dict[int, list[Any]] = defaultdict(list)
    dispatcher = Dispatcher()

    async def answer(message: Message) -> None:
        async with locks[message.chat.id]:
            past = history[message.chat.id]
            past.append({"role": "user", "content": message.text or ""})
            reply = await model.chat.completions.create(model=os.environ["MODEL"], messages=past[-HISTORY:])
            text = reply.choices[0].message.content or "(empty)"
            past.append({"role": "assistant", "content": text})
            for start in range(0, len(text), LONGEST):
                await message.answer(text[start : start + LONGEST])

    dispatcher.message.register(answer)
    server = TelegramAPIServer.from_base(os.environ["TELEGRAM_API_URL"])
    bot = Bot(os.environ["TELEGRAM_BOT_TOKEN"], session=AiohttpSession(api=server, limit=1000))
    await dispatcher.start_polling(bot)  # pyright: ignore[reportUnknownMemberType]  # aiogram leaves one parameter open


if __name__ == "__main__":
    asyncio.run(main())
