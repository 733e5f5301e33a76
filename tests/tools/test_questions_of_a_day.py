"""How often people are asked: a day of ordinary requests through the real heart, and every question it comes to."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import pytest
from web_site import Site, elsewhere, page, site

from lar.conversations.sending import sending_tools
from lar.domain.risk import Deed, Risk
from lar.domain.values import JsonObject
from lar.media.camera import Cameras, Device
from lar.media.camera_tools import camera_tools
from lar.media.eyes import FileEyes
from lar.media.settings import MediaSettings
from lar.memory.history import history_tool
from lar.memory.notes import note_tools
from lar.memory.settings import MemorySettings
from lar.runtimes.contract import Finished, RuntimeEvent, TurnRequest
from lar.store import questions, turns
from lar.testing.household import Household, Plan
from lar.testing.runtime import ScriptedRuntime
from lar.tools.artifacts import Artifacts
from lar.tools.calculator import calculator_tool
from lar.tools.clock import clock_tool
from lar.tools.contract import Effect, Tool, ToolCall, ToolContext
from lar.tools.define import tool
from lar.tools.execute import Registry
from lar.tools.fetch import http_tool
from lar.tools.files import file_tools
from lar.tools.origins import remembering
from lar.tools.settings import (
    ArtifactSettings,
    CalculatorSettings,
    CameraSettings,
    FileSettings,
    HttpClientSettings,
)
from lar.tools.workspace import Workspace

Step = tuple[str, JsonObject]


def get(path: str) -> Step:
    """A page is opened."""
    return "http_request", {"url": f"http://{path}"}


def note(title: str, text: str) -> Step:
    """A note is kept."""
    return "save_note", {"title": title, "text": text}


def count(expression: str) -> Step:
    """Something is calculated."""
    return "calculate_expression", {"expression": expression}


def write(path: str, content: str = "text") -> Step:
    """A file is written."""
    return "create_file", {"path": path, "content": content}


def read(path: str) -> Step:
    """A file is read."""
    return "read_file", {"path": path}


def run(purpose: str) -> Step:
    """Code runs in a sandbox without network."""
    return "code", {"purpose": purpose}


NOW: Step = ("current_datetime", {})

DAY: tuple[tuple[str, tuple[Step, ...]], ...] = (
    # morning
    ("what day is it?", (NOW,)),
    ("what did I want to do today?", (("search_notes", {"query": "today"}),)),
    ("note: buy bread and milk", (note("shopping", "bread, milk"),)),
    ("remind me of the dentist on Thursday at 9", (NOW, note("dentist", "Thursday, 9:00"))),
    ("what is 17 % of 2340?", (count("17% of 2340"),)),
    ("is somebody at the door?", (("camera_capture_for_ai", {}),)),
    ("write the agenda of today's meeting into a file", (write("agenda.md"),)),
    ("read it to me", (read("agenda.md"),)),
    ("add a point about the budget", (read("agenda.md"), write("agenda.md"))),
    ("which files do I have?", (("list_files", {}),)),
    ("what will the weather be?", (get("weather.example/today"),)),
    ("do I need an umbrella?", ()),
    ("and the headlines?", (get("news.example/"),)),
    # work
    ("/new", ()),
    ("plot last month's spending from spending.csv", (write("spending.csv"), run("plot"))),
    ("make the lines thicker", (run("plot again"),)),
    ("send me the plot", (("send_file", {"path": "spending.csv"}),)),
    ("how much was it per week?", (run("sum by week"),)),
    ("rename agenda.md to meeting.md", (("move_file", {"path": "agenda.md", "to": "meeting.md"}),)),
    ("translate meeting.md into Spanish", (read("meeting.md"), write("reunion.md"))),
    ("check the translation", (read("reunion.md"),)),
    ("what did we say about the budget last week?", (("chat_history", {"action": "show"}),)),
    ("note: the budget is 12,000", (note("budget", "12,000"),)),
    ("what is 12,000 / 52?", (count("12000 / 52"),)),
    ("write to Bea that I will be ten minutes late", (("send_message", {"text": "I am ten minutes late"}),)),
    ("how do I merge two dictionaries in Python?", ()),
    ("try it out", (run("merge"),)),
    ("look it up in the documentation", (get("docs.example/python/dict"),)),
    ("and what changed in the newest version?", (get("docs.example/python/whatsnew"),)),
    ("try that, too", (run("try"),)),
    ("put the example into example.py", (write("example.py"),)),
    # afternoon
    ("/new", ()),
    ("when does the library close?", (get("library.example/hours"),)),
    ("does it have the book about bees?", (get("library.example/search?q=bees"),)),
    ("reserve it", (("http_request", {"url": "http://library.example/reserve", "method": "POST", "body": "bees"}),)),
    ("note that I have to fetch it by Friday", (note("library", "bees, Friday"),)),
    ("how long would I walk there?", (get("maps.example/route?to=library"),)),
    ("thanks", ()),
    # evening
    ("/new", ()),
    ("is the garage closed?", (("camera_capture_for_ai", {}),)),
    ("send me a photo of it", (("camera_capture_to_chat", {}),)),
    ("what is on the shopping list?", (("get_note", {"note": "shopping"}),)),
    ("add eggs", (note("shopping", "bread, milk, eggs"),)),
    ("a recipe for pancakes, please", ()),
    ("for six people", (count("250 * 6 / 4"), count("3 * 6 / 4"))),
    ("save it as pancakes.md", (write("pancakes.md"),)),
    ("split the 86.40 of the restaurant by four, with 10 % tip", (count("86.40 * 1.1 / 4"),)),
    ("what is the time in Bogota?", (("current_datetime", {"time_zone": "America/Bogota"}),)),
    ("tidy up: delete example.py", (("delete_file", {"path": "example.py"}),)),
    ("the notes of this week", (("list_notes", {}),)),
    ("forget the note about the dentist", (("delete_note", {"note": "dentist"}),)),
    ("who wrote The Little Prince?", ()),
    ("good night", ()),
)

ASKED = {
    "note: the budget is 12,000": "keep the note",  # the history that was looked at before has pages in it
    "write to Bea that I will be ten minutes late": "Write to Bea#",
    "reserve it": "with 4 bytes",
    "note that I have to fetch it by Friday": "keep the note",
}
"""What is asked where people begin a new thread when they turn to something else."""

ASKED_IN_ONE_THREAD = ASKED | {
    "is the garage closed?": "take a photo with the camera 'camera' and look at it",
    "send me a photo of it": "take a photo with the camera 'camera' and send it",
    "add eggs": "keep the note",
    "forget the note about the dentist": "delete the note",
}
"""And where they never do: what came from outside stays in the context."""


class Doing(ScriptedRuntime):
    """Makes the calls that a request means, and answers with what they gave."""

    def __init__(self, site: Site, bea: str) -> None:
        super().__init__()
        self._port = site.port
        self._bea = bea
        self.failed: list[str] = []

    async def run(self, request: TurnRequest) -> AsyncGenerator[RuntimeEvent, None]:
        """The request's steps."""
        said: list[str] = []
        for number, (name, arguments) in enumerate(dict(DAY).get(request.prompt, ()), 1):
            outcome = await request.toolbox.execute(ToolCall(f"1.{number}", name, self._real(name, arguments)))
            said.append(outcome.text)
            if outcome.status != "ok":
                self.failed.append(f"{request.prompt}: {outcome.text}")
        yield Finished("\n".join(said)[:500] or "yes")

    def _real(self, name: str, arguments: JsonObject) -> JsonObject:
        """The arguments with the site's port, and with the chat's name."""
        if name == "http_request":
            return {**arguments, "url": str(arguments["url"]).replace(".example/", f".example:{self._port}/")}
        return {"to": self._bea, **arguments} if name == "send_message" else arguments


