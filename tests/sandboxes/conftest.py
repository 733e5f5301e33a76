"""What tests of sandboxes share."""

import os
from pathlib import Path

import pytest

from ground import Require
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.docker import Docker
from lar.sandboxes.settings import DockerSettings


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


@pytest.fixture
def docker_host(require: Require) -> str:
    """Where docker's engine for tests listens."""
    host = os.environ.get("LAR_TEST_DOCKER", "")
    require(
        "docker's engine for tests",
        "apt install docker.io busybox-static; scripts/docker_for_tests.sh /run/lar-docker start; "
        "export LAR_TEST_DOCKER=unix:///run/lar-docker/docker.sock",
        found=bool(host),
    )
    return host


@pytest.fixture
async def docker(docker_host: str) -> Docker:
    """Docker with the image of `scripts/docker_for_tests.sh`."""
    sandbox = Docker(DockerSettings(host=docker_host, image="lar-sandbox:test"))
    found = await sandbox.check()
    assert found.works, found.detail
    return sandbox
