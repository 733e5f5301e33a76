"""The tools that run something: in whose files, behind which walls, and what comes out."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from venv import EnvBuilder

import pytest

from ground import Require
from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.risk import Deed
from lar.errors import SandboxError, ToolError
from lar.sandboxes.choose import STRONG, Chooser, backend
from lar.sandboxes.contract import Check, Promise, Result, Sandbox, Spec
from lar.sandboxes.settings import SandboxSettings
from lar.store import people
from lar.store.database import Database
from lar.testing.clock import FakeClock
from lar.testing.tool_contract import ToolContract
from lar.testing.turns import ANN
from lar.tools.artifacts import Artifacts
from lar.tools.commands import Commands
from lar.tools.contract import Tool, ToolContext, ToolResult
from lar.tools.python import Python, python_tools
from lar.tools.settings import ArtifactSettings, PythonSettings, ToolSettings
from lar.tools.shell import shell_tool
from lar.tools.workspace import Scope, Workspace

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
WELL = Result(0, None, b"done", b"", 0.1)
SETTINGS = ToolSettings(
    artifacts=ArtifactSettings(max_bytes=5000),
    python_exec=PythonSettings(max_code_bytes=1000),
)


@dataclass
class Scripted:
    """Does in a work folder what it is told to do, without any walls. A `Sandbox`."""

    name: str = "scripted"
    promises: frozenset[Promise] = STRONG | {Promise.MEMORY, Promise.DISK_WATCHED}
    hands_back: bool = True
    internet: bool = False
    does: Callable[[Path], Result | None] = lambda _: None
    ran: list[Spec] = field(default_factory=list[Spec])

    async def run(self, spec: Spec) -> Result:
        """Do it."""
        self.ran.append(spec)
        return self.does(spec.work) or WELL

    async def check(self) -> Check:
        """It works."""
        return Check(True, "well", self.promises)

    async def recover(self) -> None:
        """There is nothing to clear up."""


@dataclass
class Bench:
    """The tools, the sandbox behind them, and Ann."""

    sandbox: Scripted
    commands: Commands
    tools: dict[str, Tool]
    ann: ToolContext
    workspace: Workspace

    async def run(self, name: str, who: ToolContext | None = None, **arguments: Any) -> ToolResult:
        """What one tool gives."""
        tool = self.tools[name]
        parsed = tool.parse(arguments)
        tool.would(parsed)
        return await tool.call(who or self.ann, parsed)

    async def refused(self, name: str, **arguments: Any) -> str:
        """Why one tool refuses."""
        with pytest.raises(ToolError) as refused:
            await self.run(name, **arguments)
        return str(refused.value)


async def bench_of(sandbox: Scripted | None, db: Database, folder: Path) -> Bench:
    """A bench with this sandbox, None: with a real one."""
    settings = SandboxSettings(environment={"GREETING": "hello"})

    def make(name: str, settings: SandboxSettings) -> Sandbox:
        return sandbox or backend(name, settings)

    chooser = Chooser(settings, lambda _source, _text: None, make)
    if sandbox:
        sandbox.name = "bubblewrap"  # the one that is looked for first
    await chooser.settled()
    workspace = Workspace(folder / "workspace")
    artifacts = Artifacts(db, folder / "files", FakeClock(1.0), SETTINGS.artifacts)
    commands = Commands(chooser, workspace, artifacts, SETTINGS, max_image=1000)
    tools = (shell_tool(commands, SETTINGS), *python_tools(commands, SETTINGS.python_exec))
    who = await db.write(people.add, "t", "m", "ann", replace(ANN, id=PrincipalId(0)), 1.0)
    ann = ToolContext(who, ConversationId(1), TurnId(1), call="1.1")
    return Bench(sandbox or Scripted(), commands, {tool.name: tool for tool in tools}, ann, workspace)


@pytest.fixture
async def bench(sqlite_db: Database, tmp_path: Path) -> Bench:
    """A bench with a scripted sandbox."""
    return await bench_of(Scripted(), sqlite_db, tmp_path)


@pytest.fixture
async def real(sqlite_db: Database, tmp_path: Path, require: Require) -> Bench:
    """A bench with the sandbox of this machine."""
    found = await bench_of(None, sqlite_db, tmp_path)
    require("a working sandbox", "apt install bubblewrap libseccomp2", found=found.commands.there())
    return found


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("shell", {"command": "ls"}),
    ("python_execute", {"code": "1"}),
    ("python_environment_info", {}),
]


class TestCommandTools(ToolContract):
    """Each of them keeps the tool contract."""

    @pytest.fixture(params=CALLS)
    def wanted(self, request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
        """A tool's name and arguments it takes."""
        return request.param

    @pytest.fixture
    def tool(self, real: Bench, wanted: tuple[str, dict[str, Any]]) -> Tool:
        """The tool."""
        return real.tools[wanted[0]]

    @pytest.fixture
    def arguments(self, wanted: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        """Its arguments."""
        return wanted[1]

    @pytest.fixture
    def caller(self, real: Bench) -> ToolContext:
        """Ann."""
        return real.ann


async def test_python_for_real(real: Bench) -> None:
    """R-TO-4: code runs as a program of its own: in one's files, with its errors shown as written, its input empty."""
    code = (
        'import os, sys\nprint(os.environ["GREETING"], __name__, sys.stdin.read() == "")\nopen("a.txt", "w").write("x")'
    )
    result = await real.run("python_execute", code=code)
    assert "hello __main__ True" in result.text
    assert "New or changed files: `a.txt`, 1 bytes" in result.text
    assert (real.workspace.folder(real.ann) / "a.txt").read_text() == "x"
    failed = (await real.run("python_execute", code="def f():\n    return 1 / 0\n\nf()")).text
    assert "exit code 1" in failed
    assert 'File "<code>", line 2, in f\n    return 1 / 0' in failed
    assert "<string>" not in failed
    broken = (await real.run("python_execute", code="def f(:")).text
    assert "SyntaxError" in broken
    assert "<string>" not in broken


async def test_python_is_described(real: Bench) -> None:
    """R-TO-9: the version and the packages are those inside the sandbox, not Lar's own."""
    told = (await real.run("python_environment_info")).text
    assert told.startswith("Python 3.")
    assert "in the sandbox" in told
    assert "pydantic-ai-slim" not in told
    assert "none beyond the standard library" in (await real.run("python_environment_info", contains="no such")).text


async def test_a_shell_for_real(real: Bench) -> None:
    """R-TO-4: a command line runs in one's own files and nowhere else; the shared ones are out of its reach."""
    real.workspace.folder(real.ann, Scope.SHARED).joinpath("ours.txt").write_text("ours")
    script = "echo one >one.txt; cat ../../shared/ours.txt; echo two >../../shared/two.txt; cat <<<$GREETING"
    result = await real.run("shell", command=script)
    assert "stdout:\nhello" in result.text
    assert "ours" not in result.text.replace("ours.txt", "")
    assert [path.name for path in real.workspace.folder(real.ann, Scope.SHARED).iterdir()] == ["ours.txt"]
    late = await real.run("shell", command="echo first; sleep 60", timeout_seconds=0.5)
    assert "It was ended because it took longer than 0.5 s" in late.text
    assert "stdout:\nfirst" in late.text


async def test_what_was_sent_taints(real: Bench) -> None:
    """R-PO-3: a run that opens a file somebody sent gives content from outside, as reading it does; others do not."""
    with real.workspace.open(real.ann) as files:
        files.write("uploads/table.csv", b"1,2")
        files.write("own.csv", b"3,4")
    assert (await real.run("shell", command="cat own.csv; ls uploads")).source == ""
    assert (await real.run("shell", command="cat */*.csv")).source == "file that was sent: `uploads/table.csv`"
    code = "import glob\nfor name in glob.glob('**', recursive=True):\n  if '.' in name: print(open(name).read())"
    assert "uploads/table.csv" in (await real.run("python_execute", code=code)).source
    with real.workspace.open(real.ann) as files:
        files.write("uploads/b.csv", b"5,6")
    assert (await real.run("shell", command="cat uploads/*")).source == "file that was sent: `uploads/b.csv` and 1 more"


async def test_everybody_runs_in_their_own_files(bench: Bench) -> None:
    """R-ME-9: a person's commands run in their folder, a group's in the group's."""
    ben = replace(bench.ann, principal=replace(bench.ann.principal, id=PrincipalId(99)))
    group = replace(bench.ann, place=Place.GROUP, conversation_id=ConversationId(5))
    for who in (bench.ann, ben, group):
        await bench.run("shell", who, command="ls")
    works = [spec.work for spec in bench.sandbox.ran]
    assert works == [bench.workspace.folder(who) for who in (bench.ann, ben, group)]
    assert len(set(works)) == 3


async def test_what_a_run_would_do(bench: Bench) -> None:
    """R-PO-1: a run behind walls is only that; with network, or where the walls have a gap, it is a run outside."""

    def deed(name: str, **arguments: Any) -> tuple[Deed, str]:
        tool = bench.tools[name]
        effect = tool.would(tool.parse(arguments))
        return effect.deed, effect.summary

    assert deed("shell", command="rm -r x") == (Deed.RUN, "Run in the sandbox, without network:\nrm -r x")
    assert deed("python_execute", code="1") == (Deed.RUN, "Run in the sandbox, without network:\n1")
    assert deed("python_environment_info")[0] is Deed.LOOK
    assert "There is no network in the sandbox" in await bench.refused("shell", command="curl x", network=True)
    bench.sandbox.internet = True
    outside = (Deed.RUN_OUT, "Run in the sandbox with access to the internet:\ncurl x")
    assert deed("shell", command="curl x", network=True) == outside
    assert (await bench.run("shell", command="curl x", network=True)).source == "a command that could reach outside"
    for gap in (Promise.FILES, Promise.NETWORK, Promise.LOOPBACK):
        bench.sandbox.promises = STRONG - {gap}
        assert deed("shell", command="ls") == (
            Deed.RUN_OUT,
            "Run on this machine without walls (sandbox bubblewrap):\nls",
        )
        assert (await bench.run("shell", command="ls")).source == "a command that could reach outside"


async def test_without_a_sandbox(sqlite_db: Database, tmp_path: Path) -> None:
    """R-SB-2: where no sandbox works the tools are not offered, and called nevertheless they say why they refuse."""
    weak = Scripted(promises=frozenset())
    bench = await bench_of(weak, sqlite_db, tmp_path)
    assert not bench.tools["shell"].there()
    for name, arguments in (("shell", {"command": "ls"}), ("python_execute", {"code": "1"})):
        assert "there is no sandbox" in await bench.refused(name, **arguments)
    assert "there is no sandbox" in await bench.refused("python_environment_info")
    assert not weak.ran


def makes(**contents: bytes) -> Callable[[Path], None]:
    """What writes these files; `__` in a name stands for a dot, `___` for a slash."""

    def make(work: Path) -> None:
        for name, content in contents.items():
            path = work / name.replace("___", "/").replace("__", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)

    return make


async def test_files_leave_with_the_reply(bench: Bench) -> None:
    """R-TO-4: files a run made are listed, and those that are named leave: images as what they are."""
    bench.sandbox.does = makes(plot__png=PNG, out___table__csv=b"1,2", empty__txt=b"", __cache=b"x")
    result = await bench.run("python_execute", code="1", send_files=["./plot.png", "out/*.csv", "empty.txt", "no*"])
    assert [(out.artifact.name, out.artifact.mime) for out in result.outgoing if out.artifact] == [
        ("table.csv", "text/csv"),
        ("plot.png", "image/png"),
    ]
    assert result.shown == ()
    listed = "New or changed files: `empty.txt`, 0 bytes; `out/table.csv`, 3 bytes; `plot.png`, 28 bytes"
    assert listed in result.text
    assert "`plot.png` leaves with your reply." in result.text
    assert "`empty.txt` is empty and cannot be sent." in result.text
    assert "No new or changed file is called `no*`" in result.text


async def test_images_are_shown_and_files_kept(bench: Bench, tmp_path: Path) -> None:
    """R-TO-4: an image is shown to the model that wants to look at it, if it is one; the rest is kept when asked."""
    bench.sandbox.does = makes(plot__png=PNG, fake__png=b"<html>", big__png=PNG + b"\0" * 2000, huge__bin=b"x" * 6000)
    result = await bench.run("shell", command="make", show_images=["*.png"], save_artifacts=True)
    assert [artifact.name for artifact in result.shown] == ["plot.png"]
    assert result.outgoing == ()
    for said in (
        "`fake.png` is no image that can be shown to you.",
        "`big.png` is too large to be shown to you: make it smaller.",
        "`huge.bin` stays where it is: larger than 5000 bytes.",
    ):
        assert said in result.text
    assert len(list((tmp_path / "files").rglob("*.png"))) == 3
    bench.sandbox.does = makes(note__txt=b"x")
    assert "`note.txt` is kept." in (await bench.run("shell", command="make", save_artifacts=True)).text


async def test_only_what_is_new_and_plain_comes_out(bench: Bench) -> None:
    """R-SB-4: links, and files that were there before, stay; odd names are shown escaped and break nothing."""
    folder = bench.workspace.folder(bench.ann)
    (folder / "old.txt").write_text("old")

    def make(work: Path) -> None:
        (work / "link.txt").symlink_to("/etc/passwd")
        (work / "two\nlines.txt").write_text("x")
        (work / "-rf $(x) ☃.txt").write_text("snow")

    bench.sandbox.does = make
    result = await bench.run("shell", command="make", send_files=["*"])
    assert [out.artifact.name for out in result.outgoing if out.artifact] == ["-rf $(x) ☃.txt"]
    assert "`two\\nlines.txt` stays where it is: its name is no clean text." in result.text
    assert "old.txt" not in result.text
    assert "link.txt" not in result.text


async def test_many_files_are_not_all_named(bench: Bench) -> None:
    """R-TO-4: a run that makes a thousand files does not flood the model, and ten leave at most."""
    bench.sandbox.does = makes(**{f"f{number:04}__txt": b"x" for number in range(40)})
    result = await bench.run("shell", command="make", send_files=["*"])
    assert "and 10 more" in result.text
    assert len(result.outgoing) == 10
    assert "`f0010.txt` stays where it is: too many files." in result.text


async def test_a_jail_keeps_its_files(bench: Bench) -> None:
    """R-SB-4: where files may not be handed back, asking for them is refused before anything runs."""
    bench.sandbox.hands_back = False
    assert "artifacts_allow_in_jail" in await bench.refused("shell", command="make", save_artifacts=True)
    assert not bench.sandbox.ran
    assert "done" in (await bench.run("shell", command="make")).text


async def test_caps_and_refusals(bench: Bench) -> None:
    """R-TO-4: code is capped, a timeout can only be shortened, and what no sandbox could run is refused."""
    assert "more than 1KB of code" in await bench.refused("python_execute", code="#" * 1001)
    assert "NUL character" in await bench.refused("shell", command="a\0b")
    await bench.run("shell", command="ls", timeout_seconds=5)
    await bench.run("shell", command="ls", timeout_seconds=5000)
    assert [spec.limits.seconds for spec in bench.sandbox.ran] == [5, 30]

    def fail(_work: Path) -> Result:
        raise SandboxError("the walls cannot be built: no space")

    bench.sandbox.does = fail
    assert "cannot run this: the walls cannot be built" in await bench.refused("shell", command="ls")
    bench.sandbox.does = lambda _: replace(WELL, exit_code=127, stderr=b"python3: not found")
    assert "there is no such program" in await bench.refused("python_environment_info")


def test_a_virtual_environment(tmp_path: Path) -> None:
    """R-TO-4: the interpreter is that of the settings, and commands can read the folders it consists of, no others."""
    assert Python(PythonSettings()).readable == ()
    assert Python(PythonSettings(python_path="/usr/bin/python3")).readable == ()
    absent = Python(PythonSettings(venv_path=str(tmp_path / "no")))
    with pytest.raises(ToolError, match="venv_path is wrong"):
        _ = absent.readable
    base, venv = tmp_path / "base" / "bin", tmp_path / "venv" / "bin"
    for folder in (base, venv):
        folder.mkdir(parents=True)
    (base / "python3").write_text("")
    (venv / "python").symlink_to(base / "python3")
    python = Python(PythonSettings(venv_path=str(tmp_path / "venv")))
    assert python.program == str(venv / "python")
    assert python.readable == (tmp_path / "venv", tmp_path / "base")
    assert python.environment["PATH"].startswith(f"{venv}:/")
    odd = tmp_path / "odd"
    odd.write_text("")
    assert Python(PythonSettings(python_path=str(odd))).readable == (tmp_path,)


async def test_another_interpreter_for_real(require: Require, sqlite_db: Database, tmp_path: Path) -> None:
    """R-TO-4: libraries of a virtual environment are there inside the sandbox, for Python and for the shell."""
    real = await bench_of(None, sqlite_db, tmp_path)
    require("a working sandbox", "apt install bubblewrap libseccomp2", found=real.commands.there())
    await asyncio.to_thread(EnvBuilder(symlinks=True).create, tmp_path / "venv")
    [packages] = (tmp_path / "venv").glob("lib/python*/site-packages")
    (packages / "plots.py").write_text("drawn = 'a plot'")
    settings = ToolSettings(python_exec=PythonSettings(venv_path=str(tmp_path / "venv")))
    tools = {
        tool.name: tool
        for tool in (shell_tool(real.commands, settings), *python_tools(real.commands, settings.python_exec))
    }
    code = "import plots; print(plots.drawn)"
    given = await asyncio.gather(
        tools["python_execute"].call(real.ann, tools["python_execute"].parse({"code": code})),
        tools["shell"].call(real.ann, tools["shell"].parse({"command": f'python -c "{code}"'})),
    )
    assert ["stdout:\na plot" in result.text for result in given] == [True, True]
