"""The tools for files."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.principal import Principal
from lar.domain.risk import Deed
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.media.eyes import FileEyes
from lar.media.settings import MediaSettings
from lar.store import people
from lar.store.database import Database
from lar.testing.clock import FakeClock
from lar.testing.models.samples import png_bytes
from lar.testing.tool_contract import ToolContract
from lar.testing.turns import ANN
from lar.tools.artifacts import Artifacts
from lar.tools.contract import Tool, ToolContext, ToolResult
from lar.tools.files import file_tools
from lar.tools.settings import ArtifactSettings, FileSettings
from lar.tools.workspace import Scope, Workspace
from media_samples import pdf, picture

PNG = png_bytes()
SETTINGS = FileSettings(max_write_bytes=50_000, read_bytes=1000, page_size=3)
EYES = FileEyes(MediaSettings(max_image_side=256))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Everybody's files."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def tools(sqlite_db: Database, tmp_path: Path, workspace: Workspace) -> dict[str, Tool]:
    """The tools by name."""
    artifacts = Artifacts(sqlite_db, tmp_path / "files", FakeClock(1.0), ArtifactSettings())
    return {tool.name: tool for tool in file_tools(workspace, artifacts, SETTINGS, EYES)}


@pytest.fixture
async def ann(sqlite_db: Database, workspace: Workspace) -> ToolContext:
    """Ann in her private chat, with some files."""
    who: Principal = await sqlite_db.write(people.add, "t", "m", "ann", replace(ANN, id=PrincipalId(0)), 1.0)
    context = ToolContext(who, ConversationId(1), TurnId(1), call="1.1")
    with workspace.open(context) as files:
        files.write("plan.txt", b"buy bread")
        files.write("pictures/cat.png", PNG)
        files.write("empty", b"")
    return context


CALLS: list[tuple[str, JsonObject]] = [
    ("list_files", {}),
    ("read_file", {"path": "plan.txt"}),
    ("read_file", {"path": "pictures/cat.png"}),
    ("self_insert_artifact", {"path": "pictures/cat.png"}),
    ("create_file", {"path": "new/x.txt", "content": "x"}),
    ("move_file", {"path": "plan.txt", "to": "plans/plan.txt"}),
    ("delete_file", {"path": "plan.txt"}),
    ("send_file", {"path": "plan.txt"}),
]


class TestFileTools(ToolContract):
    """Each of the file tools keeps the tool contract."""

    @pytest.fixture(params=CALLS)
    def wanted(self, request: pytest.FixtureRequest) -> tuple[str, JsonObject]:
        """A tool's name and arguments it takes."""
        return request.param

    @pytest.fixture
    def tool(self, tools: dict[str, Tool], wanted: tuple[str, JsonObject]) -> Tool:
        """The tool."""
        return tools[wanted[0]]

    @pytest.fixture
    def arguments(self, wanted: tuple[str, JsonObject]) -> JsonObject:
        """Its arguments."""
        return wanted[1]

    @pytest.fixture
    async def caller(self, ann: ToolContext) -> ToolContext:
        """Ann."""
        return ann


async def run(tools: dict[str, Tool], who: ToolContext, name: str, **arguments: object) -> ToolResult:
    """What one tool gives."""
    tool = tools[name]
    return await tool.call(who, tool.parse(arguments))


async def test_a_life_of_files(tools: dict[str, Tool], ann: ToolContext) -> None:
    """R-TO-3: written, listed in pages, read, moved, shared and deleted."""
    await run(tools, ann, "create_file", path="notes/a.md", content="first ☃")
    assert (await run(tools, ann, "read_file", path="notes/a.md")).text == "first ☃"
    listed = (await run(tools, ann, "list_files")).text
    assert "`empty`, 0 bytes\n`notes`/\n`notes/a.md`, 9 bytes" in listed
    assert "Page 1 of 2, 6 names." in listed
    assert "`plan.txt`, 9 bytes" in (await run(tools, ann, "list_files", page=2)).text
    assert (await run(tools, ann, "list_files", folder="notes")).text == "`a.md`, 9 bytes"
    assert "/a.md" not in (await run(tools, ann, "list_files", recursive=False)).text
    await run(tools, ann, "move_file", path="notes/a.md", to="a.md", to_scope="shared")
    assert (await run(tools, ann, "list_files", scope="shared")).text == "`a.md`, 9 bytes"
    assert "already" in str(await failing(tools, ann, "move_file", path="plan.txt", to="empty"))
    await run(tools, ann, "move_file", path="plan.txt", to="empty", replace=True)
    await run(tools, ann, "delete_file", path="notes")
    assert (await failing(tools, ann, "list_files", folder="notes")) == "There is no `notes`."
    await run(tools, ann, "delete_file", path="a.md", scope="shared")
    assert (await run(tools, ann, "list_files", scope="shared")).text == "There are no files here."


