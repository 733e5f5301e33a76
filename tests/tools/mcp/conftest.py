"""A place for MCP servers."""

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ground import Require
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.mcp import McpBench


@pytest.fixture
async def bench(tmp_path: Path, require: Require) -> AsyncIterator[McpBench]:
    """A place for MCP servers, with a database."""
    require("mcp", "pip install 'lar[mcp]'", found=find_spec("mcp") is not None)
    db = Database(StoreSettings(url=f"sqlite:///{tmp_path}/lar.db"))
    await db.open()
    here = McpBench(tmp_path, db)
    yield here
    for servers in here.opened:
        await servers.close()
    await db.close()
