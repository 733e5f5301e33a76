"""`lar alert` and `lar problems` as a service manager and an operator call them, with and without a gateway."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from lar.testing.stage import FIRST_USER, Stage, stage

pytestmark = [pytest.mark.doors, pytest.mark.asyncio(loop_scope="module")]

ADMIN, GROUP = FIRST_USER - 1, -100500
REPORT = """# tool failed: LookupError

- fingerprint: 0badcafe
- times: 3
- last: 2026-01-02T03:04:05Z

## Trace

```text
no valve fits
```
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ended(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A gateway that was killed after an admin had made a group the notification chat."""
    env = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN), "LAR__CHANNELS__TELEGRAM__REQUEST_SECONDS": "2"}
    async with stage(tmp_path_factory.mktemp("alert"), env=env) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("/setnotify@sim_bot", GROUP, user=ADMIN)
        await here.process.kill()
        yield here


async def test_an_alert_without_a_gateway(ended: Stage) -> None:
    """R-SU-3: what a service manager says arrives in the chat of `/setnotify`, secrets left out, and 0 says so."""
    done = await ended.process.lar("alert", "lar.service failed", "-", said="the key was sk-simulated\n")
    assert (done.status, done.output) == (0, f"told: telegram:{GROUP}\n"), done.errors
    assert ended.texts(GROUP)[-1] == "🚨 lar.service failed the key was [secret]"


async def test_an_alert_beside_a_gateway(ended: Stage) -> None:
    """R-SU-3: a gateway that runs is not in the way."""
    await ended.start()
    await ended.process.url()
    done = await ended.process.lar("alert", "only", "trying")
    await ended.process.kill()
    assert done.status == 0, done.errors
    assert ended.texts(GROUP)[-1] == "🚨 only trying"


async def test_a_notification_chat_that_is_gone(ended: Stage) -> None:
    """R-SU-3: if the bot was thrown out of the notification chat, the admins are told in private."""
    ended.telegram.fail("sendMessage", 1, status=403, description="Forbidden: bot was kicked from the group chat")
    done = await ended.process.lar("alert", "hello")
    assert (done.status, done.output) == (0, f"told: telegram:{ADMIN}\n"), done.errors
    assert ended.texts(ADMIN)[-1] == "🚨 hello"
    assert "kicked" in done.errors


@pytest.mark.parametrize("text", ["[policy]\ndenied_tool = []\n", "[agents.main\n"])
async def test_a_broken_configuration_may_be_the_reason(ended: Stage, text: str) -> None:
    """R-SU-3: a mistake in lar.toml keeps the gateway from starting, but not the alert; one nobody can read is told."""
    file = ended.process.home / "lar.toml"
    file.write_text(text)
    assert (await ended.process.lar("status")).status == 2
    done = await ended.process.lar("alert", "lar.service failed")
    file.unlink()
    assert done.status == 0, done.errors
    assert ended.texts(GROUP)[-1].startswith("🚨 lar.service failed")
    assert ("is not valid TOML" in ended.texts(GROUP)[-1]) == text.startswith("[agents")


async def test_nobody_can_be_told(ended: Stage) -> None:
    """R-SU-3: where Telegram cannot be reached, the command ends in time, and says that nobody was told."""
    ended.telegram.fail("sendMessage", 50, status=502, description="Bad Gateway")
    done = await ended.process.lar("alert", "--timeout", "3", "hello")
    ended.telegram.faults.pending.clear()
    assert done.status == 1
    assert "nobody was told" in done.errors
    assert "HTTP 502" in done.errors


async def test_problems_at_the_command_line(ended: Stage, tmp_path: Path) -> None:
    """R-SU-1: error reports are listed and shown, also where nothing runs."""
    assert (await ended.process.lar("problems", "--home", str(tmp_path))).output == "No error reports.\n"
    folder = ended.process.home / "files" / "admin" / "error_reports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "2026-01-02.md").write_text(REPORT)
    listed = await ended.process.lar("problems")
    assert listed.status == 0
    assert "0badcafe" in listed.output
    for name in ("1", "0badcafe", "2026-01-02.md"):
        assert "no valve fits" in (await ended.process.lar("problems", name)).output
    unknown = await ended.process.lar("problems", "../../token")
    assert unknown.status == 2
    assert "there is no error report" in unknown.errors
