"""Text becomes speech: what of an answer is said, and by whom."""

import asyncio
import json
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from ground import Require
from lar.domain.ids import PrincipalId
from lar.domain.spend import Payer, Spent
from lar.errors import BudgetReached, MediaError
from lar.media import programs
from lar.media.settings import MediaSettings, SpeechSettings
from lar.media.speech import ApiSpeaker, Espeak, choose, sayable
from lar.media.transcription import Service
from lar.policy.settings import BudgetSettings, Price
from lar.providers.contract import Vendor
from lar.providers.metering import Hold
from lar.providers.models import Models
from lar.providers.settings import ProviderSettings
from lar.providers.till import Till
from lar.testing.models import ModelSim

ANN = Payer(PrincipalId(1), "main")
SETTINGS = SpeechSettings(timeout_seconds=20)
KEYED = {"openai": ProviderSettings(api_keys=(SecretStr("sk-1"),))}


@pytest.fixture
def tools(require: Require) -> None:
    """What makes recordings."""
    require("espeak-ng", "apt install espeak-ng")
    require("ffmpeg", "apt install ffmpeg")


@pytest.fixture
async def sim() -> AsyncIterator[ModelSim]:
    """A provider."""
    async with ModelSim() as sim:
        yield sim


@dataclass
class Purse:
    """Notes what is put aside and what was spent. A `Meter`."""

    settings: BudgetSettings = field(default_factory=BudgetSettings)
    held: list[Spent] = field(default_factory=list[Spent])
    settled: list[Spent] = field(default_factory=list[Spent])
    empty: bool = False

    async def reserve(self, payer: Payer, model: str, most: Spent) -> Hold:
        """Note it."""
        if self.empty:
            raise BudgetReached("person", "day", 5.0, retry_after=60)
        self.held.append(most)
        return Hold(payer, model, "2026-01-01", len(self.held))

    def settle(self, hold: Hold, spent: Spent) -> None:
        """Note it."""
        assert hold.payer is ANN
        self.settled.append(spent)


def till(purse: Purse | None = None, vendor: str = "openai") -> Till:
    """Counts what calls to this vendor cost."""

    class Billed(Models):
        def vendor(self, reference: str) -> Vendor:
            del reference
            return Vendor(vendor, "https://api.example.org")

    return Till(Billed({}, meter=purse))


def about(recording: Path) -> tuple[str, str, int, float]:
    """Container, codec, channels and seconds of a recording."""
    argv = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", str(recording)]
    found = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)  # noqa: S603  # words of ours
    [stream] = found["streams"]
    return found["format"]["format_name"], stream["codec_name"], stream["channels"], float(found["format"]["duration"])


# ---- what is said


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("Hello *there*, **you**.", "Hello there, you."),
        ("# Title\n\n- one\n- `two`\n\n1. three", "Title\none\ntwo\nthree"),
        ("See [the page](https://example.org/x?y) or https://example.org/z now", "See the page or  now"),
        ("Before\n\n```sh\nrm -rf /\n```\n\n    indented\n\nafter", "Before\nafter"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a\nb\n1\n2"),
        ("![a cat](cat.png)\n\n---\n\n<b>x</b>\n\n🙂", "x"),
        ("one\ntwo  \nthree", "one two three"),
        ("", ""),
    ],
)
def test_what_is_said(markdown: str, said: str) -> None:
    """R-TG-8: words are said; code, addresses and drawings are not."""
    assert sayable(markdown, 100) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("One is one. Two is two. Three is three.", "One is one. Two is two."),
        ("a word after another word after another", "a word after another word"),
        ("x" * 50, "x" * 30),
    ],
)
def test_how_much_is_said(text: str, said: str) -> None:
    """R-TG-8: what is too long ends with a sentence, else with a word."""
    assert sayable(text, 30) == said


# ---- by a program


@pytest.mark.usefixtures("tools")
async def test_espeak_speaks(tmp_path: Path) -> None:
    """R-TG-8: the program's speech comes as chats play it: Opus in Ogg, one channel; longer text takes longer."""
    speaker = Espeak("espeak-ng", SETTINGS, "ffmpeg")
    short, long = tmp_path / "short.ogg", tmp_path / "long.ogg"
    await speaker("Hello.", short, "en", ANN)
    await speaker("-w /etc/passwd is no option here; it is what is said, letter by letter.", long, "es", ANN)
    assert about(short)[:3] == about(long)[:3] == ("ogg", "opus", 1)
    assert 0.2 < about(short)[3] < about(long)[3] < 20


