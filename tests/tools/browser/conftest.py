"""Browsers, where they are installed."""

import pytest
from browser_desk import Opens, desk

from ground import Require


@pytest.fixture
def opens(require: Require) -> Opens:
    """Opens a desk with settings and a guard; everything ends with it."""
    require("chromium", "apt install chromium")
    require("bwrap", "apt install bubblewrap")
    return desk
