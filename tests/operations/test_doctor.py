import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from lar.channels.telegram.settings import TelegramSettings
from lar.errors import MissingComponent
from lar.media.camera import Device
from lar.media.settings import MediaSettings, SpeechSettings
from lar.operations import doctor
from lar.operations.doctor import Check, Subject
from lar.operations.home import Running, announce, token
from lar.providers.settings import ProviderSettings
from lar.sandboxes.settings import Backend, SandboxSettings
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.telegram import DEFAULT_TOKEN, TelegramSim
from lar.tools.browser import finding
from lar.tools.browser.settings import BrowserSettings


@pytest.fixture
def subject(home: Path) -> Subject:
    """An empty home and nothing configured."""
    return Subject(home, StoreSettings(url=f"sqlite:///{home}/lar.db"), {}, TelegramSettings(), "127.0.0.1", 0)


async def examined(subject: Subject) -> dict[str, Check]:
    """The checks by name."""
    return {check.name: check for check in await doctor.examine(subject)}


async def test_a_fresh_home(subject: Subject) -> None:
    """Nothing is wrong with an empty home; the doctor changes nothing, and says what could be switched on."""
    found = await examined(subject)
    assert not [check for check in found.values() if check.state == "fail"]
    assert "OPENAI_API_KEY" in found["models"].remedy
    assert "TELEGRAM_BOT_TOKEN" in found["telegram"].remedy
    assert found["database"].state == "note"
    assert not list(subject.home.iterdir())


async def test_what_is_configured(subject: Subject) -> None:
    """A database that opens, a provider with keys, and a running gateway are well."""
    db = Database(subject.database)
    await db.open()
    await db.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        announce(subject.home, Running(os.getpid(), "127.0.0.1", listener.getsockname()[1]))
        found = await examined(replace(subject, providers={"x": ProviderSettings(api_keys=(SecretStr("k"),))}))
    assert found["database"].state == "ok"
    assert found["models"].detail == "x (1 keys)"
    assert str(os.getpid()) in found["gateway"].detail


async def test_telegram_is_asked(subject: Subject) -> None:
    """A good token shows the bot's name; a wrong one and a server that is away are told apart, without the token."""
    async with TelegramSim() as sim:
        good = TelegramSettings(bot_token=SecretStr(DEFAULT_TOKEN), api_base=sim.url)
        assert (await examined(replace(subject, telegram=good)))["telegram"].detail.startswith("@")
        wrong = TelegramSettings(bot_token=SecretStr("1:wrong"), api_base=sim.url)
        refused = (await examined(replace(subject, telegram=wrong)))["telegram"]
    away = (await examined(replace(subject, telegram=good)))["telegram"]
    assert "refused" in refused.detail
    assert "no proper answer" in away.detail
    assert DEFAULT_TOKEN not in away.detail
    unasked = (await examined(replace(subject, telegram=good, ask_vendors=False)))["telegram"]
    assert unasked.state == "ok"


async def test_a_busy_port(subject: Subject) -> None:
    """A port that is taken is a note: the gateway will move."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = await examined(replace(subject, port=taken.getsockname()[1]))
    assert found["gateway"].state == "note"


async def test_a_database_that_cannot_be_read(subject: Subject) -> None:
    """A file that is no database fails the check with the store's own sentence."""
    (subject.home / "lar.db").write_text("this is no database, but long enough to look like a file of some kind" * 20)
    assert (await examined(subject))["database"].state == "fail"


def test_a_home_others_can_read(home: Path) -> None:
    """A home or a token open to others is told with the command that closes it."""
    assert doctor.home_folder(home / "absent").state == "note"
    home.chmod(0o700)
    token(home)
    assert doctor.home_folder(home).state == "ok"
    home.chmod(0o755)
    (home / "token").chmod(0o644)
    assert doctor.home_folder(home).remedy == f"chmod go-rwx {home}"
    assert doctor.python().state == "ok"