@tool(risk=Risk.EXEC, repeatable=False, effect=lambda _: Effect(Deed.RUN, "run code"))
async def code(_context: ToolContext, purpose: str) -> str:
    """Run code where there is no network.

    Args:
        purpose: What for.
    """
    return f"done: {purpose}"


def furnish(house: Household, folder: Path, here: Site) -> list[Tool]:
    """The tools that Lar has, and code in a sandbox."""
    artifacts = Artifacts(house.db, folder / "files", house.clock, ArtifactSettings())
    workspace = Workspace(folder / "workspace")
    still = Device("camera", ("/bin/sh", "-c", r"printf '\377\330\377 photo' >$0", "{output}"))
    here.answers = {path: page("<p>All about it.</p>") for path in ("/", "/today", "/hours", "/search?q=bees")}
    here.answers |= {path: page("<p>More.</p>") for path in ("/python/dict", "/python/whatsnew", "/route?to=library")}
    here.answers["/reserve"] = page("reserved")
    return [
        calculator_tool(CalculatorSettings()),
        clock_tool(house.clock, "Europe/Berlin"),
        *note_tools(house.db, house.clock),
        history_tool(house.db),
        *sending_tools(house.db, {("fake", "main"): house.plan.rules}),
        *remembering(house.db, workspace, file_tools(workspace, artifacts, FileSettings(), FileEyes(MediaSettings()))),
        http_tool(HttpClientSettings(), elsewhere(), artifacts.keep),
        *camera_tools(Cameras(CameraSettings(), [still]), artifacts.keep),
        code,
    ]


async def spend(house: Household, *, threads: bool) -> Mapping[str, str]:
    """Ask for everything, say yes once to whatever is asked; request → what was asked."""
    owner, asked = house.channel.chat("9"), dict[str, str]()
    for words, _ in DAY:
        if words == "/new" and not threads:
            continue
        await house.say(words, chat=owner)
        while open_now := await _over_or_asked(house):
            assert words not in asked, f"{words} asks twice"
            asked[words] = str(open_now.about["summary"])
            await house.hear(owner.presses(f"q:{open_now.id}:once"))
    return asked


async def _over_or_asked(house: Household) -> questions.Question | None:
    async with asyncio.timeout(20):
        while await house.db.read(turns.count_open):
            found = await house.db.read(questions.all_open)
            if found:
                return found[0]
            await asyncio.sleep(0.001)
    return None


@pytest.mark.parametrize(("threads", "expected"), [(True, ASKED), (False, ASKED_IN_ONE_THREAD)])
async def test_questions_of_a_day(tmp_path: Path, threads: bool, expected: Mapping[str, str]) -> None:
    """R-PO-2: the owner's fifty ordinary requests come to these questions and no others, and everything is done."""
    assert len([words for words, _ in DAY if words != "/new"]) == 50
    tools: list[Tool] = []
    async with site() as here:
        plan = Plan(tmp_path, registry=Registry((), lambda: tools), window=MemorySettings().window)
        runtime = Doing(here, "Bea#1")
        house = Household(plan, runtime=runtime)
        await house.start()
        try:
            await house.ask("/whoami", house.channel.chat("1", name="Bea"))
            tools += furnish(house, tmp_path, here)
            asked = await spend(house, threads=threads)
        finally:
            await house.stop()
    assert runtime.failed == []
    assert {words: summary for words, summary in asked.items() if expected.get(words, "-") not in summary} == {}
    assert asked.keys() == expected.keys()
