"""The tools for cameras."""

from dataclasses import replace
from pathlib import Path

import pytest

from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.principal import Principal
from lar.domain.risk import Deed
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.media.camera import Cameras, Device
from lar.media.camera_tools import NAMES, camera_tools
from lar.store import people
from lar.store.database import Database
from lar.testing.clock import FakeClock
from lar.testing.tool_contract import ToolContract
from lar.testing.turns import ANN
from lar.tools.artifacts import Artifacts
from lar.tools.contract import Tool, ToolContext
from lar.tools.settings import ArtifactSettings, CameraSettings


def cameras(*names: str) -> Cameras:
    """Cameras that give a small image."""
    script = r"printf '\377\330\377 photo' >$0"
    return Cameras(CameraSettings(), [Device(name, ("/bin/sh", "-c", script, "{output}")) for name in names])


@pytest.fixture
def artifacts(sqlite_db: Database, tmp_path: Path) -> Artifacts:
    """Where photos are kept."""
    return Artifacts(sqlite_db, tmp_path / "files", FakeClock(1.0), ArtifactSettings())


@pytest.fixture
async def ann(sqlite_db: Database) -> ToolContext:
    """Ann in her private chat."""
    who: Principal = await sqlite_db.write(people.add, "t", "m", "ann", replace(ANN, id=PrincipalId(0)), 1.0)
    return ToolContext(who, ConversationId(1), TurnId(1), call="1.1")


class TestCameraTools(ToolContract):
    """Both keep what every tool promises."""

    @pytest.fixture(params=NAMES)
    def tool(self, artifacts: Artifacts, request: pytest.FixtureRequest) -> Tool:
        """One of them."""
        return {tool.name: tool for tool in camera_tools(cameras("camera"), artifacts.keep)}[request.param]

    @pytest.fixture
    def arguments(self) -> JsonObject:
        """Arguments both take."""
        return {"camera": "camera"}

    @pytest.fixture
    def caller(self, ann: ToolContext) -> ToolContext:
        """Who calls it."""
        return ann


async def test_one_shows_and_one_sends(artifacts: Artifacts, ann: ToolContext) -> None:
    """R-TO-6: a still before the model's eyes, and a still that leaves with the reply."""
    look, send = camera_tools(cameras("camera"), artifacts.keep)
    seen = await look.call(ann, look.parse({}))
    assert [(each.name, each.mime) for each in seen.shown] == [("camera.jpg", "image/jpeg")]
    assert not seen.outgoing
    sent = await send.call(replace(ann, call="1.2"), send.parse({"caption": "the hall"}))
    assert [(each.text, each.artifact.name) for each in sent.outgoing if each.artifact] == [("the hall", "camera.jpg")]
    assert not sent.shown


def test_the_gate_is_told_which_camera(artifacts: Artifacts) -> None:
    """R-PO-1: working a camera is a deed of its own, and a permission covers that camera alone."""
    look, send = camera_tools(cameras("hall", "garden"), artifacts.keep)
    assert "Cameras: hall, garden." in look.description
    effect = send.would(send.parse({"camera": "hall"}))
    assert (effect.deed, effect.target) == (Deed.CONTROL, "hall")
    assert effect.summary == "take a photo with the camera 'hall' and send it to this chat"
    with pytest.raises(ToolError, match="Which camera"):
        look.would(look.parse({}))


def test_without_a_camera_there_are_no_tools(artifacts: Artifacts) -> None:
    """R-TO-6: where no camera can be used, models are not offered one."""
    assert camera_tools(cameras(), artifacts.keep) == ()
