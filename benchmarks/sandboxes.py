"""Milliseconds from asking a sandbox to run `true` until nothing of the run is left, beside a bare process.

python benchmarks/sandboxes.py [--runs 100] [--docker unix:///run/lar-docker/docker.sock]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from lar.sandboxes.choose import backend
from lar.sandboxes.contract import Sandbox, Spec
from lar.sandboxes.settings import SandboxSettings
from report import table

BACKENDS = ("bubblewrap", "docker", "cgroup", "rlimit", "basic", "none")
GOAL = {"bubblewrap": 30.0}
"""Most milliseconds above a bare process."""
_ROUNDS = 5
COMMANDS = (("true",), ("python3", "-I", "-c", "pass"))


async def took(run: Callable[[], Awaitable[object]], runs: int) -> float:
    """Milliseconds: the median of each round, and of those the least, which other work disturbed least."""
    medians: list[float] = []
    for _ in range(_ROUNDS):
        measured: list[float] = []
        for _ in range(max(3, runs // _ROUNDS)):
            begun = time.perf_counter()
            await run()
            measured.append((time.perf_counter() - begun) * 1000)
        medians.append(statistics.median(measured))
    return min(medians)


async def bare(argv: tuple[str, ...]) -> None:
    """A process, as it is."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"}
    )
    await process.wait()


async def measured(sandbox: Sandbox, work: Path, floors: list[float], runs: int) -> list[str]:
    """The row of a sandbox."""
    cells: list[str] = []
    for argv, floor in zip(COMMANDS, floors, strict=True):

        async def run(argv: tuple[str, ...] = argv) -> None:
            result = await sandbox.run(Spec(argv, work))
            assert result.exit_code == 0, result.stderr  # noqa: S101  # a run that failed says nothing

        found = await took(run, runs)
        goal = GOAL.get(sandbox.name)
        cells += [f"{found:.1f}", f"{found - floor:.1f}{' !' if goal and found - floor > goal else ''}"]
    return [sandbox.name, *cells]


async def main() -> None:
    """Measure what works here, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--docker", default="", help="where docker's engine for tests listens")
    chosen = parser.parse_args()
    docker = {"host": chosen.docker, "image": "lar-sandbox:test"} if chosen.docker else {}
    settings = SandboxSettings.model_validate({"docker": docker})
    floors = [await took(lambda argv=argv: bare(argv), chosen.runs) for argv in COMMANDS]
    rows = [["", "true, ms", "above bare", "python3, ms", "above bare"]]
    rows.append(["bare process", f"{floors[0]:.1f}", "", f"{floors[1]:.1f}", ""])
    with tempfile.TemporaryDirectory() as folder:
        for name in BACKENDS:
            sandbox = backend(name, settings)
            found = await sandbox.check()
            if found.works:
                rows.append(await measured(sandbox, Path(folder), floors, chosen.runs))
            else:
                rows.append([name, found.detail, "", "", ""])
    print(table(rows))
    print("! misses its goal: bubblewrap at most 30 ms above a bare process")


if __name__ == "__main__":
    asyncio.run(main())
