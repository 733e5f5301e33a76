import random
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from lar.domain.job import JobState, StepState
from lar.store.schema import job, step
from lar.testing.postgres import PostgresServer

pytestmark = pytest.mark.kill

CHILD = Path(__file__).with_name("engine_child.py")
JOBS, LANES, KILLS = 400, 20, 12


def start(url: str, effects: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(CHILD), url, str(effects), str(JOBS), str(LANES)])  # noqa: S603  # ours


def kill_again_and_again(url: str, effects: Path, workers: int) -> None:
    """SIGKILL one of the workers at a random moment after it has begun, again and again; then let them finish."""
    chance = random.Random(4711)  # noqa: S311  # a moment, not a secret
    running = [start(url, effects) for _ in range(workers)]
    for _ in range(KILLS):
        begun = effects.stat().st_size if effects.exists() else 0
        deadline = time.monotonic() + 30
        while (not effects.exists() or effects.stat().st_size == begun) and running[0].poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)
        victim = running.pop(0)
        victim.kill()
        victim.wait()
        running.append(start(url, effects))
    for child in running:
        assert child.wait(timeout=60) == 0


def check(url: str, effects: Path) -> None:
    """Nothing lost, nothing repeated, everything in order."""
    done = Counter(tuple(line.split()) for line in effects.read_text().splitlines())
    engine = create_engine(url)
    with engine.connect() as connection:
        states = Counter(connection.execute(select(job.c.state)).scalars())
        crashes = sum(connection.execute(select(job.c.crashes)).scalars())
        columns = (step.c.job_id, job.c.lane, step.c.key, step.c.state, step.c.attempts)
        journal = connection.execute(select(*columns).join(job)).all()
    engine.dispose()
    assert states == {JobState.DONE: JOBS}
    assert len(journal) == 3 * JOBS
    assert crashes >= KILLS, "the kills came when nothing ran"
    unknown = 0
    for job_id, lane, key, state, attempts in journal:
        times = done[lane, str(job_id), key]
        if state == StepState.UNKNOWN:
            unknown += 1
            assert times <= 1
        elif key == "second":
            assert 1 <= times <= attempts
        else:
            assert (times, attempts) == (1, 1)
    assert unknown <= KILLS * LANES
    for lane in {lane for lane, _, _ in done}:
        order = [int(line.split()[1]) for line in effects.read_text().splitlines() if line.startswith(f"{lane} ")]
        assert all(earlier <= later for earlier, later in pairwise(order)), f"{lane} ran out of order"


def test_sigkill_loses_and_repeats_nothing_on_sqlite(tmp_path: Path) -> None:
    """Killed a dozen times under load: every job ends, no finished effect runs again, lanes stay in order."""
    url = f"sqlite:///{tmp_path / 'lar.db'}"
    kill_again_and_again(url, tmp_path / "effects", workers=1)
    check(url, tmp_path / "effects")


@pytest.mark.postgres
def test_sigkill_of_one_of_three_workers_on_postgres(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Workers die one after the other: the others take their jobs over, with the same promises."""
    url = postgres_server.new_database(like="lar_1")
    kill_again_and_again(url, tmp_path / "effects", workers=3)
    check(url.replace("postgresql:", "postgresql+psycopg:"), tmp_path / "effects")