async def failing(tools: dict[str, Tool], who: ToolContext, name: str, **arguments: object) -> str:
    """Why one tool refuses."""
    with pytest.raises(ToolError) as refused:
        await run(tools, who, name, **arguments)
    return str(refused.value)


async def test_everybody_has_their_own(tools: dict[str, Tool], ann: ToolContext) -> None:
    """R-ME-9: another person sees none of them, whatever they write; a group has its own and sees the shared ones."""
    ben = replace(ann, principal=replace(ann.principal, id=PrincipalId(99)))
    group = replace(ann, place=Place.GROUP, conversation_id=ConversationId(5))
    await run(tools, ann, "create_file", path="ours.txt", content="ours", scope="shared")
    for other in (ben, group):
        assert (await run(tools, other, "list_files")).text == "There are no files here."
        assert "no `plan.txt`" in await failing(tools, other, "read_file", path="plan.txt")
        path = f"../../people/{ann.principal.id}/plan.txt"
        assert "leads out" in await failing(tools, other, "send_file", path=path)
        assert (await run(tools, other, "read_file", path="ours.txt", scope="shared")).text == "ours"
    await run(tools, group, "create_file", path="plan.txt", content="the group's")
    assert (await run(tools, ann, "read_file", path="plan.txt")).text == "buy bread"


async def test_a_document_is_read_page_by_page(tools: dict[str, Tool], ann: ToolContext, workspace: Workspace) -> None:
    """R-LM-4: `read_file` gives the text of a PDF like that of any text, and says what is wrong with a broken one."""
    with workspace.open(ann) as files:
        files.write("plan.pdf", pdf("one", *["x" * 90] * 12, "the end"))
        files.write("broken.docx", b"PK\3\4 and nothing")
    first = (await run(tools, ann, "read_file", path="plan.pdf")).text
    assert first.startswith("[page 1]\none")
    assert first.endswith("[Page 1 of 2]")
    assert "the end" in (await run(tools, ann, "read_file", path="plan.pdf", page=2)).text
    assert "damaged" in await failing(tools, ann, "read_file", path="broken.docx")


async def test_an_image_is_shown_to_the_model(
    tools: dict[str, Tool], ann: ToolContext, workspace: Workspace, tmp_path: Path
) -> None:
    """R-TO-3: `self_insert_artifact` and reading show an image to the model, if it is one; a large one scaled down."""
    for name in ("read_file", "self_insert_artifact"):
        result = await run(tools, ann, name, path="pictures/cat.png")
        assert [artifact.mime for artifact in result.shown] == ["image/png"]
        assert "is shown to you" in result.text
    with workspace.open(ann) as files:
        files.write("fake.png", b"<html>")
        files.write("big.png", picture("PNG", (800, 400)))
        files.write("half.png", PNG[:60])
        files.write("data.bin", b"\1\0\2")
    assert (await run(tools, ann, "self_insert_artifact", path="fake.png")) == ToolResult("<html>")
    [scaled] = (await run(tools, ann, "self_insert_artifact", path="big.png")).shown
    with Image.open(tmp_path / "files" / scaled.path) as shown:
        assert shown.size == (256, 128)
    assert "is damaged" in await failing(tools, ann, "self_insert_artifact", path="half.png")
    assert "is no text" in await failing(tools, ann, "read_file", path="data.bin")


