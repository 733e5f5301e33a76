"""A camera, through Telegram, the model and the running product: looked through, and sent as a photo."""

import json
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from ground import Require
from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = [pytest.mark.doors, pytest.mark.asyncio(loop_scope="module")]

ADMIN, USER = FIRST_USER - 1, FIRST_USER
COMMAND = "ffmpeg -loglevel error -f lavfi -i testsrc=size=320x240 -frames:v 1 -y {output}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory, require: Require) -> AsyncGenerator[Stage]:
    """A gateway with a camera that is ffmpeg's test picture, and an admin who has written before."""
    require("ffmpeg", "sudo apt install ffmpeg")
    env = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN), "LAR__TOOLS__CAMERA__COMMAND": COMMAND}
    async with stage(tmp_path_factory.mktemp("camera"), env=env) as here:
        here.models.options["not_user"] = "pyai:tool_result"  # what carries an image is no message of a person
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("/whoami", ADMIN)
        yield here


def photos(here: Stage, chat: int) -> list[str]:
    """The captions of the photos the bot sent."""
    sent = [message for message in here.telegram.messages(chat) if message["from"]["is_bot"] and "photo" in message]
    return [str(message.get("caption", "")) for message in sent]


async def test_the_model_looks(watched: Stage) -> None:
    """R-TO-6: the owner asks, nobody is asked back, and the still is before the model's eyes; none goes to the chat."""
    said = str((await watched.telegram.ask("[[tool:camera_capture_for_ai {}]] [[image?]]", ADMIN))["text"])
    assert "1 in all" in said
    assert "data:image/jpeg;base64" in json.dumps(watched.models.log[-1])
    assert not photos(watched, ADMIN)


async def test_a_photo_is_sent(watched: Stage) -> None:
    """R-TO-6: a still leaves with the reply, as a photo with its caption."""
    await watched.telegram.ask('[[tool:camera_capture_to_chat {"caption": "the hall"}]]', ADMIN)
    await until(lambda: photos(watched, ADMIN))
    assert photos(watched, ADMIN) == ["the hall"]


async def test_somebody_else_needs_an_admin(watched: Stage) -> None:
    """R-TO-6, R-PO-2: who is no admin gets a photo once an admin agrees to that very photo, and it is taken once."""
    handed = await watched.telegram.ask("[[tool:camera_capture_to_chat {}]]", USER)
    assert "An admin has to agree to this first" in str(handed["text"])
    question = await watched.telegram.expect_reply(ADMIN, match="take a photo with the camera 'camera' and send it")
    assert f"User{USER}" in str(question["text"])
    assert not photos(watched, USER)
    watched.telegram.press(ADMIN, text="Once")
    await until(lambda: photos(watched, USER))
    await watched.settled()
    assert photos(watched, USER) == [""]
