import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from lar.operations.logging import QUIET, Plain, set_up
from lar.operations.redaction import MASK, Redactor
from lar.operations.settings import LoggingSettings

HIDDEN = "hidden-value-1"
FILE_ONLY = LoggingSettings(stderr=False)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leaves logging as it was found."""
    root = logging.getLogger()
    level, handlers, raising = root.level, list(root.handlers), logging.raiseExceptions
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(folder: Path) -> list[str]:
    """The lines of the log file, without their times."""
    text = (folder / "lar.log").read_text(encoding="utf-8")
    return [line.partition(" ")[2] for line in text.splitlines()]


def test_one_line_of_logfmt(tmp_path: Path) -> None:
    """Whatever is logged is one line of key=value, with what it belongs to."""
    set_up(FILE_ONLY, tmp_path, ())
    with structlog.contextvars.bound_contextvars(turn=7, conversation=3):
        structlog.get_logger("lar.x").info("part sent", delivery=9, text="a b\nc", ok=True, nothing=None)
        logging.getLogger("vendor").warning("from %s", "elsewhere", extra={"strange key": "\x1b[31m"})
    first, second = lines(tmp_path)
    assert first.startswith('level=info event="part sent"')
    for pair in ("turn=7", "conversation=3", "delivery=9", 'text="a b\\nc"', "ok=true", "nothing=", "logger=lar.x"):
        assert pair in first
    assert 'event="from elsewhere"' in second
    assert "turn=7" in second
    assert "strange_key=" in second
    assert "\x1b" not in second


def test_no_secret_in_any_corner(tmp_path: Path) -> None:
    """Configured secrets and what looks like one vanish from messages, values, addresses and exceptions."""
    set_up(FILE_ONLY, tmp_path, (HIDDEN,))
    log = structlog.get_logger()
    log.info(f"event {HIDDEN}", value=HIDDEN, nested={"a": [HIDDEN]})  # noqa: G004  # what must not leak may stand anywhere
    try:
        int(HIDDEN)
    except ValueError:
        log.exception("it failed")
        logging.getLogger("vendor").exception("it failed, too: %s", HIDDEN)
    logging.getLogger("vendor").error("GET https://api.telegram.org/bot123456789:%s/getMe", "A" * 35)
    text = "\n".join(lines(tmp_path))
    assert HIDDEN not in text
    assert "A" * 35 not in text
    assert text.count(MASK) >= 6
    assert "ValueError" in text


def test_libraries_are_quiet(tmp_path: Path) -> None:
    """A line per HTTP request, with its address, is nothing anybody asked for; warnings are kept."""
    set_up(FILE_ONLY, tmp_path, ())
    logging.getLogger("httpx").info("HTTP Request: POST https://...")
    logging.getLogger("httpx").warning("odd")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    odd, old = lines(tmp_path)
    assert "event=odd" in odd
    assert "DeprecationWarning" in old


def test_debug_and_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The level and the two places are as configured; a second set-up replaces the first."""
    set_up(LoggingSettings(level="error"), tmp_path, ())
    set_up(LoggingSettings(level="debug", file=False), tmp_path, ())
    structlog.get_logger().debug("fine detail")
    assert capsys.readouterr().err.count("fine detail") == 1
    assert not (tmp_path / "lar.log").exists()


def test_the_file_is_rotated(tmp_path: Path) -> None:
    """Logs never fill the disk: old files go."""
    set_up(LoggingSettings(stderr=False, max_bytes=1000, keep=2), tmp_path / "logs", ())
    for number in range(100):
        structlog.get_logger().info("a line of some length", number=number)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["lar.log", "lar.log.1", "lar.log.2"]


@pytest.mark.parametrize(
    "text",
    [
        "123456789:" + "A" * 35,
        "sk-proj-" + "a" * 16,
        "gsk_" + "a" * 16,
        "AIza" + "A" * 35,
        "ghp_" + "a" * 16,
        f"eyJ{'a' * 8}.{'b' * 8}.c",
        "Authorization: Bearer abcdefgh12345678",
        "postgresql://lar:pass-word@db/lar",
    ],
)
def test_shapes_of_secrets(text: str) -> None:
    """Secrets nobody configured are known by their shape."""
    assert MASK in Redactor()(f"see {text} there")


@pytest.mark.parametrize("text", ["turn 12345678:ok", "https://example.com/a?b=c", "task-list", "12:30:45", "sk-short"])
def test_ordinary_text_stays(text: str) -> None:
    """Times, addresses and words are not taken for secrets."""
    assert Redactor(("ab",))(text) == text


@given(st.text(min_size=6), st.text(), st.text())
def test_a_configured_secret_never_survives(secret: str, before: str, after: str) -> None:
    """Whatever a secret is made of, and wherever it stands, it is gone afterwards."""
    cleaned = Redactor((secret,))(before + secret + after)
    assert secret not in cleaned.replace(MASK, "") or secret in (before + after)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_event_is_one_line(event: dict[str, object]) -> None:
    """No key or value can break a line in two or make the renderer fail."""
    plain = Plain(Redactor())(None, "", dict(event))
    line = structlog.processors.LogfmtRenderer()(None, "", plain)
    assert len(str(line).splitlines()) <= 1
