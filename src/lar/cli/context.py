"""What every command begins with: its configuration, and a way to the data."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping
from typing import cast

import httpx

from lar.config import Config, home_folder, load
from lar.domain.values import JsonObject
from lar.errors import LarError
from lar.operations import home

PATIENCE = 30.0
"""Seconds the gateway may take to answer a command."""


def read_config(arguments: argparse.Namespace) -> Config:
    """The configuration of this command; its warnings go to standard error."""
    config = load(arguments.config, os.environ, arguments.home)
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return config


def call(arguments: argparse.Namespace, name: str, payload: Mapping[str, object] | None = None) -> JsonObject:
    """Run an operation in the running gateway, else on the database itself.

    Raises:
        LarError: it cannot be done.

    """
    running = home.find(home_folder(os.environ, arguments.home))
    if running:
        try:
            return call_gateway(running, home.token(home_folder(os.environ, arguments.home)), name, payload or {})
        except httpx.ConnectError:
            pass  # its process id lives on in another process
    return asyncio.run(_directly(read_config(arguments), name, payload or {}))


def call_gateway(running: home.Running, token: str, name: str, payload: JsonObject) -> JsonObject:
    """Run an operation in this gateway.

    Raises:
        httpx.ConnectError: nobody listens there.
        LarError: it cannot be done.

    """
    try:
        answer = httpx.post(
            f"{running.url}/local/{name}",
            json=dict(payload),
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
            trust_env=False,
        )
        value = cast("dict[str, object]", answer.json())
    except httpx.ConnectError:
        raise
    except (httpx.HTTPError, ValueError) as error:
        raise LarError(
            f"the gateway at {running.url} gives no proper answer: {error or type(error).__name__}"
        ) from error
    if answer.is_error:
        raise LarError(str(value.get("detail", answer.reason_phrase)))
    return value


async def _directly(config: Config, name: str, payload: JsonObject) -> JsonObject:
    from lar.operations.calls import READING, Operations  # the database's library, where no gateway answers
    from lar.store.database import Database

    home.prepare(config.home)
    db = Database(config.database)
    await db.open(read_only=name in READING)
    try:
        return await Operations(db, time.time).call(name, payload)
    finally:
        await db.close()