async def test_long_texts_come_in_pages(tools: dict[str, Tool], ann: ToolContext, workspace: Workspace) -> None:
    """R-TO-3: pages are capped, cut no character in two, and together are the whole text."""
    text = "".join(f"{number} — ☃🙂é\n" for number in range(300))
    with workspace.open(ann) as files:
        files.write("long.txt", text.encode())
        files.write("bom.csv", b"\xef\xbb\xbfa,b")
        files.write("windows.csv", "Müller;5 €".encode("cp1252"))
    pages = -(-len(text.encode()) // 1000)
    read = ""
    for page in range(1, pages + 1):
        given = (await run(tools, ann, "read_file", path="long.txt", page=page)).text
        assert given.endswith(f"\n\n[Page {page} of {pages}]")
        assert len(given.encode()) < 1050
        read += given.rpartition("\n\n[Page")[0]
    assert read == text
    assert f"has {pages} pages" in await failing(tools, ann, "read_file", path="long.txt", page=pages + 1)
    assert (await run(tools, ann, "read_file", path="bom.csv")).text == "a,b"
    assert (await run(tools, ann, "read_file", path="windows.csv")).text == "Müller;5 €"
    assert (await run(tools, ann, "read_file", path="empty")).text == "(empty)"


async def test_too_much_is_not_written(tools: dict[str, Tool], ann: ToolContext) -> None:
    """R-TO-3: `max_write_bytes` counts bytes, and the refusal says how many are allowed."""
    assert "more than 50KB" in await failing(tools, ann, "create_file", path="x", content="€" * 20_000)
    assert "no `x`" in await failing(tools, ann, "read_file", path="x")
    await run(tools, ann, "create_file", path="x", content="\ud800")
    assert (await run(tools, ann, "read_file", path="x")).text == "?"


async def test_a_file_is_sent_as_it_was(tools: dict[str, Tool], ann: ToolContext, tmp_path: Path) -> None:
    """R-TO-3: what leaves is a copy; changing or repeating changes nothing of it."""
    sent = await run(tools, ann, "send_file", path="plan.txt", caption="the plan")
    await run(tools, ann, "create_file", path="plan.txt", content="changed")
    assert await run(tools, ann, "send_file", path="plan.txt", caption="the plan") == sent
    (outgoing,) = sent.outgoing
    assert outgoing.text == "the plan"
    assert outgoing.artifact
    assert (tmp_path / "files" / outgoing.artifact.path).read_bytes() == b"buy bread"
    assert outgoing.artifact.mime == "text/plain"
    assert "empty" in await failing(tools, ann, "send_file", path="empty")


@pytest.mark.parametrize(
    ("name", "arguments", "deed", "summary"),
    [
        ("create_file", {"path": "a", "content": "xyz"}, Deed.KEEP, "write `a`, 3 characters (own files)"),
        (
            "create_file",
            {"path": "a", "content": "", "scope": "shared"},
            Deed.REMEMBER,
            "write `a`, 0 characters (shared files)",
        ),
        ("delete_file", {"path": "a\nb"}, Deed.KEEP, "delete `a\\nb` (own files)"),
        ("move_file", {"path": "a", "to": "b"}, Deed.KEEP, "move `a` from the own files to `b` (own files)"),
        (
            "move_file",
            {"path": "a", "to": "b", "scope": "shared", "to_scope": "own"},
            Deed.REMEMBER,
            "move `a` from the shared files to `b` (shared files)",
        ),
        ("list_files", {}, Deed.LOOK, None),
        ("send_file", {"path": "a"}, Deed.LOOK, None),
    ],
)
def test_says_what_it_would_do(
    tools: dict[str, Tool], name: str, arguments: JsonObject, deed: Deed, summary: str | None
) -> None:
    """R-PO-1: own files are kept, what is shared is remembered by others; the summary names the file on one line."""
    effect = tools[name].would(tools[name].parse(arguments))
    assert effect.deed is deed
    assert summary in {None, effect.summary}


def test_scopes_are_what_the_model_reads(tools: dict[str, Tool]) -> None:
    """The schema names the scopes, so that a model does not guess."""
    assert "shared" in str(tools["list_files"].schema)
    assert {scope.value for scope in Scope} == {"own", "shared"}


@pytest.mark.parametrize(
    ("path", "scope", "source"),
    [
        ("plan.txt", Scope.OWN, False),
        ("uploads/letter.txt", Scope.OWN, True),
        ("./uploads//cat.png", Scope.OWN, True),
        ("uploads.txt", Scope.OWN, False),
        ("plan.txt", Scope.SHARED, True),
    ],
)
async def test_what_others_may_have_written_taints(
    tools: dict[str, Tool], ann: ToolContext, workspace: Workspace, path: str, scope: Scope, source: bool
) -> None:
    """R-PO-3: files that were sent and files that everybody shares are content from outside, one's own are not."""
    for where in Scope:
        with workspace.open(ann, where) as files:
            for name in ("plan.txt", "uploads.txt", "uploads/letter.txt"):
                files.write(name, b"hello")
            files.write("uploads/cat.png", PNG)
    for name in ("read_file", "self_insert_artifact"):
        tool = tools[name]
        result = await tool.call(ann, tool.parse({"path": path, "scope": scope}))
        assert bool(result.source) == source
