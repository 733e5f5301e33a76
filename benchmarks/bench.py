"""Measure Lar beside two reference floors, from the outside, over the protocols it speaks.

    python benchmarks/bench.py [--quick] [--only lar,floor,raw] [--phases start,idle,...] [--out results.json]

Both simulators and the load driver share this process and one core: about 0.35 ms for a message, so that nothing above
2,500 messages a second can be measured ("bench cpu ms" in the load table shows how near a row came).
"""

import argparse
import asyncio
import dataclasses
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from gateway import GatewayFailed
from phases import PHASES, Plan
from report import report
from subject import prepared

GATEWAYS = ("lar", "floor", "raw")
ON_DEMAND = "flat"


async def measure(name: str, phases: list[str], plan: Plan, work: Path) -> dict[str, Any]:
    """All numbers of one gateway. A gateway that fails keeps what it had; the others are still worth measuring."""
    async with prepared(name, work) as subject:
        busy = round(os.getloadavg()[0], 1)
        numbers: dict[str, Any] = {"name": subject.gateway.name, "goals": name == "lar", "load_before": busy}
        numbers["fsync_ms"] = fsync_ms(subject.process.home)
        print(f"{subject.gateway.name}, its output in {subject.process.home / 'gateway.log'}", flush=True)
        try:
            for phase in phases:
                begun = time.monotonic()
                numbers |= await PHASES[phase](subject, plan)
                print(f"  {phase} {time.monotonic() - begun:.1f} s", flush=True)
        except GatewayFailed as failed:
            numbers["error"] = str(failed)
            print(f"  failed: {failed}", flush=True)
    return numbers


def fsync_ms(folder: Path) -> float:
    """Median milliseconds until 4 kB are safe on this disk: a gateway that stores anything waits for it."""
    took: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(100):
            file.write(bytes(4096))
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    return round(statistics.median(took) * 1000, 2)


def _listed(known: tuple[str, ...]) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := sorted(set(names) - set(known)):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)} unknown; choose from {', '.join(known)}")
        return names

    return parse


def _arguments() -> argparse.Namespace:
    usual = [name for name in PHASES if name != ON_DEMAND]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less of everything: four minutes at most")
    parser.add_argument("--only", type=_listed(GATEWAYS), default=list(GATEWAYS), help=f"from {','.join(GATEWAYS)}")
    parser.add_argument("--phases", type=_listed(tuple(PHASES)), default=usual, help=f"from {','.join(PHASES)}")
    parser.add_argument("--kills", type=int, help="number of SIGKILLs in the crash phase")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="where all numbers go, as JSON")
    return parser.parse_args()


async def main() -> int:
    """Measure, print, write; the exit code is the number of gateways that failed."""
    chosen = _arguments()
    plan = Plan.quick() if chosen.quick else Plan()
    plan = dataclasses.replace(plan, kills=chosen.kills) if chosen.kills is not None else plan
    work = Path(tempfile.mkdtemp(prefix="lar-bench-"))
    results = [await measure(name, chosen.phases, plan, work) for name in chosen.only]
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    told = {"at": time.strftime("%F %T"), **machine, "plan": dataclasses.asdict(plan), "results": results}
    chosen.out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\n{report(results)}\n\nall numbers: {chosen.out}")
    return sum("error" in result for result in results)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
