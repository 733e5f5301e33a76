"""Command menus, synchronised when they changed and when somebody asks."""

from dataclasses import replace

import pytest

from lar.conversations.commands import ANNOUNCE, menu
from lar.errors import ChannelError
from lar.policy.access import AccessRules
from lar.store import jobs
from lar.testing.household import Household, Plan, living


async def test_a_changed_menu_is_announced_once(plan: Plan) -> None:
    """R-TG-11: at start a menu that is not what the vendor was told last is synchronised, and no other."""
    async with living(plan) as house:
        await house.menus.changed()
        await house.quiet()
        await house.menus.changed()
        await house.quiet()
        assert house.channel.menus == [tuple(menu(plan.rules))]
        await house.stop()
        following = await house.again(rules=replace(plan.rules, password="secret"))  # noqa: S106  # a test's own
        await following.menus.changed()
        await following.quiet()
        assert len(house.channel.menus) == 2
        await following.stop()


async def test_an_admin_synchronises_the_menu(house: Household) -> None:
    """R-TG-11: `/synccommands` announces the menu again and says that it did, to an admin alone."""
    nine = house.channel.chat("9", language="es")
    assert await house.ask("/synccommands", chat=nine) == "Se está sincronizando el menú de comandos."
    await house.quiet()
    assert house.channel.texts("9")[-1] == "El menú de comandos está sincronizado."
    assert await house.ask("/synccommands") == "Only an admin may do this."
    await house.quiet()
    assert len(house.channel.menus) == 1


async def test_who_asked_is_told_of_a_failure(house: Household) -> None:
    """R-TG-11: a vendor that refuses the menu is quoted."""
    house.channel.announcing = ChannelError("BOT_COMMANDS_TOO_MUCH")
    await house.ask("/synccommands", chat=house.channel.chat("9"))
    await house.quiet()
    assert house.channel.texts("9")[-1] == "The command menu could not be synchronised: BOT_COMMANDS_TOO_MUCH"


@pytest.mark.parametrize("asked", [True, False])
async def test_a_menu_that_cannot_be_announced_is_given_up(house: Household, asked: bool) -> None:
    """An adapter that trips over the menu is tried again some times; who asked hears of the end, a start goes on."""
    house.channel.announcing = RuntimeError("a bug")
    if asked:
        await house.ask("/synccommands", chat=house.channel.chat("9"))
    else:
        await house.menus.changed()
    await house.quiet(passing=1)
    texts = house.channel.texts("9")
    assert [text for text in texts if "could not be synchronised: RuntimeError: a bug" in text] == texts[1:]
    assert len(texts) == (2 if asked else 0)


async def test_a_start_tries_again(house: Household) -> None:
    """R-TG-11: at start a vendor that cannot be reached is tried again by the engine."""
    house.channel.announcing = ChannelError("cannot be reached")
    await house.menus.changed()
    await house.until_stored(lambda c: any(job.failures for job in jobs.open_in_lane(c, f"{ANNOUNCE}:fake:main")))
    house.channel.announcing = None
    await house.quiet(passing=1)
    assert len(house.channel.menus) == 1


async def test_the_menu_of_an_account_that_is_gone_is_nobodys(plan: Plan) -> None:
    """A menu asked for by a process that had the account is no trouble for one that has it not."""
    house = Household(plan)
    await house.open()
    await house.menus.changed()
    await house.crash()
    following = await house.again(silent_channels=True, rules=AccessRules())
    await following.menus.changed()
    await following.quiet()
    assert house.channel.menus == []
    await following.stop()
