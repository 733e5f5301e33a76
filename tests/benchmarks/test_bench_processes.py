"""The bench's hand on a gateway: its configuration, its whole process tree, its failures."""

import asyncio
import sys
from pathlib import Path

import pytest

from gateway import Gateway, Process
from process_tree import cpu_seconds, memory_mb, run_seconds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc")

GATEWAYS = Path(__file__).resolve().parents[2] / "benchmarks" / "gateways"
TREE = "sleep 71 & setsid sleep 72 & (setsid sh -c 'sleep 73 & sleep 74' &) ; sleep 75"


@pytest.mark.parametrize("name", ["lar", "floor", "raw"])
def test_gateway_files_are_filled_in(name: str) -> None:
    """A misspelt field or variable would measure something else."""
    names = ("HOME", "TG_URL", "TOKEN", "OPENAI_URL", "API_KEY", "MODEL", "USER_IDS", "PORT")
    variables: dict[str, str] = dict.fromkeys((*names, "PYTHON", "BIN", "BENCHMARKS"), "x")
    gateway = Gateway.load(GATEWAYS / f"{name}.toml", variables)
    assert gateway.command[0] == "x"
    assert not [value for value in (*gateway.command, *gateway.env.values()) if "$" in value]


async def test_counts_and_kills_the_whole_tree(tmp_path: Path) -> None:
    """A process that leaves the session still belongs to the gateway: its memory counts, and SIGKILL reaches it."""
    process = Process(Gateway("tree", ["sh", "-c", TREE]), tmp_path)
    await process.start()
    try:
        async with asyncio.timeout(5):
            while len(process.pids()) < 6:  # noqa: ASYNC110  # /proc has no event
                await asyncio.sleep(0)
        pids = process.pids()
        assert memory_mb(pids) > 0
        assert run_seconds(pids) > 0
        assert cpu_seconds(pids) >= 0
    finally:
        await process.kill()
    assert not process.running
    assert process.ended


async def test_says_how_it_failed(tmp_path: Path) -> None:
    """A gateway that ends at once is told apart from one that hangs, with the place of its output."""
    process = Process(Gateway("brief", ["sh", "-c", "echo no >&2; exit 3"]), tmp_path)
    await process.start()
    async with asyncio.timeout(5):
        while process.running:  # noqa: ASYNC110  # /proc has no event
            await asyncio.sleep(0)
    await process.stop()
    assert "ended with 3" in str(process.failure())
    assert (tmp_path / "gateway.log").read_text() == "no\n"
