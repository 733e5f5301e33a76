"""Nearer the limit: the same gateway on bare aiohttp, no Telegram or OpenAI library."""

import asyncio
import os
from collections import defaultdict
from typing import Any

import aiohttp

BOT = f"{os.environ['TELEGRAM_API_URL']}/bot{os.environ['TELEGRAM_BOT_TOKEN']}"
MODEL = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
KEY = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
HISTORY = 10
UNLIMITED = 0

locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
history: dict[int, list[Any]] = defaultdict(list)


async def post(http: aiohttp.ClientSession, url: str, **body: Any) -> Any:
    """The JSON answer to a JSON body."""
    async with http.post(url, json=body, headers=KEY if url == MODEL else None) as answered:
        return await answered.json()


async def answer(http: aiohttp.ClientSession, chat: int, text: str) -> None:
    """Answer one message, one at a time in each chat."""
    async with locks[chat]:
        history[chat].append({"role": "user", "content": text})
        asked = {"model": os.environ["MODEL"], "messages": history[chat][-HISTORY:]}
        reply = (await post(http, MODEL, **asked))["choices"][0]["message"]
        history[chat].append(reply)
        await post(http, f"{BOT}/sendMessage", chat_id=chat, text=reply["content"])


async def main() -> None:
    """Poll for ever."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=UNLIMITED)) as http:
        offset, running = 0, set[asyncio.Task[None]]()
        while True:
            got = await post(http, f"{BOT}/getUpdates", offset=offset, timeout=30)
            for update in got.get("result", []):
                offset = update["update_id"] + 1
                message = update.get("message", {})
                if message.get("text"):
                    task = asyncio.create_task(answer(http, message["chat"]["id"], message["text"]))
                    running.add(task)
                    task.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(main())
