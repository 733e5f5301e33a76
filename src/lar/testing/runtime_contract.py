"""What every runtime must do. Subclass `RuntimeContract` in a test module and give it the fixtures."""

import asyncio
from types import CoroutineType

import pytest

from lar.runtimes.contract import Runtime
from lar.testing.journal import Killed, MemoryJournal
from lar.testing.turns import Ask, Effects, answer_of, think


class RuntimeContract:
    """The suite. A runtime that calls tools offers `acting`: a prompt that makes it call tools, over these effects."""

    @pytest.fixture
    def runtime(self) -> Runtime:
        """The runtime under test."""
        raise NotImplementedError

    @pytest.fixture
    def plain(self) -> Ask:
        """A question it answers without tools."""
        raise NotImplementedError

    @pytest.fixture
    def effects(self) -> Effects:
        """What its tools did."""
        return Effects()

    @pytest.fixture
    def acting(self, effects: Effects) -> Ask:
        """A question it answers with tools of `effects`, an unrepeatable one among them if it can."""
        raise NotImplementedError

    async def test_answers_once_and_last(self, runtime: Runtime, plain: Ask) -> None:
        """The whole answer is the last event, and there is one."""
        assert answer_of(await think(runtime, plain)).text

    async def test_a_finished_turn_costs_nothing_again(self, runtime: Runtime, acting: Ask, effects: Effects) -> None:
        """A turn resumed after its last step gives the same answer from the journal alone."""
        journal = MemoryJournal()
        first = answer_of(await think(runtime, acting, journal))
        done = (list(effects.looked), list(effects.acted), len(journal.entries))
        again = answer_of(await think(runtime, acting, journal.reborn()))
        assert again == first
        assert (effects.looked, effects.acted, len(journal.entries)) == done

    async def test_survives_death_at_every_point(self, runtime: Runtime, acting: Ask, effects: Effects) -> None:
        """Killed anywhere and started again, the turn ends, and nothing that must not be repeated happened twice."""
        whole = MemoryJournal()
        expected = answer_of(await think(runtime, acting, whole))
        for point in range(whole.points):
            effects.looked.clear()
            effects.acted.clear()
            journal = MemoryJournal(die_at=point)
            with pytest.raises(Killed):
                await think(runtime, acting, journal)
            resumed = answer_of(await think(runtime, acting, journal.reborn()))
            assert len(effects.acted) == len(set(effects.acted)), f"acted twice after death at point {point}"
            uncertain = any(entry.state == "unknown" for entry in journal.entries.values())
            assert uncertain or resumed == expected, f"another answer after death at point {point}"

    async def test_closing_it_leaves_nothing_behind(self, runtime: Runtime, acting: Ask) -> None:
        """To cancel a runtime, close it: no task goes on in the background."""
        events = runtime.run(acting.request(MemoryJournal()))
        await anext(events)
        await events.aclose()
        assert not [task for task in asyncio.all_tasks() if _is_of_a_runtime(task)]


def _is_of_a_runtime(task: asyncio.Task[object]) -> bool:
    coroutine = task.get_coro()
    return isinstance(coroutine, CoroutineType) and "/lar/runtimes/" in coroutine.cr_code.co_filename
