"""The tools for cameras: a still for the model to look at, a still for the chat."""

import io
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from lar.domain.artifact import Artifact, Outgoing
from lar.domain.risk import Deed, Risk
from lar.domain.values import JsonObject
from lar.media.camera import Cameras
from lar.tools.artifacts import Keep
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult
from lar.tools.define import tool

NAMES = ("camera_capture_for_ai", "camera_capture_to_chat")
"""What the tools are called, where there are some."""

Name = Annotated[str, Field(max_length=100)]
Caption = Annotated[str, Field(max_length=1000)]


def camera_tools(cameras: Cameras, keep: Keep) -> tuple[Tool, ...]:
    """Both; none where there is no camera. `keep` keeps what they take."""
    if not cameras.names:
        return ()

    def effect(purpose: str) -> "_Shooting":
        return _Shooting(cameras, purpose)

    async def take(context: ToolContext, name: str) -> tuple[str, Artifact]:
        camera = cameras.chosen(name)
        still = await cameras.take(camera)
        ending = still.mime.rpartition("/")[2].replace("jpeg", "jpg")
        return camera, await keep(context, io.BytesIO(still.data), f"{camera}.{ending}")

    @tool(risk=Risk.REACH, repeatable=True, effect=effect("look at it"))
    async def camera_capture_for_ai(context: ToolContext, camera: Name = "") -> ToolResult:
        """Take a fresh photo with a camera of the house and look at it yourself, as for "is someone in the kitchen?".

        Args:
            context: Who asks.
            camera: Which camera, by name; may be left out where there is only one.
        """
        name, artifact = await take(context, camera)
        return ToolResult(f"A fresh photo of the camera {name!r} is shown to you.", shown=(artifact,))

    @tool(risk=Risk.REACH, repeatable=True, effect=effect("send it to this chat"))
    async def camera_capture_to_chat(context: ToolContext, camera: Name = "", caption: Caption = "") -> ToolResult:
        """Take a fresh photo with a camera of the house and send it to this chat, with your reply.

        Args:
            context: Who asks.
            camera: Which camera, by name; may be left out where there is only one.
            caption: What to write below it; empty for nothing.
        """
        name, artifact = await take(context, camera)
        said = f"A fresh photo of the camera {name!r} leaves with your reply."
        return ToolResult(said, outgoing=(Outgoing(caption, artifact),))

    return _named(cameras, camera_capture_for_ai), _named(cameras, camera_capture_to_chat)


def _named(cameras: Cameras, camera_tool: Tool) -> Tool:
    """The tool, telling a model which cameras there are to choose from."""
    if len(cameras.names) == 1:
        return camera_tool
    return replace(camera_tool, description=f"{camera_tool.description} Cameras: {', '.join(cameras.names)}.")


class _Shooting:
    """What a call would do: it names the camera, and wants one that exists."""

    def __init__(self, cameras: Cameras, purpose: str) -> None:
        self._cameras = cameras
        self._purpose = purpose

    def __call__(self, arguments: JsonObject) -> Effect:
        name = self._cameras.chosen(arguments["camera"])
        return Effect(Deed.CONTROL, f"take a photo with the camera {name!r} and {self._purpose}", name)
