"""What tests of sandboxes share."""

from pathlib import Path

import pytest

from ground import Require
from lar.sandboxes.bubblewrap import Bubblewrap


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
async def bubblewrap(require: Require) -> Bubblewrap:
    """Bubblewrap, where it works."""
    sandbox = Bubblewrap()
    found = await sandbox.check()
    require(f"a working bubblewrap ({found.detail})", "apt install bubblewrap libseccomp2", found=found.works)
    return sandbox