@pytest.mark.usefixtures("tools")
async def test_a_program_that_fails(tmp_path: Path) -> None:
    """R-TG-8: what the program says last is told."""
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho no sound card >&2\nexit 3\n")
    failing.chmod(failing.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(MediaError, match=r"espeak-ng failed \(no sound card\)"):
        await Espeak(str(failing), SETTINGS, "ffmpeg")("Hello.", tmp_path / "a.ogg", "en", ANN)
    with pytest.raises(MediaError, match="espeak-ng failed"):
        await Espeak("espeak-ng", SpeechSettings(voice="nobody"), "ffmpeg")("Hi", tmp_path / "a.ogg", "en", ANN)


# ---- by an API


def service(sim: ModelSim, *keys: str) -> Service:
    """The simulator as one."""
    return Service("openai:tts-1", sim.openai_url, keys)


async def test_an_api_speaks(sim: ModelSim, tmp_path: Path, require: Require) -> None:
    """R-TG-8: text, voice and model go to the API; what comes back is made a recording as chats play it."""
    require("ffmpeg", "apt install ffmpeg")
    purse, target = Purse(), tmp_path / "a.ogg"
    await ApiSpeaker(service(sim, "sk-1"), SETTINGS, "ffmpeg", till(purse))("Hello.", target, "en", ANN)
    assert about(target)[:3] == ("ogg", "opus", 1)
    [entry] = sim.log
    assert entry["body"] == {"model": "tts-1", "input": "Hello.", "voice": "alloy", "response_format": "wav"}
    assert purse.settled == purse.held == [Spent(6, 12, 6 * 15 / 1_000_000, estimated=True)]


async def test_keys_are_tried_in_turn(sim: ModelSim, tmp_path: Path, require: Require) -> None:
    """R-LM-5: a key that is refused costs nothing, the next one is asked; where all are, that is said."""
    require("ffmpeg", "apt install ffmpeg")
    sim.options["fail_keys"] = {"1": "429"}
    purse, target = Purse(), tmp_path / "a.ogg"
    await ApiSpeaker(service(sim, "sk-1", "sk-2"), SETTINGS, "ffmpeg", till(purse))("Hello.", target, "en", ANN)
    assert [spent.usd > 0 for spent in purse.settled] == [False, True]
    sim.options["fail_keys"] = {"1": "500", "2": "401"}
    with pytest.raises(MediaError, match="openai:tts-1 does not speak now"):
        await ApiSpeaker(service(sim, "sk-1", "sk-2"), SETTINGS, "ffmpeg", till(purse))("Hello.", target, "en", ANN)
    with pytest.raises(MediaError, match="does not speak now"):
        await ApiSpeaker(service(sim), SETTINGS, "ffmpeg", till())("x" * 5000, target, "en", ANN)


async def test_an_api_that_is_away(tmp_path: Path) -> None:
    """R-LM-5: a call without an answer is counted as an estimate; nobody knows whether it was made."""
    purse = Purse()
    away = Service("openai:tts-1", "http://127.0.0.1:9/v1/", ("sk-1",))
    with pytest.raises(MediaError, match="openai:tts-1 cannot be reached"):
        await ApiSpeaker(away, SETTINGS, "ffmpeg", till(purse))("Hello.", tmp_path / "a.ogg", "en", ANN)
    assert purse.settled == purse.held
    purse.empty = True
    with pytest.raises(BudgetReached):
        await ApiSpeaker(away, SETTINGS, "ffmpeg", till(purse))("Hello.", tmp_path / "a.ogg", "en", ANN)


async def test_an_api_that_hangs(tmp_path: Path) -> None:
    """R-TG-8: nobody waits for speech longer than is set."""
    held = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await held.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/audio/speech", hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slow = Service("home:kokoro", f"http://127.0.0.1:{runner.addresses[0][1]}", ())
    with pytest.raises(MediaError, match="TimeoutError"):
        await ApiSpeaker(slow, SpeechSettings(timeout_seconds=0.2), "ffmpeg", till())(
            "Hello.", tmp_path / "a.ogg", "en", ANN
        )
    held.set()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("reference", "vendor", "prices", "usd"),
    [
        ("openai:tts-1-hd", "openai", {}, 30.0),
        ("openai:gpt-4o-mini-tts", "openai", {}, 0.6 + 24.0),
        ("openai:tts-1", "openai", {"openai:tts-1": Price(input=1.0, output=2.0)}, 5.0),
        ("home:kokoro", "home", {}, 0.0),
        ("other:speech", "", {}, 15.0 + 150.0),
    ],
)
async def test_what_speech_costs(reference: str, vendor: str, prices: dict[str, Price], usd: float) -> None:
    """R-LM-5: the owner's price, else ours where characters are billed, else the list's, else the dear one."""
    purse = Purse(BudgetSettings(prices=prices))

    async with till(purse, vendor).speech(ANN, reference, 1_000_000):
        assert not purse.settled
    assert purse.settled[0].usd == pytest.approx(usd)


# ---- which


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Decides which programs there are."""

    def only(*names: str) -> None:
        def find(name: str) -> str | None:
            return f"/usr/bin/{name}" if name in names else None

        monkeypatch.setattr(programs, "find", find)

    return only


def chosen(model: str = "", keyed: bool = True, **settings: object) -> str:
    """What speaks with these settings, or why nothing does."""
    media = MediaSettings(speech=SpeechSettings.model_validate(settings))
    found = choose(media, model, KEYED if keyed else {}, till())
    return found if isinstance(found, str) else f"by {found.name}"


def test_what_speaks(there: Callable[..., None]) -> None:
    """R-TG-8: the program of this machine comes first, then an API; what is missing is said, with how to get it."""
    there("espeak-ng", "ffmpeg")
    assert chosen() == "by espeak-ng"
    assert chosen(backend="api") == "by openai:gpt-4o-mini-tts"
    assert chosen("openai:tts-1", backend="api") == "by openai:tts-1"
    assert "switched off" in chosen(backend="off")
    there("ffmpeg")
    assert chosen() == "by openai:gpt-4o-mini-tts"
    assert "apt install espeak-ng" in chosen(backend="espeak-ng")
    assert "apt install espeak-ng" in chosen(keyed=False)
    assert "OPENAI_API_KEY" in chosen(backend="api", keyed=False)
    assert "OPENAI_API_KEY" in chosen("nobody:x", backend="auto")
    there("espeak-ng")
    assert "apt install ffmpeg" in chosen()
