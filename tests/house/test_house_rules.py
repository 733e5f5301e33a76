"""The rules of scripts/house_rules.py, each with an offence planted and with honest code beside it."""

import subprocess
from pathlib import Path

import pytest

import house_rules
from house_rules import Source, judge

ROOM = "src/lar/conversations/inbox.py"
TEST = "tests/engine/test_lanes.py"
HOME = "/ro" + "ot/notes"
INDEX = "https://py" + "pi.org/simple"
KEY = "sk-" + "a1B2c3D4e5F6" * 3
TOKEN = "1234567890:" + "A" * 35


def long_function(lines: int) -> str:
    """A function of so many lines."""
    return "def work():\n" + "    step()\n" * (lines - 1)


def class_taking(count: int) -> str:
    """A class whose constructor takes so many parameters."""
    names = ", ".join(f"p{number}" for number in range(count))
    return f"class Thing:\n    def __init__(self, {names}): ...\n"


OFFENCES = [
    ("file_length", ROOM, "x = 1\n" * 601),
    ("file_length", "docs/long.md", "word\n" * 601),
    ("function_length", ROOM, long_function(81)),
    ("constructor_parameters", ROOM, class_taking(9)),
    ("own_import_in_function", ROOM, "def work():\n    from lar.store import jobs\n"),
    ("own_import_in_function", "src/lar/app/life.py", "class App:\n    def run(self):\n        import lar.web\n"),
    ("broad_except", ROOM, "try:\n    act()\nexcept Exception:\n    log()\n"),
    ("broad_except", ROOM, "try:\n    act()\nexcept:\n    pass\n"),
    ("broad_except", ROOM, "try:\n    act()\nexcept (OSError, BaseException):\n    log()\n"),
    ("broad_except", ROOM, "with contextlib.suppress(Exception):\n    act()\n"),
    ("module_name", "src/lar/conversations/utils.py", ""),
    ("module_name", "src/lar/core/turn.py", ""),
    ("sql_outside_store", ROOM, "from sqlalchemy import Connection, select\n"),
    ("sql_outside_store", ROOM, "from sqlalchemy.dialects import sqlite\n"),
    ("sql_outside_store", ROOM, "import sqlite3\n"),
    ("sql_outside_store", ROOM, "def look(connection):\n    connection.exec_driver_sql('SELECT 1')\n"),
    ("environment", ROOM, "import os\nkey = os.environ['KEY']\n"),
    ("environment", ROOM, "import os\nkey = os.getenv('KEY')\n"),
    ("environment", ROOM, "from os import environ\n"),
    ("pure_modules", "src/lar/domain/turn.py", "import time\n"),
    ("pure_modules", "src/lar/conversations/machine.py", "async def advance(): ...\n"),
    ("platform_names", ROOM, "if channel == 'telegram':\n    pass\n"),
    ("only_way", ROOM, "async def answer(channel):\n    await channel.send(address, part)\n"),
    ("only_way", ROOM, "async def act(self):\n    await self._tool.call(context, {})\n"),
    ("sleep", TEST, "async def test_a():\n    'Says.'\n    await asyncio.sleep(0.1)\n"),
    ("sleep", TEST, "def wait():\n    time.sleep(1)\n"),
    ("test_sentence", TEST, "def test_a():\n    assert work()\n"),
    ("waiver_reason", ROOM, "import a  # noqa\n"),
    ("waiver_reason", ROOM, "import a  # noqa: F401\n"),
    ("waiver_reason", ROOM, "a = b  # pyright: ignore[reportAny]\n"),
    ("waiver_reason", ROOM, "a = b  # type: ignore[arg-type]  # the library lies\n"),
    ("machine_trace", "docs/quickstart.md", f"see {HOME}\n"),
    ("machine_trace", "pyproject.toml", f"index = '{INDEX}'\n"),
    ("secret", "docs/quickstart.md", f"OPENAI_API_KEY={KEY}\n"),
    ("secret", ROOM, f"token = '{TOKEN}'\n"),
    ("readme_length", "README.md", "word " * 399),
    ("readme_length", "README.md", "word " * 601),
]

