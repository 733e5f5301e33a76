"""What is measured, one function a phase. Each returns named numbers; the names are those of `report.ROWS`."""

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lar.testing.models.exchange import HUNG_UP
from process_tree import cpu_seconds, memory_mb, run_seconds
from subject import OWNER, USERS, Subject, until
from traffic import Turn, spread

Numbers = dict[str, Any]

_NOT_STOPPED = 10.0  # seconds
_PROVIDER_MEMORY = Path(__file__).with_name("provider_memory.py")

KINDS = ("openai", "openai_responses", "openrouter", "groq", "ollama", "anthropic", "google")
"""Kinds of providers, those over one SDK together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. Times in seconds."""

    versions: int = 15
    starts: int = 5
    settle: float = 10.0  # after the first poll and after the first turn, before memory is read
    idle: float = 20.0
    turns: int = 100
    gap: float = 0.25  # between those turns, so that late edits belong to the right one
    load: int = 2000  # messages in a row of the load table; at least 3 in each chat, 20 with a slow model
    load_limit: float = 60.0
    kills: int = 30
    kill_after: tuple[float, float] = (1.0, 4.0)
    grace: float = 30.0  # for late answers after the last kill
    stops: int = 5
    flat_turns: int = 100_000
    history: int = 500

    @classmethod
    def quick(cls) -> "Plan":
        """Four minutes for three gateways."""
        return cls(
            versions=5,
            starts=2,
            settle=3.0,
            idle=5.0,
            turns=20,
            gap=0.1,
            load=600,
            load_limit=20.0,
            kills=4,
            kill_after=(0.5, 2.0),
            grace=8.0,
            stops=2,
            flat_turns=5000,
            history=100,
        )


async def version(subject: Subject, plan: Plan) -> Numbers:
    """Seconds until the version is printed."""
    took: list[float] = []
    for _ in range(plan.versions if subject.gateway.version else 0):
        begun = time.perf_counter()
        asked = await asyncio.create_subprocess_exec(
            *subject.gateway.version, env=subject.process.env, stdout=asyncio.subprocess.DEVNULL
        )
        if await asked.wait():
            raise subject.process.failure()
        took.append(time.perf_counter() - begun)
    return {"version_s": round(statistics.median(took), 3)} if took else {}


async def start(subject: Subject, plan: Plan) -> Numbers:
    """Seconds from the start of the process to its first poll; the first start, in an empty HOME, apart.

    And how long a message of that moment waits for its answer.
    """
    took: list[float] = []
    for _ in range(plan.starts):
        await subject.process.stop()
        took.append(await subject.start())
    first = await subject.answered()
    return {
        "first_poll_s": round(statistics.median(took), 3),
        "first_poll_empty_home_s": round(took[0], 3),
        "first_turn_s": round(first.shown[0].t - first.sent, 3),
    }


async def idle(subject: Subject, plan: Plan) -> Numbers:
    """Memory before and after the first turn of a process, and what it burns while nothing happens."""
    await subject.process.stop()
    await subject.start()
    await asyncio.sleep(plan.settle)
    before = memory_mb(subject.process.pids())
    await subject.answered()
    await asyncio.sleep(plan.settle)
    pids = subject.process.pids()
    after, begun = memory_mb(pids), run_seconds(pids)
    await asyncio.sleep(plan.idle)
    burnt = run_seconds(pids) - begun
    return {
        "idle_before_mb": round(before, 1),
        "idle_after_mb": round(after, 1),
        "idle_cpu_percent": round(burnt / plan.idle * 100, 2),
        "processes": len(pids),
    }


async def turns(subject: Subject, plan: Plan) -> Numbers:
    """Turns one after the other, the model at 0 ms: what the gateway adds before and after the model."""
    await subject.ensure_running()
    before: list[float] = []
    after: list[float] = []
    asked: list[Turn] = []
    requests, size, cpu = 0, 0, cpu_seconds(subject.process.pids())
    for _ in range(plan.turns):
        mark = subject.models.last_number
        turn = await subject.traffic.ask(OWNER, subject.gateway.reply_timeout)
        asked.append(turn)
        await asyncio.sleep(plan.gap)
        calls = [entry for entry in subject.models.log if entry["n"] > mark]
        requests += len(calls)
        calls = [entry for entry in calls if turn.nonce in entry.get("user_text", "")]
        if not turn.shown or not calls:
            continue
        final = _final(turn)
        ends = [entry["t_out"] for entry in calls if entry["t_out"] and entry["t_out"] <= final] or [final]
        before.append(calls[0]["t_in"] - turn.sent)
        after.append(final - max(ends))
        size = calls[0]["bytes"]
    cpu = cpu_seconds(subject.process.pids()) - cpu
    ahead, behind = spread(before), spread(after)
    return {
        "before_model_ms": ahead["median"],
        "before_model_p95_ms": ahead["p95"],
        "after_model_ms": behind["median"],
        "after_model_p95_ms": behind["p95"],
        "cpu_sequential_ms": round(cpu / plan.turns * 1000, 2),
        "requests_per_turn": round(requests / plan.turns, 2),
        "request_bytes": size,
        "turn_faults": subject.traffic.verdict(asked).faults(),
    }


