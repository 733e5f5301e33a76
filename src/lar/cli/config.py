"""`lar config`."""

import argparse
import json

from lar.cli.context import read_config
from lar.config import Settings
from lar.config.reference import example as write_example
from lar.config.reference import reference as write_reference
from lar.config.secret import masked


def check(arguments: argparse.Namespace) -> int:
    """Read the configuration; 1 if it has warnings."""
    config = read_config(arguments)
    print(f"{config.file or 'No configuration file'}: {len(config.warnings) or 'no'} warnings.")
    for name, agent in config.agents.items():
        print(f"agent {name}: {agent.runtime} {agent.model}".rstrip())
    return 1 if config.warnings else 0


def show(arguments: argparse.Namespace) -> int:
    """Print what is in force as JSON, secrets masked."""
    config = read_config(arguments)
    sections = {name: getattr(config, name) for name in Settings.model_fields}
    print(json.dumps(masked(sections), ensure_ascii=False, indent=2))
    return 0


def reference(arguments: argparse.Namespace) -> int:
    """Print `docs/configuration.md`, or `lar.example.toml`."""
    print(write_example() if arguments.example else write_reference(), end="")
    return 0
