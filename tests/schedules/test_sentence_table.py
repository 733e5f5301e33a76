"""The table of sentences: published as a page, and driven through a model that calls the tool."""

import json
from datetime import datetime
from pathlib import Path
from typing import cast

from making import kept
from pydantic import SecretStr
from test_words import BERLIN, NOW, REFUSED, UNDERSTOOD, UNSURE

from lar.errors import ScheduleError
from lar.providers.models import Models
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.settings import ProviderSettings
from lar.runtimes.loop.runtime import LoopRuntime
from lar.runtimes.loop.settings import LoopSettings
from lar.schedules.reading import Unsure
from lar.schedules.words import understand
from lar.testing.household import Household, Plan
from lar.testing.models import ModelSim
from lar.testing.runtime import ScriptedRuntime

PAGE = Path(__file__).parents[2] / "docs" / "sentences.md"


def outcome(sentence: str) -> str:
    """What Lar makes of it, for the page."""
    try:
        understand(sentence, NOW, BERLIN)
    except Unsure as unsure:
        return " / ".join((f"asks: {unsure.question}", *unsure.options))
    except ScheduleError as error:
        return f"refuses: {error}"
    raise AssertionError(sentence)


def page() -> str:
    """The page as it should be."""
    rows = [f"| {said} | {when}, {rule}: {text} |" for said, text, when, rule in UNDERSTOOD]
    rows += [f"| {said} | {outcome(said)} |" for said, *_ in (*UNSURE, *REFUSED)]
    head = (
        "# What Lar makes of sentences\n\nSaid on Wednesday, 2026-11-25 at 10:20 in Berlin. Made by "
        "`tests/schedules/test_sentence_table.py`.\n\n| said | understood |\n|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def test_the_page() -> None:
    """R-SC-1: the published table is what the tests hold Lar to."""
    assert PAGE.read_text() == page()


async def test_through_a_model(tmp_path: Path) -> None:
    """R-SC-1: a model's calls make the schedules that the words make; a refusal comes back and is put right."""
    async with ModelSim() as sim:
        settings = ProviderSettings(kind="openai", base_url=sim.openai_url, api_key=SecretStr("sk-test"))
        models = Models({"openai": OpenAIFactory("openai", settings)})
        loop = LoopRuntime(models, LoopSettings("openai:gpt-5-mini"))
        house = Household(
            Plan(tmp_path, time_zone="Europe/Berlin", schedule_tools=True), runtime=cast("ScriptedRuntime", loop)
        )
        house.clock.set(NOW)
        await house.start()
        try:
            for sentence, text, *_ in UNDERSTOOD:
                said = await house.ask(f"[[tool:schedule_prompt {json.dumps({'request': sentence})}]]")
                assert text in said, sentence
                assert "said: ⏰ Reminder" in said, sentence
            wanted = [understand(sentence, NOW, BERLIN) for sentence, *_ in UNDERSTOOD]
            made = sorted(await kept(house), key=lambda each: each.id)
            assert [(m.timing, m.next_due, m.left, m.text) for m in made] == [
                (w.timing, w.first, w.left, w.text) for w in wanted
            ]
            for sentence, question, options in UNSURE:
                said = await house.ask(f"[[tool:schedule_prompt {json.dumps({'request': sentence})}]]")
                assert said.startswith("❓"), sentence
                assert question in said, sentence
                asked = house.channel.sent[-1]
                buttons = [button for row in asked.part.buttons for button in row]
                assert len(buttons) == options, sentence
                count = len(house.channel.texts())
                if buttons:
                    await house.hear(house.channel.chat().presses(buttons[0].data, asked.vendor_id))
                else:
                    await house.say("remind me tomorrow at 9:00 to go")
                await house.until(lambda count=count: any("⏰ Reminder" in t for t in house.channel.texts()[count:]))
                await house.quiet()
            for number, (sentence, why) in enumerate(REFUSED):
                better = {"when": "2026-12-01 10:00", "text": f"better {number}"}
                first, second = json.dumps({"request": sentence}), json.dumps(better)
                said = await house.ask(f"[[tool:schedule_prompt {first}]] [[tool:schedule_prompt {second}]]")
                assert why in said, sentence
                assert "Please say it in another way" in said or "at least" in said
            better_ones = [each for each in await kept(house) if each.text.startswith("better")]
            at = datetime(2026, 12, 1, 10, tzinfo=BERLIN).timestamp()
            assert [each.next_due for each in better_ones] == [at] * len(REFUSED)
        finally:
            await house.stop()
            await models.close()
