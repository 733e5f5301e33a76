"""Commands for the operator. Imports nothing heavy until a command needs it."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from lar import __version__
from lar.errors import LarError

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 something is not well, 2 it could not be done."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "command"):
        parser.print_help()
        return 0
    module, _, name = arguments.command.partition(":")
    try:
        return cast("Command", getattr(import_module(f"lar.cli.{module}"), name))(arguments)
    except LarError as error:
        if arguments.debug:
            raise
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; say nothing more
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lar", description="A self-hosted personal assistant and agent gateway.")
    parser.add_argument("--version", action="version", version=f"lar {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_running(commands)
    _add_support(commands)
    _add_config(commands)
    _add_people(commands)
    _add_approvals(commands)
    _add_turns(commands)
    _add_mcp(commands)
    return parser


class Commands(Protocol):
    """Where commands are added: what argparse gives back and does not name in public."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:  # noqa: A002  # argparse's word
        """A parser for one more command."""
        ...


def _command(commands: Commands, name: str, target: str, text: str) -> argparse.ArgumentParser:
    """Add a command. `target` is `module:function` below this package."""
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=target)
    parser.add_argument("--home", type=Path, metavar="DIR", help="home folder (default: LAR_HOME, else ~/.lar)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (default: lar.toml in it)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and debug logs")
    return parser


def _group(commands: Commands, name: str, text: str) -> Commands:
    """Add a command that has commands of its own."""
    return commands.add_parser(name, help=text, description=text).add_subparsers(required=True, metavar="COMMAND")


def _add_running(commands: Commands) -> None:
    run = _command(commands, "run", "run:run", "Run the gateway until it is told to stop.")
    run.add_argument("--only", choices=("gateway", "worker", "web"), help="run one part of it")
    chat = _command(commands, "chat", "chat:chat", "Talk from the terminal.")
    chat.add_argument("words", nargs="*", metavar="MESSAGE", help="say this, print the answer, and exit")
    chat.add_argument("-m", "--message", help="the same; so does each line of standard input")
    chat.add_argument("--as", dest="client", default="local", metavar="NAME", help="name of the conversation")
    chat.add_argument("--timeout", type=float, default=600.0, metavar="S", help="longest wait for the answer to -m")
    status = _command(commands, "status", "status:status", "Show what the gateway does right now.")
    status.add_argument("--json", action="store_true", help="print JSON")
    usage = _command(commands, "usage", "usage:usage", "Show what model calls cost.")
    usage.add_argument("--days", type=int, default=30, metavar="N", help="how far back (default: 30)")
    usage.add_argument("--json", action="store_true", help="print JSON")
    schedules = _command(commands, "schedules", "schedules:schedules", "Show what happens by the clock.")
    schedules.add_argument("--tasks", action="store_true", help="only what Lar does by itself")
    doctor = _command(commands, "doctor", "doctor:doctor", "Check that everything Lar needs is there.")
    doctor.add_argument("--offline", action="store_true", help="do not ask Telegram")


def _add_support(commands: Commands) -> None:
    problems = _command(commands, "problems", "problems:problems", "Show what is wrong, and the error reports.")
    problems.add_argument("report", nargs="?", metavar="N", help="print this report: its number, fingerprint or file")
    alert = _command(commands, "alert", "alert:alert", "Tell the admins something, also where no gateway runs.")
    alert.add_argument("text", nargs="+", metavar="TEXT", help="what to tell; - stands for standard input")
    alert.add_argument("--timeout", type=float, default=30.0, metavar="S", help="longest time it may take")


def _add_config(commands: Commands) -> None:
    group = _group(commands, "config", "Check or show the configuration.")
    _command(group, "check", "config:check", "Read the configuration and say what is wrong with it.")
    _command(group, "show", "config:show", "Print the configuration in force, secrets masked.")
    reference = _command(group, "reference", "config:reference", "Print every key with its type, default and meaning.")
    reference.add_argument("--example", action="store_true", help="print an example file instead")


def _add_approvals(commands: Commands) -> None:
    group = _group(commands, "approvals", "See and answer what waits for a yes or no.")
    _command(group, "list", "approvals:list_", "Show open questions, and what was permitted for good.")
    approve = _command(group, "approve", "approvals:approve", "Say yes to a question.")
    approve.add_argument("id", type=int, metavar="ID", help="as `lar approvals list` shows it")
    approve.add_argument("scope", nargs="?", default="once", help="once (the default), conversation or always")
    deny = _command(group, "deny", "approvals:deny", "Say no to a question.")
    deny.add_argument("id", type=int, metavar="ID", help="as `lar approvals list` shows it")
    deny.add_argument("reason", nargs="?", default="", help="what the model is told")
    withdraw = _command(group, "withdraw", "approvals:withdraw", "Take a permission back.")
    withdraw.add_argument("id", type=int, metavar="ID", help="as `lar approvals list` shows it")


def _add_people(commands: Commands) -> None:
    group = _group(commands, "people", "Decide who may talk to Lar.")
    _command(group, "list", "people:list_", "Show everybody Lar knows, and who asks to be let in.")
    add = _command(group, "add", "people:add", "Let somebody in.")
    add.add_argument("who", metavar="CHANNEL:USER", help="such as telegram:123456789")
    add.add_argument("--account", default="main", help="account of the channel (default: main)")
    add.add_argument("--name", default="", help="what Lar calls them")
    add.add_argument("--admin", action="store_true", help="let them administer Lar, too")
    approve = _command(group, "approve", "people:approve", "Let in whoever was given this pairing code.")
    approve.add_argument("code", metavar="CODE")
    for name, text in (("remove", "Withdraw what was granted to a person."), ("admin", "Make a person an admin.")):
        one = _command(group, name, f"people:{name}", text)
        one.add_argument("id", type=int, metavar="ID", help="as `lar people list` shows it")


def _add_turns(commands: Commands) -> None:
    group = _group(commands, "turn", "Look at what was done to answer.")
    listing = _command(group, "list", "turns:list_", "Show the last turns.")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: 20)")
    show = _command(group, "show", "turns:show", "Print a turn's timeline.")
    show.add_argument("id", type=int, metavar="ID")
    export = _command(group, "export", "turns:export", "Write a turn's record as JSON.")
    export.add_argument("id", type=int, metavar="ID")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write here instead of standard output")
    again = _command(group, "replay", "turns:replay", "Run an exported turn again, offline, and say what differs now.")
    again.add_argument("file", type=Path, metavar="FILE")


def _add_mcp(commands: Commands) -> None:
    group = _group(commands, "mcp", "Look at MCP servers, and accept what they say of their tools.")
    _command(group, "list", "mcp:list_", "Show the servers, and tools that are new or changed.")
    accept = _command(group, "accept", "mcp:accept", "Show what changed in a server, and offer it from now on.")
    accept.add_argument("server", metavar="SERVER")
    accept.add_argument("tool", nargs="?", metavar="TOOL", help="only this one")
