"""`python -m lar.testing.telegram --port 8081`: the simulator as a server."""

import argparse
import asyncio
import contextlib
import sys

from lar.testing.telegram.simulator import DEFAULT_TOKEN, TelegramSim


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lar.testing.telegram", description="Telegram Bot API simulator")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--token", default=DEFAULT_TOKEN)
    parser.add_argument("--extra-token", action="append", default=[])
    for flag in ("rate-limits", "privacy-mode", "private-topics", "strict-chats", "strict-https"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to every API call")
    parser.add_argument("--disable", action="append", default=[], metavar="METHOD", help="answer 404 to this method")
    return parser.parse_args()


async def _serve(given: argparse.Namespace) -> None:
    simulator = TelegramSim(
        given.token,
        given.host,
        given.port,
        extra_tokens=given.extra_token,
        rate_limits=given.rate_limits,
        privacy_mode=given.privacy_mode,
        private_topics=given.private_topics,
        strict_chats=given.strict_chats,
        strict_https=given.strict_https,
        latency=given.latency,
        disabled_methods=given.disable,
    )
    async with simulator:
        sys.stdout.write(f"Telegram Bot API simulator on {simulator.url}  token {simulator.token}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_arguments()))
