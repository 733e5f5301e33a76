"""The ground is laid before the first test module is imported; and the fixtures that any test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

from ground import Require, forget_operator, guard_network, require_component

# A slow machine is no failure, and an example that failed is printed so that it can be pinned.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def pytest_configure() -> None:
    """Close the doors."""
    forget_operator()
    guard_network()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty LAR_HOME of this test's own, also for the processes it starts."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("LAR_HOME", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture(scope="session")
def require() -> Require:
    """`require(component, command)`: go on only where it is installed. Skips, or fails where all is required."""
    return require_component
