"""Control commands, through Telegram and the running product."""

import re

import pytest

from lar.testing.stage import Stage, until
from lar.testing.telegram.wire import Json

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN = 1000
SPANISH = {"language_code": "es"}


async def say(door: Stage, text: str, chat: int, user: Json | int | None = None) -> str:
    """Write, and return the first thing the bot says then."""
    return str((await door.telegram.ask(text, chat, user=user))["text"])


async def test_help_lists_what_this_person_may_use(door: Stage, chat: int) -> None:
    """A user is told of every command they may use, an admin also of the menu's."""
    told = await say(door, "/help", chat)
    for name in ("help", "start", "new", "stop", "cancel", "queue", "status", "whoami", "where"):
        assert f"/{name} - " in told
    assert "/synccommands" not in told
    assert "/login" not in told, "there is no password here"
    assert "/synccommands - " in await say(door, "/help", ADMIN)


async def test_ids_and_place_are_told(door: Stage, chat: int) -> None:
    """Whoever sets Lar up finds the ids they need, and where they are."""
    whoami = await say(door, "/whoami", chat)
    assert f"user_id: {chat}" in whoami
    assert f"chat_id: {chat}" in whoami
    assert "role: user" in whoami
    assert "role: admin" in await say(door, "/whoami", ADMIN)
    assert re.search(r"thread: 1\nagent: main\nplace: private", await say(door, "/where", chat))


async def test_new_begins_a_thread(door: Stage, chat: int) -> None:
    """After /new the model no longer sees what was said before."""
    await say(door, "the word is boiler", chat)
    assert "roles=user,assistant,user," in await say(door, "[[history]]", chat)
    assert "number 2" in await say(door, "/new", chat)
    assert "thread: 2" in await say(door, "/where", chat)
    assert "roles=user," in await say(door, "[[history]]", chat)


async def test_status_tells_the_last_turn(door: Stage, chat: int) -> None:
    """/status says what runs, what waits, and how the last turn ended."""
    assert "no turn yet" in await say(door, "/status", chat)
    await say(door, "hello", chat)
    told = await say(door, "/status", chat)
    assert "agent: main (loop)" in told
    assert re.search(r"last turn: \d+, done", told)


async def test_spanish(door: Stage, chat: int) -> None:
    """A Spanish client is answered in Spanish, by every command."""
    user = {"id": chat, **SPANISH}
    assert "Comandos:" in await say(door, "/help", chat, user)
    assert "¡Hola" in await say(door, "/start", chat, user)
    assert "nombre:" in await say(door, "/whoami", chat, user)
    assert "conversación:" in await say(door, "/where", chat, user)
    assert "todavía ningún turno" in await say(door, "/status", chat, user)
    assert "Empieza un hilo nuevo" in await say(door, "/new", chat, user)
    assert "nada en marcha" in await say(door, "/stop", chat, user)
    assert "nada en marcha" in await say(door, "/cancel", chat, user)
    assert "no espera nada" in await say(door, "/queue", chat, user)
    assert "No conozco /dance" in await say(door, "/dance", chat, user)


async def test_unknown_command_is_not_for_the_model(door: Stage, chat: int) -> None:
    """A misspelt command is said to be unknown and costs no model call."""
    asked = door.models.last_number
    assert "I do not know /sotp" in await say(door, "/sotp", chat)
    assert door.models.last_number == asked


async def test_command_for_another_bot_is_left_alone(door: Stage, chat: int) -> None:
    """In a group, a command that names another bot is not ours; one that names us is."""
    group = -chat
    door.telegram.send_text("/whoami@other_bot", group, user=chat)
    told = await door.telegram.ask("/whoami@sim_bot", group, user=chat)
    assert f"chat_id: {group}" in told["text"]
    assert len(door.texts(group)) == 1


async def test_menu_is_synchronised_at_start(door: Stage) -> None:
    """Telegram knows the commands in both languages, and the admin's own, without anybody asking."""
    commands = door.telegram.bot.commands
    await until(lambda: len(commands) >= 6)
    named = {(scope, language): {entry["command"] for entry in menu} for (scope, language), menu in commands.items()}
    everybody = [names for (scope, _), names in named.items() if "default" in scope]
    admins = [names for (scope, _), names in named.items() if str(ADMIN) in scope]
    assert len(everybody) == len(admins) == 3, "for no language in particular, English, Spanish"
    assert all("stop" in names and "synccommands" not in names for names in everybody)
    assert all("synccommands" in names for names in admins)


async def test_synccommands(door: Stage, chat: int) -> None:
    """An admin has the menu synchronised again; nobody else does."""
    assert "Only an admin" in await say(door, "/synccommands", chat)
    calls = [call for call in door.telegram.calls if call["method"] == "setMyCommands"]
    sent = door.telegram.send_text("/synccommands", ADMIN)
    await door.telegram.expect_reply(ADMIN, sent["seq"], match="The command menu is synchronised")
    again = [call for call in door.telegram.calls if call["method"] == "setMyCommands"]
    assert len(again) >= len(calls) + 6
