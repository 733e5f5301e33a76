"""What people are told about money: warnings, refusals with a button for admins, and `/usage`."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lar.conversations.admins import Telling
from lar.conversations.metering import add_for_today, raised
from lar.conversations.strings import say
from lar.domain.conversation import Place
from lar.domain.delivery import Button, Part
from lar.domain.ids import ConversationId, PrincipalId
from lar.domain.principal import Principal
from lar.domain.spend import Payer
from lar.policy import budgets as policy
from lar.policy.budgets import Account, Scope, Standing
from lar.policy.settings import BudgetSettings
from lar.store import budgets, conversations, deliveries, lasting, people
from lar.store.budgets import Line

RAISE = "budget:"
"""What the button of a refusal carries, before the day, what was added already, and the account."""

_LONGEST_BUTTON = 64
_TOLD = "budget_told"
"""Where it is kept what people were told on which `day`: `keys`."""


@dataclass(frozen=True, slots=True)
class Spending:
    """The budgets as conversations see them: says them, raises them, and tells of them. A `Notices`.

    `day_of` gives the day of a moment as YYYY-MM-DD.
    """

    settings: BudgetSettings
    telling: Telling
    day_of: Callable[[float], str]

    def refused(self, connection: Connection, standing: Standing, day: str, now: float, /) -> None:
        """Tell the admins, once a day for each account, with a button that allows more for today."""
        account = standing.account
        if not _first_time(connection, f"refused:{account.key}:{standing.cap:g}", day):
            return
        more = policy.more_for_today(self.settings, account)
        before = raised(connection, day).get(account.key, 0.0)
        data = f"{RAISE}{day}:{before:g}:{account.key}"
        for chat, language in self.telling.chats(connection, now):
            button = Button(say(language, "budget_raise", usd=f"{more:g}"), data)
            buttons = ((button,),) if more and len(data.encode()) <= _LONGEST_BUTTON else ()
            text = say(language, "budget_refused", **_words(connection, standing, language))
            deliveries.add(connection, chat.id, [Part(text, buttons=buttons)], now)

    def warned(self, connection: Connection, payer: Payer, near: Sequence[Standing], day: str, now: float, /) -> None:
        """Tell a person of their own budget where they are, and the admins of every other; once a day each."""
        for standing in near:
            if not _first_time(connection, f"warned:{standing.account.key}", day):
                continue
            if standing.account.scope is Scope.PERSON and payer.conversation_id:
                self._warn_person(connection, payer, standing, now)
                continue

            def worded(language: str, standing: Standing = standing) -> str:
                return say(language, "budget_warned", **_words(connection, standing, language))

            self.telling.tell(connection, worded, now)

    def _warn_person(self, connection: Connection, payer: Payer, standing: Standing, now: float) -> None:
        """In a group without the sums: what somebody spends is theirs."""
        here = conversations.get(connection, ConversationId(payer.conversation_id))
        language = people.get(connection, payer.principal_id).language or self.telling.language
        said = "budget_near" if here.place is Place.GROUP else "budget_warned"
        text = say(language, said, **_words(connection, standing, language))
        deliveries.add(connection, here.id, [Part(text)], now)

    def allow_more(self, connection: Connection, data: str, by: Principal, now: float) -> str | None:
        """An admin pressed the button: what to tell them; None if its day is over, or it was pressed already."""
        day, _, rest = data.removeprefix(RAISE).partition(":")
        before, _, key = rest.partition(":")
        account = Account.from_key(key)
        if account is None or day != self.day_of(now) or before != f"{raised(connection, day).get(key, 0.0):g}":
            return None
        more = policy.more_for_today(self.settings, account)
        add_for_today(connection, key, more, day)
        whose = _whose(connection, account, by.language)
        return say(by.language, "budget_raised", whose=whose, usd=f"{more:g}", by=by.name)

    def usage(self, connection: Connection, who: Principal, now: float, language: str, *, everybody: bool) -> str:
        """What was spent today and this month: by this person, or by everybody."""
        day = self.day_of(now)
        mine = None if everybody else who.id
        month = budgets.lines(connection, f"{day[:7]}-01", day, mine)
        today = [line for line in month if line.day == day]
        said = [self._total(language, "usage_today", today), self._total(language, "usage_month", month)]
        groups = [("usage_model", _by(month, lambda line: line.model))]
        if everybody:
            groups.insert(0, ("usage_person", _by(month, lambda line: _name(connection, line.principal_id))))
            groups.insert(1, ("usage_agent", _by(month, lambda line: line.agent or "-")))
        for title, sums in groups:
            if sums:
                rows = (f"- {name}: {_dollars(usd)} ({calls})" for name, (usd, calls) in sums)
                said += ["", say(language, title), *rows]
        return "\n".join(said)

    def _total(self, language: str, key: str, lines: Sequence[Line]) -> str:
        estimated = sum(line.estimated_usd for line in lines)
        more = say(language, "usage_estimated", usd=_dollars(estimated)) if estimated else ""
        usd, calls = sum(line.usd for line in lines), sum(line.calls for line in lines)
        return say(language, key, usd=_dollars(usd), calls=calls, estimated=more)


def _by(lines: Sequence[Line], name: Callable[[Line], str]) -> list[tuple[str, tuple[float, int]]]:
    """Dollars and calls by name, the dearest first."""
    sums: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for line in lines:
        usd, calls = sums[name(line)]
        sums[name(line)] = (usd + line.usd, calls + line.calls)
    return sorted(sums.items(), key=lambda item: -item[1][0])


def _dollars(usd: float) -> str:
    return f"${usd:.4f}" if 0 < usd < 0.1 else f"${usd:.2f}"  # noqa: PLR2004  # below that, cents say nothing


def _name(connection: Connection, number: int) -> str:
    return people.get(connection, PrincipalId(number)).name if number else "Lar"


def _whose(connection: Connection, account: Account, language: str) -> str:
    name = _name(connection, int(account.name)) if account.scope is Scope.PERSON else account.name
    return say(language, f"budget_{account.scope}", name=name)


def _words(connection: Connection, standing: Standing, language: str) -> dict[str, object]:
    return {
        "whose": _whose(connection, standing.account, language),
        "period": say(language, f"period_{standing.account.period}"),
        "spent": _dollars(standing.spent),
        "cap": f"${standing.cap:g}",
    }


def _first_time(connection: Connection, key: str, day: str) -> bool:
    """Whether nobody was told of this on this day; from now on somebody was."""
    kept = lasting.load(connection, _TOLD)
    keys: list[str] = kept["keys"] if kept is not None and kept["day"] == day else []
    if key in keys:
        return False
    lasting.save(connection, _TOLD, {"day": day, "keys": [*keys, key]})
    return True
