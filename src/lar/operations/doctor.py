"""Check that everything Lar needs is there. Looks only, changes nothing; says what to do."""

import importlib.util
import os
import platform
import shutil
import socket
import stat
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lar.channels.telegram.probe import who_am_i
from lar.channels.telegram.settings import TelegramSettings
from lar.domain.bytesize import format_bytes
from lar.errors import ChannelError, LarError, MissingComponent
from lar.media import speech
from lar.media.audio import ffmpeg
from lar.media.camera import Device
from lar.media.settings import MediaSettings
from lar.media.transcription import choose
from lar.operations import home
from lar.providers.settings import ProviderSettings
from lar.sandboxes.choose import Tried, backend, explain, pick, try_out
from lar.sandboxes.contract import Promise
from lar.sandboxes.settings import Backend, SandboxSettings
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.tools.browser import finding
from lar.tools.browser.settings import BrowserSettings

State = Literal["ok", "note", "warn", "fail"]

LOW, VERY_LOW = 1_000_000_000, 100_000_000
"""Free bytes of disk below which the doctor warns, and below which it fails."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found; `remedy` says what to do, empty where nothing is to be done."""

    name: str
    state: State
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: a home folder, and the settings that say what it needs.

    `ask_vendors`: whether the network may be used. `cameras` are those of the configuration,
    `transcription` is the model that transcribes.
    """

    home: Path
    database: StoreSettings
    providers: Mapping[str, ProviderSettings]
    telegram: TelegramSettings
    host: str
    port: int
    ask_vendors: bool = True
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    cameras: Sequence[Device] = ()
    browser: BrowserSettings = field(default_factory=BrowserSettings)
    media: MediaSettings = field(default_factory=MediaSettings)
    transcription: str = ""
    speech_model: str = ""


async def examine(subject: Subject) -> list[Check]:
    """All checks that need a configuration."""
    running = home.find(subject.home)
    checks = [
        _disk(subject.home),
        await _database(subject.database),
        _postgres_driver(subject.database),
        _providers(subject.providers),
        await _telegram(subject.telegram, subject.ask_vendors),
        _transcription(subject),
        _speech(subject),
        _ffmpeg(subject.media.ffmpeg),
        _port(subject.host, subject.port, running),
        *await _sandboxes(subject.sandbox),
        _cameras(subject.cameras),
        _browser(subject.browser),
    ]
    return [check for check in checks if check is not None]


def python() -> Check:
    """The interpreter."""
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def home_folder(folder: Path) -> Check:
    """The folder is there, and its secrets are nobody else's."""
    name = "home folder"
    if not folder.exists():
        return Check(name, "note", f"{folder} is not there yet", "`lar run` makes it")
    if not os.access(folder, os.W_OK):
        return Check(name, "fail", f"{folder} cannot be written", f"sudo chown -R $USER {folder}")
    open_to_all = [
        path
        for path in (folder, folder / home.TOKEN, folder / ".env", folder / "lar.db")
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077 and not _sheltered(path, folder)
    ]
    if open_to_all:
        return Check(name, "warn", f"others can read {open_to_all[0]}", f"chmod go-rwx {open_to_all[0]}")
    return Check(name, "ok", str(folder))


def _sheltered(path: Path, folder: Path) -> bool:
    """Whether the folder around it keeps others out."""
    return path != folder and not stat.S_IMODE(folder.stat().st_mode) & 0o011


def _disk(folder: Path) -> Check:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    detail = f"{format_bytes(free // 1_000_000 * 1_000_000)} free at {there}"
    if free < VERY_LOW:
        return Check("disk", "fail", detail, "make room: a full disk stops Lar from taking messages in")
    return Check("disk", "warn" if free < LOW else "ok", detail, "make room soon" if free < LOW else "")


async def _database(settings: StoreSettings) -> Check:
    db = Database(settings)
    try:
        await db.open(read_only=True)
    except LarError as error:
        missing = "there is no database" in str(error)
        return Check("database", "note" if missing else "fail", str(error))
    finally:
        await db.close()
    return Check("database", "ok", f"{db.dialect}, schema up to date")


def _postgres_driver(settings: StoreSettings) -> Check | None:
    if not settings.url.startswith("postgresql"):
        return None
    if importlib.util.find_spec("psycopg"):
        return Check("PostgreSQL driver", "ok", "installed")
    return Check("PostgreSQL driver", "fail", "not installed", "pip install 'lar[postgres]'")


def _providers(providers: Mapping[str, ProviderSettings]) -> Check:
    if not providers:
        remedy = "set the key of a provider, such as OPENAI_API_KEY or GEMINI_API_KEY, or configure [providers.<name>]"
        return Check("models", "note", "no provider is configured: the offline runtime answers", remedy)
    each = (f"{name} ({len(provider.keys) or 'no'} keys)" for name, provider in providers.items())
    return Check("models", "ok", ", ".join(each))


