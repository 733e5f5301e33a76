"""The bot itself: who it is, its commands, its name and descriptions."""

import functools
import json
import re
from typing import cast

from lar.testing.telegram.methods.call import Call, Handler
from lar.testing.telegram.wire import Json, bad

_LIMITS = {"name": 64, "description": 512, "short_description": 120}  # characters


def get_me(call: Call) -> Json:
    """Who the bot is and what it may."""
    return {
        **call.bot.user,
        "can_join_groups": True,
        "can_read_all_group_messages": not call.world.options["privacy_mode"],
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": call.world.options["private_topics"],
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
        "supports_guest_queries": False,
    }


def _command_key(call: Call) -> tuple[str, str]:
    scope = call.params.parsed("scope") or {"type": "default"}
    return json.dumps(scope, sort_keys=True), call.params.text("language_code")


def set_my_commands(call: Call) -> bool:
    """The menu of commands, per scope and language."""
    given = call.params.parsed("commands")
    if not isinstance(given, list):
        raise bad("can't parse commands JSON object")
    commands = cast("list[Json]", given)
    if len(commands) > 100:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"/?[a-z0-9_]{1,32}", command.get("command", ""), re.ASCII):
            raise bad("BOT_COMMAND_INVALID")
        description = command.get("description", "").strip()
        if not description:
            raise bad("command description must be non-empty")
        if len(description) > 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    call.bot.commands[_command_key(call)] = [
        {"command": command["command"].lstrip("/"), "description": command["description"]} for command in commands
    ]
    return True


def get_my_commands(call: Call) -> list[Json]:
    """The menu of exactly this scope and language."""
    return call.bot.commands.get(_command_key(call), [])


def delete_my_commands(call: Call) -> bool:
    """No menu for this scope and language."""
    call.bot.commands.pop(_command_key(call), None)
    return True


def set_profile(field: str, call: Call) -> bool:
    """The bot's name or a description, per language."""
    text = call.params.text(field)
    if len(text) > _LIMITS[field]:
        raise bad("BOT_TITLE_INVALID" if field == "name" else "BOT_ABOUT_INVALID")
    call.bot.profile[field, call.params.text("language_code")] = text
    return True


def get_profile(field: str, call: Call) -> Json:
    """The bot's name or a description, in this language or else in any."""
    known = call.bot.profile
    default = call.bot.user["first_name"] if field == "name" else ""
    return {field: known.get((field, call.params.text("language_code"))) or known.get((field, "")) or default}


METHODS: dict[str, Handler] = {
    "getme": get_me,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    **{"setmy" + field.replace("_", ""): functools.partial(set_profile, field) for field in _LIMITS},
    **{"getmy" + field.replace("_", ""): functools.partial(get_profile, field) for field in _LIMITS},
}
