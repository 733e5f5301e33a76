"""Which browser there is, and what is said where there is none."""

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from web_site import elsewhere

from lar.domain.artifact import Artifact
from lar.errors import MissingComponent
from lar.tools.artifacts import Keep
from lar.tools.browser import finding
from lar.tools.browser.browsers import Browsers
from lar.tools.browser.finding import find
from lar.tools.browser.settings import BrowserSettings
from lar.tools.browser.tools import browser_tools


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, which is all there is; the library is installed."""
    spec = ModuleSpec("playwright", None, origin="/opt/site/playwright/__init__.py")
    monkeypatch.setattr(finding, "find_spec", installed(spec))
    return tmp_path


def installed(spec: ModuleSpec | None) -> Callable[[str], ModuleSpec | None]:
    """What is found of the library, whatever its name."""

    def found(_name: str) -> ModuleSpec | None:
        return spec

    return found


def install(folder: Path, *names: str) -> None:
    """Install programs."""
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def missing(settings: BrowserSettings, folder: Path) -> str:
    """Why nothing is found."""
    with pytest.raises(MissingComponent) as caught:
        find(settings, str(folder))
    return str(caught.value)


def test_what_is_installed_is_found(machine: Path) -> None:
    """R-TO-5: the lightest installed browser is taken, or the one that is named; walls see where it is."""
    install(machine, "bwrap", "google-chrome", "chromium", "beta")
    found = find(BrowserSettings(), str(machine))
    assert found.executable == str(machine / "chromium")
    assert found.site == Path("/opt/site")
    assert machine.resolve() in found.readable
    assert find(BrowserSettings(launch_channel="beta"), str(machine)).executable.endswith("/beta")
    named = BrowserSettings(executable_path=str(machine / "beta"), browser="firefox", sandbox="bubblewrap")
    assert find(named, str(machine)).executable.endswith("/beta")


def test_what_is_missing_is_said(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-TO-5: what is missing is named with the command that installs it, or the setting that names it."""
    assert missing(BrowserSettings(), machine) == "no Chromium is installed: apt install chromium"
    assert "executable_path" in missing(BrowserSettings(browser="webkit"), machine)
    assert "there is no browser /x" in missing(BrowserSettings(executable_path="/x"), machine)
    install(machine, "chromium")
    assert "apt install bubblewrap" in missing(BrowserSettings(), machine)
    assert find(BrowserSettings(sandbox="basic"), str(machine))
    assert "bubblewrap" in missing(BrowserSettings(browser="firefox", executable_path="x", sandbox="basic"), machine)
    monkeypatch.setattr(finding, "find_spec", installed(None))
    assert "pip install 'lar[browser]'" in missing(BrowserSettings(), machine)


def test_no_tools_without_a_browser(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-TO-5: where there is no browser, or it is switched off, a model is offered none of its tools."""
    keep: Keep = _keep
    monkeypatch.setattr(finding, "find_spec", installed(None))
    assert browser_tools(Browsers(BrowserSettings(), elsewhere()), keep) == ()
    assert browser_tools(Browsers(BrowserSettings(enabled=False), elsewhere()), keep) == ()
    assert not list(machine.iterdir())


async def _keep(*_: object) -> Artifact:
    raise AssertionError
