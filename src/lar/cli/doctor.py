"""`lar doctor`."""

import argparse
import asyncio
import os

from lar.config import home_folder, load
from lar.errors import ConfigError
from lar.media.camera import devices
from lar.operations import doctor as checks

_MARK = {"ok": "ok  ", "note": "note", "warn": "WARN", "fail": "FAIL"}


def doctor(arguments: argparse.Namespace) -> int:
    """Run all checks; 1 if one of them failed."""
    found = [checks.python(), checks.home_folder(home_folder(os.environ, arguments.home))]
    try:
        config = load(arguments.config, os.environ, arguments.home)
    except ConfigError as error:
        found.append(checks.Check("configuration", "fail", str(error), "correct it; `lar config check` looks again"))
    else:
        found += [checks.Check("configuration", "warn", warning) for warning in config.warnings]
        subject = checks.Subject(
            config.home,
            config.database,
            config.providers,
            config.channels.telegram,
            config.server.host,
            config.server.port,
            ask_vendors=not arguments.offline,
            sandbox=config.sandbox,
            cameras=devices(config.tools.camera),
            browser=config.tools.browser,
            media=config.media,
            transcription=config.models.transcription,
            speech_model=config.models.speech,
        )
        found += asyncio.run(checks.examine(subject))
    for check in found:
        print(
            f"{_MARK[check.state]}  {check.name}: {check.detail}"
            + (f"\n      → {check.remedy}" if check.remedy else "")
        )
    return 1 if any(check.state == "fail" for check in found) else 0
