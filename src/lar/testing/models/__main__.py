"""`python -m lar.testing.models --port 8082`: the simulator as a server of its own."""

import argparse
import asyncio
import contextlib
import sys

from lar.testing.models.server import ModelSim


async def _serve(arguments: argparse.Namespace) -> None:
    speed = {"ttft": arguments.ttft, "tps": arguments.tps}
    async with ModelSim(arguments.host, arguments.port, **speed, strict=not arguments.lenient) as sim:
        sys.stdout.write(f"model simulator on {sim.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lar.testing.models", description="Simulator of model servers")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--ttft", type=float, default=0.0, help="seconds to the first token")
    parser.add_argument("--tps", type=float, default=0.0, help="tokens per second (0: as fast as possible)")
    parser.add_argument("--lenient", action="store_true", help="accept what a real provider would refuse with 400")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    _main()