def _transcription(subject: Subject) -> Check:
    found = choose(subject.media, subject.providers, subject.home, subject.transcription)
    if isinstance(found, str):
        return Check("transcription", "note", f"recordings are not understood: {found}")
    return Check("transcription", "ok", f"by {found.name}")


def _speech(subject: Subject) -> Check:
    found = speech.choose(subject.media, subject.speech_model, subject.providers)
    if isinstance(found, str):
        return Check("speech", "note", f"answers cannot be spoken: {found}")
    return Check("speech", "ok", f"by {found.name}, where somebody writes /voice on")


def _ffmpeg(program: str) -> Check:
    found = ffmpeg(program)
    if found is None:
        return Check(
            "ffmpeg",
            "note",
            "not there: recordings in unusual formats are not converted, answers not spoken",
            "apt install ffmpeg",
        )
    return Check("ffmpeg", "ok", found)


async def _telegram(settings: TelegramSettings, ask: bool) -> Check:
    if not settings.bot_token.get_secret_value():
        return Check("telegram", "note", "no bot token: Telegram is off", "set TELEGRAM_BOT_TOKEN to switch it on")
    if not ask:
        return Check("telegram", "ok", "a bot token is set; Telegram was not asked")
    try:
        return Check("telegram", "ok", f"@{await who_am_i(settings)} at {settings.api_base}")
    except ChannelError as error:
        return Check("telegram", "fail", str(error), "check the token, the network, and channels.telegram.api_base")


def _port(host: str, port: int, running: home.Running | None) -> Check:
    if running:
        return Check("gateway", "ok", f"runs as process {running.pid} at {running.url}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Check("gateway", "note", f"{host}:{port}: {error.strerror}; it will take the next free port")
    return Check("gateway", "ok", f"does not run; {host}:{port} is free")


async def _sandboxes(settings: SandboxSettings) -> list[Check]:
    """Which sandbox commands get, and what each of them promises here."""
    tried = [await try_out(backend(name, settings)) for name in Backend if name is not Backend.AUTO]
    chosen = pick(tried, settings)
    if chosen is not None:
        first = Check("sandbox", "ok", f"commands run in {chosen.name} (sandbox.backend is {settings.backend})")
    else:
        named = settings.backend is not Backend.AUTO
        first = Check(
            "sandbox", "fail" if named else "warn", explain(tried, settings), "see below, and docs/sandboxes.md"
        )
    return [first, *map(_sandbox, tried)]


def _sandbox(tried: Tried) -> Check:
    name = f"sandbox {tried.sandbox.name}"
    if not tried.check.works:
        return Check(name, "note", f"does not work: {tried.check.detail}", tried.remedies)
    kept = tried.check.promises
    implied = {weaker for stronger in kept for weaker in _WEAKER.get(stronger, ())}
    parts = [f"works: {tried.check.detail}", _listed("keeps", kept - implied)]
    if broken := set(Promise) - kept - {weaker for each in _WEAKER.values() for weaker in each}:
        parts.append(_listed("does not keep", broken))
    return Check(name, "ok", "; ".join(parts), tried.remedies)


_WEAKER = {
    Promise.MEMORY: (Promise.MEMORY_WATCHED, Promise.PROCESS_MEMORY),
    Promise.MEMORY_WATCHED: (Promise.PROCESS_MEMORY,),
    Promise.DISK: (Promise.DISK_WATCHED,),
}
"""Promises that a stronger one includes."""


def _listed(verb: str, promises: Collection[Promise]) -> str:
    return f"{verb} {', '.join(promise for promise in Promise if promise in promises)}"


def _cameras(cameras: Sequence[Device]) -> Check:
    missing = next((camera for camera in cameras if camera.lacks), None)
    if missing is None:
        each = ", ".join(f"{camera.name} by {camera.argv[0]}" for camera in cameras)
        return Check("camera", "ok" if each else "note", each or "none is configured")
    remedy = "sudo apt install rpicam-apps, or name another program in tools.camera.command (see docs/camera.md)"
    return Check("camera", "note", f"{missing.name}: {missing.lacks}; it is not offered to models", remedy)


def _browser(settings: BrowserSettings) -> Check:
    """Whether there are the tools `browser_*`, and what keeps the browser in."""
    if not settings.enabled:
        return Check("browser", "note", "switched off (tools.browser.enabled)")
    try:
        found = finding.find(settings)
    except MissingComponent as error:
        what, _, remedy = str(error).partition(": ")
        return Check("browser", "note", f"{what}; models are offered no browser", remedy)
    if settings.sandbox == "bubblewrap":
        return Check("browser", "ok", f"{found.executable}, walled in by bubblewrap without a network of its own")
    if finding.NO_SANDBOX in settings.args:
        remedy = "apt install bubblewrap, and set tools.browser.sandbox to bubblewrap"
        return Check("browser", "warn", f"{found.executable} without walls and without its own sandbox", remedy)
    return Check("browser", "note", f"{found.executable}, kept in by its own sandbox and arguments alone")