async def history(subject: Subject, plan: Plan) -> Numbers:
    """CPU of a turn with so many exchanges behind it in its chat, beside one of a fresh chat, the model at 0 ms."""
    await subject.ensure_running()
    old, fresh = OWNER + USERS - 1, OWNER + USERS - 2
    for _ in range(plan.history):
        await subject.traffic.ask(old, subject.gateway.reply_timeout)
    used: dict[int, float] = {}
    for chat in (fresh, old):
        cpu = cpu_seconds(subject.process.pids())
        for _ in range(plan.turns):
            await subject.traffic.ask(chat, subject.gateway.reply_timeout)
        used[chat] = (cpu_seconds(subject.process.pids()) - cpu) / plan.turns * 1000
    return {
        "cpu_fresh_ms": round(used[fresh], 2),
        "cpu_history_ms": round(used[old], 2),
        "history_exchanges": plan.history,
    }


async def minds(subject: Subject, plan: Plan) -> Numbers:
    """Memory before and after the first model of each kind of provider, and the seconds that takes: Lar alone."""
    del plan
    if subject.gateway.name != "Lar":
        return {}
    measured: list[Numbers] = []
    for kind in KINDS:
        asked = await asyncio.create_subprocess_exec(
            sys.executable, str(_PROVIDER_MEMORY), kind, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asked.communicate()
        if asked.returncode:
            raise subject.process.failure()
        measured.append({"provider": kind, **json.loads(output)})
    return {"minds": measured}


def _final(turn: Turn) -> float:
    """When the answer took its last shape: the last event that changed the text."""
    changed = [now.t for now, past in zip(turn.shown[1:], turn.shown, strict=False) if now.text != past.text]
    return changed[-1] if changed else turn.shown[0].t


async def _round(subject: Subject, chats: int, per_chat: int, limit: float) -> tuple[list[Turn], float]:
    """`chats` users at once, each writing again when answered; the turns, and the seconds to the last answer."""
    begun = time.time()
    asked: list[Turn] = []

    async def user(chat: int) -> None:
        for _ in range(per_chat):
            left = begun + limit - time.time()
            if left <= 0:
                return
            asked.append(await subject.traffic.ask(chat, min(subject.gateway.reply_timeout, left + 1)))

    await asyncio.gather(*(user(OWNER + number) for number in range(chats)))
    last = max((turn.shown[0].t for turn in asked if turn.shown), default=time.time())
    return asked, last - begun


async def _load(subject: Subject, plan: Plan, chats: int, delay: float) -> Numbers:
    subject.models.options["ttft"] = delay
    per_chat = max(3, min(20 if delay else plan.load, plan.load // chats))
    cpu, own = cpu_seconds(subject.process.pids()), time.process_time()
    asked, took = await _round(subject, chats, per_chat, plan.load_limit)
    in_time = sum(bool(turn.shown) for turn in asked)
    await until(lambda: all(turn.shown for turn in asked), plan.grace)
    cpu, own = cpu_seconds(subject.process.pids()) - cpu, time.process_time() - own
    await asyncio.sleep(0.5)  # for doubles that come late
    subject.models.options["ttft"] = 0.0
    answered = sum(bool(turn.shown) for turn in asked)
    waited = spread([turn.shown[0].t - turn.sent for turn in asked if turn.shown])
    return {
        "chats": chats,
        "model_ms": round(delay * 1000),
        "messages": len(asked),
        "per_second": round(in_time / took, 1),
        "median_ms": waited["median"],
        "p95_ms": waited["p95"],
        "cpu_ms": round(cpu / max(answered, 1) * 1000, 2),
        "bench_cpu_ms": round(own / max(answered, 1) * 1000, 2),
        "faults": subject.traffic.verdict(asked).faults(),
    }


async def load(subject: Subject, plan: Plan) -> Numbers:
    """Messages per second and CPU per message with many chats, the model at 0 and at 500 ms."""
    await subject.ensure_running()
    rows = [await _load(subject, plan, chats, delay) for chats, delay in ((10, 0), (50, 0), (200, 0), (200, 0.5))]
    rates = {f"rate_{row['chats']}_{row['model_ms']}": row["per_second"] for row in rows}
    memory = round(memory_mb(subject.process.pids()), 1)
    return {"load": rows, **rates, "cpu_turn_ms": rows[1]["cpu_ms"], "after_load_mb": memory}


async def stop(subject: Subject, plan: Plan) -> Numbers:
    """Seconds from the stop command to silence: nothing more is shown, and the model's connection is dropped."""
    if not subject.gateway.stop:
        return {}
    await subject.ensure_running()
    silent: list[float] = []
    resumed: list[float] = []
    for _ in range(plan.stops):
        silent.append(await _stopped(subject))
        resumed += [turn.shown[0].t - turn.sent for turn in [await subject.traffic.ask(OWNER, 10.0)] if turn.shown]
    return {"stop_s": round(max(silent), 3), "after_stop_ms": spread(resumed)["median"]}


async def _stopped(subject: Subject) -> float:
    """Stop one answer that would stream for 100 seconds; `_NOT_STOPPED` where it goes on for so long."""
    subject.models.options["tps"] = 10.0
    turn = subject.traffic.send(OWNER, "[[len:4000]] {nonce}")
    calls = subject.models.log
    if not await until(lambda: bool(calls) and turn.nonce in calls[-1].get("user_text", ""), 10.0):
        raise subject.process.failure()
    call = calls[-1]
    await asyncio.sleep(1.5)  # in the middle of the answer
    sent = float(subject.telegram.send_text(subject.gateway.stop, OWNER)["t"])
    dropped = await until(lambda: call["status"] == HUNG_UP, _NOT_STOPPED)
    await asyncio.sleep(2.0)  # whatever is shown meanwhile was no silence
    subject.models.options["tps"] = 0.0
    events = subject.telegram.chat(OWNER).events
    shown = [event["t"] for event in events if event["t"] > sent and not event["kind"].startswith("user")]
    return max([call["t_out"], *shown]) - sent if dropped else _NOT_STOPPED


async def crash(subject: Subject, plan: Plan) -> Numbers:
    """SIGKILL the whole tree at random moments under load of 20 chats; afterwards every message should be answered."""
    await subject.ensure_running()
    subject.models.options["ttft"] = 0.3
    chance = random.Random(1)  # noqa: S311  # the same moments for every gateway
    asked: list[Turn] = []
    restarts: list[float] = []
    stopping = asyncio.Event()

    async def user(chat: int) -> None:
        while not stopping.is_set():
            asked.append(await subject.traffic.ask(chat, 3.0))

    users = [asyncio.create_task(user(OWNER + number)) for number in range(20)]
    for _ in range(plan.kills):
        await asyncio.sleep(chance.uniform(*plan.kill_after))
        await subject.process.kill()
        restarts.append(await subject.start())
    await asyncio.sleep(2.0)
    stopping.set()
    await asyncio.gather(*users)
    await until(lambda: all(turn.shown for turn in asked), plan.grace)
    await asyncio.sleep(1.0)  # for doubles that come late
    subject.models.options["ttft"] = 0.0
    verdict = subject.traffic.verdict(asked)
    lost = [f"{turn.chat}:{turn.index} {turn.nonce}" for turn in asked if not turn.shown][:20]
    return {
        "crash_lost": verdict.lost,
        "crash_disorder": verdict.disorder,
        "crash_duplicates": verdict.duplicates,
        "crash_marked": verdict.marked,
        "crash": {"kills": plan.kills, **asdict(verdict), "lost_messages": lost},
        "restart_s": round(statistics.median(restarts), 3),
    }


async def flat(subject: Subject, plan: Plan) -> Numbers:
    """Growth of memory over many turns, after a tenth of them as warm-up. Only on demand: it takes long."""
    await subject.ensure_running()
    per_chat, readings = 20, list[float]()
    for _ in range(max(10, plan.flat_turns // (50 * per_chat))):
        await _round(subject, 50, per_chat, float("inf"))
        subject.traffic.forget()
        subject.models.log.clear()
        readings.append(memory_mb(subject.process.pids()))
    warm = readings[len(readings) // 10]
    return {"flat_mb": round(readings[-1] - warm, 1), "flat_readings_mb": _thinned(readings)}


def _thinned(readings: Sequence[float]) -> list[float]:
    return [round(reading, 1) for reading in readings[:: max(1, len(readings) // 20)]]


PHASES: dict[str, Callable[[Subject, Plan], Awaitable[Numbers]]] = {
    phase.__name__: phase for phase in (version, start, idle, turns, history, minds, load, stop, crash, flat)
}