async def test_sandboxes(subject: Subject) -> None:
    """R-SB-2: every backend is shown with what it keeps, what it lacks and what gets it, and which one is used."""
    none = SandboxSettings(backend=Backend.NONE)
    found = await examined(replace(subject, sandbox=none))
    assert found["sandbox"].detail == "commands run in none (sandbox.backend is none)"
    assert "does not keep files" in found["sandbox none"].detail
    assert "set sandbox.jail.command_prefix" in found["sandbox jail"].remedy
    assert {f"sandbox {name}" for name in Backend if name is not Backend.AUTO} < set(found)
    jailed = await examined(replace(subject, sandbox=SandboxSettings(backend=Backend.JAIL)))
    assert jailed["sandbox"].state == "fail"
    assert "no command prefix is set" in jailed["sandbox"].detail


async def test_cameras(subject: Subject) -> None:
    """R-TO-6: a camera whose program is missing is told with how to get it; one that can be used, by what."""
    hall, none = Device("hall", ("/usr/bin/take",)), Device("camera", ("rpicam-still",), "there is no program")
    assert (await examined(replace(subject, cameras=[hall])))["camera"] == Check(
        "camera", "ok", "hall by /usr/bin/take"
    )
    assert "apt install" in (await examined(replace(subject, cameras=[hall, none])))["camera"].remedy
    assert (await examined(subject))["camera"].state == "note"


async def test_the_browser(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-TO-5: which browser there is and what keeps it in, or what is missing and the command that installs it."""
    found = finding.Found("/usr/bin/chromium", "/usr/bin/python3", Path("/site"), ())

    def there(_settings: BrowserSettings) -> finding.Found:
        return found

    def missing(_settings: BrowserSettings) -> finding.Found:
        raise MissingComponent("no Chromium is installed: apt install chromium")

    async def said(settings: BrowserSettings) -> Check:
        return (await examined(replace(subject, browser=settings)))["browser"]

    monkeypatch.setattr(finding, "find", there)
    assert "walled in by bubblewrap" in (await said(BrowserSettings())).detail
    assert (await said(BrowserSettings(sandbox="basic"))).state == "note"
    assert (await said(BrowserSettings(sandbox="basic", args=("--no-sandbox",)))).state == "warn"
    assert "switched off" in (await said(BrowserSettings(enabled=False))).detail
    monkeypatch.setattr(finding, "find", missing)
    assert (await said(BrowserSettings())).remedy == "apt install chromium"


async def test_what_speaks(subject: Subject) -> None:
    """R-TG-8: the doctor says what speaks, or what is missing and how to get it."""
    media = MediaSettings(ffmpeg="sh", speech=SpeechSettings(espeak="not-there"))
    found = (await examined(replace(subject, media=media)))["speech"]
    assert (found.state, "apt install espeak-ng" in found.detail) == ("note", True)
    keyed = {"openai": ProviderSettings(api_keys=(SecretStr("k"),))}
    found = (await examined(replace(subject, media=media, providers=keyed, speech_model="openai:tts-1")))["speech"]
    assert (found.state, found.detail) == ("ok", "by openai:tts-1, where somebody writes /voice on")


async def test_what_understands_recordings(subject: Subject) -> None:
    """R-TG-8: the doctor says what transcribes, and what would."""
    found = await examined(replace(subject, media=MediaSettings(ffmpeg="not-there")))
    assert "GROQ_API_KEY" in found["transcription"].detail
    assert found["ffmpeg"].remedy == "apt install ffmpeg"
    found = await examined(
        replace(
            subject,
            providers={"openai": ProviderSettings(api_keys=(SecretStr("k"),))},
            media=MediaSettings(ffmpeg="sh"),
            transcription="openai:gpt-4o-mini-transcribe",
        )
    )
    assert found["transcription"].detail == "by openai:gpt-4o-mini-transcribe"
    assert found["ffmpeg"].state == "ok"