HONEST = [
    (ROOM, "x = 1\n" * 600),
    (ROOM, long_function(80)),
    (ROOM, class_taking(8)),
    (ROOM, "def work():\n    import openai\n"),
    ("src/lar/cli/chat.py", "def chat():\n    from lar.app import build\n"),
    ("src/lar/providers/openai/factory.py", "def door():\n    from lar.providers.openai import client\n"),
    ("src/lar/conversations/deliverer.py", "async def deliver(channel):\n    await channel.send(address, part)\n"),
    (ROOM, "try:\n    act()\nexcept OSError:\n    log()\n"),
    (ROOM, "try:\n    act()\nexcept BaseException:\n    tidy()\n    raise\n"),
    (ROOM, "from sqlalchemy import Connection\n"),
    ("src/lar/store/jobs.py", "from sqlalchemy import select\n"),
    ("src/lar/config/sources.py", "import os\nhome = os.environ.get('LAR_HOME')\n"),
    ("src/lar/channels/telegram/manifest.py", "name = 'telegram'\n"),
    (TEST, "async def test_a():\n    'Says.'\n    await asyncio.sleep(0)\n"),
    (TEST, "async def until(ready):\n    while not ready():\n        await asyncio.sleep(0.01)\n"),
    (ROOM, "import a  # noqa: F401  # the registry finds it by import\n"),
    ("README.md", "word " * 500),
]


@pytest.mark.parametrize(("rule", "path", "text"), OFFENCES)
def test_rule_catches(rule: str, path: str, text: str) -> None:
    """A planted offence is found under the rule's own name."""
    lines = judge([Source(path, text)], {})
    assert [line for line in lines if f": {rule}: " in line], lines


@pytest.mark.parametrize(("path", "text"), HONEST)
def test_honest_code_passes(path: str, text: str) -> None:
    """Code within the limits is left in peace, up to the very limit."""
    assert judge([Source(path, text)], {}) == []


def test_two_test_files_of_one_name() -> None:
    """Two test files of one name would hide one another."""
    same = [Source("tests/engine/test_lanes.py", ""), Source("tests/store/test_lanes.py", "")]
    assert len(judge(same, {})) == 2


def test_listed_exception_covers_its_place() -> None:
    """A listed place is allowed, by rule and qualified name."""
    text = "class Loop:\n  def run(self):\n    try:\n      act()\n    except Exception:\n      log()\n"
    listed = {"broad_except": {f"{ROOM}::Loop.run": "owns the connection"}}
    assert judge([Source(ROOM, text)], listed) == []


def test_stale_exception_is_an_offence() -> None:
    """An exception that nobody needs any more must go."""
    assert judge([], {"sleep": {TEST: "once needed"}}) == [f"scripts/house_exceptions.toml: sleep: nobody needs {TEST}"]


def test_exception_without_reason_is_an_offence() -> None:
    """An exception says why."""
    lines = judge([Source(ROOM, "import os\nx = os.environ\n")], {"environment": {ROOM: " "}})
    assert lines == [f"scripts/house_exceptions.toml: environment: {ROOM} has no reason"]


def test_every_rule_has_a_planted_offence() -> None:
    """A new rule comes with a test of its own."""
    assert {rule for rule, _, _ in OFFENCES} == {rule.__name__ for rule in house_rules.RULES}


def test_new_files_are_judged_before_they_are_committed(tmp_path: Path) -> None:
    """The judge sees a file that git does not know yet, and none that it ignores."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)  # noqa: S603, S607  # the words are ours
    (tmp_path / ".gitignore").write_text("hidden.py\n")
    (tmp_path / "new.py").write_text("x = 1\n")
    (tmp_path / "hidden.py").write_text("x = 1\n")
    assert [source.path for source in house_rules.tracked(tmp_path)] == [".gitignore", "new.py"]
