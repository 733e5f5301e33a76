"""`lar alert`."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from lar import app
from lar.config import Config, load
from lar.errors import ConfigError
from lar.operations.redaction import Redactor

NEEDED = frozenset({"channels", "support", "database"})
"""All of the configuration that an alert needs: what is wrong with the rest may be why there is one."""


def alert(arguments: argparse.Namespace) -> int:
    """Tell the admins; 0 only if it arrived somewhere."""
    words = [sys.stdin.read() if word == "-" else word for word in arguments.text]
    config, problem = _read(arguments)
    text = "\n".join(filter(None, (" ".join(words).strip(), problem)))
    told = asyncio.run(app.alert(config, Redactor(config.secrets)(f"🚨 {text}"), arguments.timeout))
    for sentence in told.problems:
        print(Redactor(config.secrets)(sentence), file=sys.stderr)
    if not told.chats:
        print("nobody was told", file=sys.stderr)
        return 1
    print(f"told: {', '.join(f'{chat.channel}:{chat.chat}' for chat in told.chats)}")
    return 0


def _read(arguments: argparse.Namespace) -> tuple[Config, str]:
    """What is needed of the configuration, of the environment alone where the file cannot be used; and why."""
    try:
        return load(arguments.config, os.environ, arguments.home, NEEDED), ""
    except ConfigError as error:
        return load(Path(os.devnull), os.environ, arguments.home, NEEDED), str(error)
