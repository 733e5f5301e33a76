"""Files that came with messages, as a prompt tells of them."""

from dataclasses import replace
from pathlib import Path

from lar.conversations.attachments import UNSAVED, Fetching, describe
from lar.conversations.hearing import hear
from lar.domain.ids import ConversationId, MessageId, TurnId
from lar.domain.inbound import Attachment, AttachmentKind
from lar.domain.message import Author, Message
from lar.testing.channel import FakeChannel
from lar.testing.journal import MemoryJournal
from lar.testing.turns import ANN
from lar.tools.contract import ToolContext
from lar.tools.workspace import Uploads, Workspace


def test_a_message_of_files_alone_is_described() -> None:
    """R-TG-7: files without a word are told of, each on a line."""
    files = [
        Attachment(AttachmentKind.PHOTO, "r", f"{n}.jpg", "image/jpeg", 7, saved=f"uploads/{n}.jpg") for n in (1, 2)
    ]
    assert describe("", files) == (
        "[photo: 1.jpg, image/jpeg, 7 bytes, saved as uploads/1.jpg]\n"
        "[photo: 2.jpg, image/jpeg, 7 bytes, saved as uploads/2.jpg]"
    )
    assert describe("just text", []) == "just text"


async def told(fetching: Fetching, name: str = "plan.txt") -> str:
    """How the prompt tells of a file that came with a message."""
    file = Attachment(AttachmentKind.DOCUMENT, "ref", name, "text/plain")
    message = Message(MessageId(5), ConversationId(1), Author.USER, "", 0.0, attachments=(file,))
    return (await hear([message], lambda said: said.text, fetching, MemoryJournal())).prompt


def arrived(tmp_path: Path) -> Fetching:
    """A channel with a file."""
    channel = FakeChannel()
    channel.files["ref"] = b"content"
    return Fetching(ToolContext(ANN, ConversationId(1), TurnId(1)), channel, tmp_path / "files")


async def test_what_people_send_becomes_a_file_of_theirs(tmp_path: Path) -> None:
    """R-TO-3: an upload is among the sender's own files, under the name the prompt tells; a repetition adds none."""
    workspace = Workspace(tmp_path / "workspace")
    fetching = replace(arrived(tmp_path), save=Uploads(workspace, "uploads").save)
    for _ in range(2):
        assert await told(fetching) == "[document: plan.txt, text/plain, 7 bytes, saved as uploads/plan.txt]"
    assert workspace.folder(fetching.caller).joinpath("uploads", "plan.txt").read_bytes() == b"content"
    assert len(list(workspace.folder(fetching.caller).rglob("*.txt"))) == 1


async def test_a_file_that_cannot_be_saved_is_told_of(tmp_path: Path) -> None:
    """R-TO-3: a trap in place of the uploads folder is not followed, and the prompt says that the file is not there."""
    workspace = Workspace(tmp_path / "workspace")
    fetching = replace(arrived(tmp_path), save=Uploads(workspace, "uploads").save)
    (workspace.folder(fetching.caller) / "uploads").symlink_to(tmp_path)
    assert "not available: it could not be put among the files: `uploads/plan.txt`" in await told(fetching)
    assert not (tmp_path / "plan.txt").exists()


async def test_saving_may_be_off(tmp_path: Path) -> None:
    """R-TO-3: with `save_incoming_uploads = false` the prompt does not promise a file that no tool can see."""
    assert await told(arrived(tmp_path)) == f"[document: plan.txt, text/plain, 7 bytes, not available: {UNSAVED}]"
