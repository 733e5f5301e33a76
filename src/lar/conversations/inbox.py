"""The inbox: every update is committed here before its channel acknowledges it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from lar.conversations import answers, changed_tools, commands, lane, pairing, pending, questions, solving, timing
from lar.conversations.commands import Facts, Visit
from lar.conversations.settings import ConversationSettings
from lar.conversations.spending import RAISE
from lar.conversations.strings import say
from lar.domain.conversation import Address, Place
from lar.domain.delivery import Part
from lar.domain.ids import JobId, PrincipalId, QuestionId
from lar.domain.inbound import ChatStatus, Inbound, Press, Sender, Text
from lar.domain.principal import Principal, Role
from lar.domain.question import Question
from lar.domain.turn import TurnState
from lar.domain.values import Clock
from lar.errors import StoreError
from lar.policy.access import AccessRules, admit
from lar.store import conversations, deliveries, inbound, messages, people, turns
from lar.store import pending as stored_pending
from lar.store import questions as stored_questions
from lar.store.database import Database
from lar.store.inbound import InboundState
from lar.store.people import Known

log = structlog.get_logger(__name__)

STRANGER_GAP = 60.0
"""Seconds between two answers to the same unknown chat."""
STRANGERS_PER_MINUTE = 20
"""Answers to unknown chats per minute, in all."""

Accounts = Mapping[tuple[str, str], AccessRules]
"""(channel, account) → who may use it."""


class Inbox:
    """Takes updates in. `accept` is what every channel is handed."""

    def __init__(
        self, db: Database, accounts: Accounts, settings: ConversationSettings, facts: Facts, clock: Clock
    ) -> None:
        self._db = db
        self._accounts = accounts
        self._settings = settings
        self._facts = facts
        self._clock = clock

    async def accept(self, batch: Sequence[Inbound]) -> None:
        """Commit a batch: in order within a chat, each update once.

        Raises:
            StoreError: nothing is known to be stored; hand the batch in again.

        """
        chats: dict[Address | None, list[Inbound]] = {}
        for update in batch:
            chats.setdefault(update.address, []).append(update)
        await asyncio.gather(*(self._accept_chat(updates) for updates in chats.values()))

    async def _accept_chat(self, updates: Sequence[Inbound]) -> None:
        try:
            await self._db.write(self._take_all, updates)
        except StoreError:
            raise
        except Exception:  # one of them trips us up: it must not hold up the others
            log.exception("updates could not be taken together", count=len(updates))
            for update in updates:
                await self._accept_one(update)

    async def _accept_one(self, update: Inbound) -> None:
        try:
            await self._db.write(self._take_all, [update])
        except StoreError:
            raise
        except Exception as error:  # recorded with the update, so that it can be looked into
            log.exception("update could not be taken", channel=update.channel, update_id=update.update_id)
            await self._db.write(self._poison, update, f"{type(error).__name__}: {str(error)!a}")

    def _poison(self, connection: Connection, update: Inbound, problem: str) -> None:
        """Record an update that cannot be taken; what it says only if it is from somebody who is let in."""
        rules = self._accounts.get((update.channel, update.account))
        if rules and update.sender and _role(rules, update, update.sender, _known(connection, update, update.sender)):
            kept = replace(update, problem=problem)
        else:
            kept = replace(update, problem=problem.partition(":")[0], raw={})
        inbound.record(connection, kept, InboundState.POISON, self._clock())

    def _take_all(self, connection: Connection, updates: Sequence[Inbound]) -> None:
        for update in updates:
            self._take(connection, update)

    def _take(self, connection: Connection, update: Inbound) -> None:
        now = self._clock()
        if update.content is None or update.sender is None or update.address is None:
            if update.problem:
                self._poison(connection, update, update.problem)
            else:
                inbound.record(connection, replace(update, raw={}), InboundState.IGNORED, now)
            return
        row = inbound.record(connection, update, InboundState.TAKEN, now)
        if row is None:
            return
        if isinstance(update.content, ChatStatus):
            where = update.address
            conversations.set_gone(
                connection, where.channel, where.account, where.chat, gone=not update.content.reachable
            )
            return
        state = self._admit(connection, update, update.content, update.sender, update.address, now)
        if state is not InboundState.TAKEN:
            inbound.settle(connection, row, state)

    def _admit(
        self,
        connection: Connection,
        update: Inbound,
        content: Text | Press,
        sender: Sender,
        address: Address,
        now: float,
    ) -> InboundState:
        rules = self._accounts[update.channel, update.account]
        addressed = isinstance(content, Press) or content.addressed
        principal = _recognise(connection, update, sender, rules, now)
        if principal is None:
            if (
                addressed
                and isinstance(content, Text)
                and self._refuse(connection, update, sender, address, rules, now)
            ):
                return InboundState.ANSWERED
            return InboundState.REFUSED
        if not addressed:
            return InboundState.IGNORED
        conversation = conversations.ensure(connection, address, update.place, update.title, now)
        visit = Visit(
            connection,
            now,
            self._facts,
            rules,
            conversation,
            principal,
            sender,
            principal.language or self._settings.default_language,
        )
        if isinstance(content, Press):
            return _press(visit, content)
        return self._hear(visit, content)

    def _hear(self, visit: Visit, said: Text) -> InboundState:
        command = commands.parse(said.text) if not said.attachments and not said.source else None
        if visit.rules.password and not (command and command[0] in commands.WITHOUT_LOGIN):
            here, who = visit.conversation.id, visit.principal.id
            if not people.logged_in(visit.connection, here, who, visit.now):
                _reply(visit, visit.say("login_needed"))
                return InboundState.REFUSED
        if command is not None:
            _reply(visit, commands.answer(visit, *command))
            return InboundState.IGNORED if command[0] == "login" else InboundState.TAKEN
        if said.edited and not _gets_words(visit, said):
            return _edit(visit, said)
        return self._submit(visit, said)

    def _submit(self, visit: Visit, said: Text) -> InboundState:
        """Make a message the answer to what is asked here, or work for a turn."""
        asked = answers.waits_for(visit.connection, visit.conversation.id, visit.principal.id)
        if asked is not None and not said.attachments and not said.source:
            return _answer_in_words(visit, asked, said)
        taken = lane.submit(visit.connection, self._settings, visit.conversation, visit.principal.id, said, visit.now)
        if taken is lane.Taken.FULL_HERE:
            _reply(visit, visit.say("queue_full", count=self._settings.max_queued_per_chat))
            return InboundState.FULL
        if taken is lane.Taken.FULL_EVERYWHERE:
            _reply(visit, visit.say("total_full"))
            return InboundState.FULL
        if lane.is_halted(visit.connection):
            _reply(visit, visit.say("halted"))
        return InboundState.TAKEN

    def _refuse(
        self,
        connection: Connection,
        update: Inbound,
        sender: Sender,
        address: Address,
        rules: AccessRules,
        now: float,
    ) -> bool:
        """Answer somebody unknown as the account's rules say; not too often, and without keeping a word of theirs."""
        if rules.unknown == "silent":
            return False
        if inbound.count_since(connection, InboundState.ANSWERED, now - STRANGER_GAP) >= STRANGERS_PER_MINUTE:
            return False
        conversation = conversations.ensure(connection, address, update.place, "", now)
        if deliveries.added_since(connection, now - STRANGER_GAP, conversation.id):
            return False
        language = sender.language or self._settings.default_language
        if rules.unknown == "pairing" and update.place is Place.PRIVATE:
            text = pairing.request(connection, update, sender, rules, language, now)
        else:
            text = say(language, "unauthorized", user=sender.user, chat=address.chat)
        deliveries.add(connection, conversation.id, [Part(text)], now)
        return True


def _known(connection: Connection, update: Inbound, sender: Sender) -> Known | None:
    return people.find(connection, update.channel, update.account, sender.user)


def _role(rules: AccessRules, update: Inbound, sender: Sender, known: Known | None) -> Role | None:
    granted = known.principal.role if known and known.granted else None
    return admit(rules, sender.user, update.address.chat if update.address else "", granted)


def _recognise(
    connection: Connection, update: Inbound, sender: Sender, rules: AccessRules, now: float
) -> Principal | None:
    """The person behind a sender, made or brought up to date; None if they are not admitted."""
    known = _known(connection, update, sender)
    role = _role(rules, update, sender, known)
    if role is None:
        return None
    name = rules.aliases.get(sender.user) or (known.principal.name if known and known.granted else sender.name)
    if known is None:
        newcomer = Principal(PrincipalId(0), name, role, sender.language)
        return people.add(connection, update.channel, update.account, sender.user, newcomer, now)
    before = known.principal
    current = replace(before, name=name, role=role, language=sender.language or before.language)
    if current != known.principal:
        people.change(connection, current)
    return current


def _reply(visit: Visit, said: str | Part) -> None:
    part = said if isinstance(said, Part) else Part(said)
    deliveries.add(visit.connection, visit.conversation.id, [part], visit.now)


def _edit(visit: Visit, said: Text) -> InboundState:
    """An edit counts while its message waits; what was answered stays as it was asked."""
    old = messages.by_vendor_id(visit.connection, visit.conversation.id, said.vendor_id)
    if old is None or old.turn_id is None or old.principal_id != visit.principal.id:
        return InboundState.IGNORED
    turn = turns.get(visit.connection, old.turn_id)
    if turn is None or turn.state is not TurnState.QUEUED:
        return InboundState.IGNORED
    messages.rewrite(visit.connection, old.id, lane.text_of(said))
    return InboundState.TAKEN


def _gets_words(visit: Visit, said: Text) -> bool:
    """Whether this edit puts words to a file that waits for some: it is new then."""
    old = messages.by_vendor_id(visit.connection, visit.conversation.id, said.vendor_id)
    if old is None or old.turn_id is not None or not old.attachments or old.principal_id != visit.principal.id:
        return False
    if pending.is_wordless(said):
        return False
    stored_pending.drop(visit.connection, old.id)
    return True


def _answer_in_words(visit: Visit, asked: Question, said: Text) -> InboundState:
    """Who was asked wrote instead of pressing: the turn that asks is told, and goes on."""
    lane.answer_in_words(visit.connection, visit.conversation.id, visit.principal.id, asked, said, visit.now)
    answers.withdraw(visit.connection, asked, visit.principal, said.text, visit.now)
    return InboundState.TAKEN


def _press(visit: Visit, press: Press) -> InboundState:
    """A button: carried out once, and only for those who may press it. The pressed message becomes its outcome."""
    pressed = answers.read_press(press.data)
    if pressed is not None:
        return _press_answer(visit, press, *pressed)
    proposal = solving.read_press(press.data)
    if proposal is not None:
        return _press_proposal(visit, press, proposal)
    if press.data.startswith((changed_tools.PRESS, pairing.APPROVE, pairing.DENY, RAISE)):
        return _press_of_admins(visit, press)
    if press.data.startswith(timing.PRESS):
        return _press_reminder(visit, press)
    _acknowledge(visit, press, visit.say("press_stale"))
    return InboundState.IGNORED


def _press_of_admins(visit: Visit, press: Press) -> InboundState:
    """A button below a tool that changed, a budget that is used up, or somebody who asks to be let in."""
    if not visit.principal.is_admin:
        _acknowledge(visit, press, visit.say("press_forbidden"))
        return InboundState.REFUSED
    if press.data.startswith(changed_tools.PRESS):
        by = visit.principal.name
        _acknowledge(visit, press, changed_tools.decide(visit.connection, press.data, by, visit.language, visit.now))
        return InboundState.TAKEN
    if press.data.startswith(RAISE):
        spending = visit.facts.spending
        outcome = spending.allow_more(visit.connection, press.data, visit.principal, visit.now) if spending else None
    else:
        approve = press.data.startswith(pairing.APPROVE)
        code = press.data.removeprefix(pairing.APPROVE if approve else pairing.DENY)
        outcome = pairing.decide(visit.connection, code, visit.principal, visit.now, approve=approve)
    if outcome is None:
        _acknowledge(visit, press, visit.say("press_stale"))
    else:
        edit = Part(outcome, edit_of=press.message_id, answers_press=press.press_id)
        deliveries.add(visit.connection, visit.conversation.id, [edit], visit.now)
    return InboundState.TAKEN


def _press_answer(visit: Visit, press: Press, number: QuestionId, answer: str) -> InboundState:
    """A button of a question."""
    asked = stored_questions.get(visit.connection, number)
    verdict = answers.verdict_of(asked, answer) if asked else None
    if asked is None or verdict is None:
        _acknowledge(visit, press, visit.say("press_stale"))
        return InboundState.IGNORED
    if not answers.may_answer(asked, visit.principal):
        theirs = asked.admins_only or questions.of_host(asked)
        forbidden = "press_forbidden" if theirs else "press_not_yours"
        _acknowledge(visit, press, visit.say(forbidden))
        return InboundState.REFUSED
    if answers.decide(visit.connection, asked, visit.principal, verdict, visit.now) is None:
        _acknowledge(visit, press, answers.settled(visit.connection, asked, visit.language))
        return InboundState.TAKEN
    _acknowledge(visit, press, "")
    return InboundState.TAKEN


def _press_proposal(visit: Visit, press: Press, proposal: JobId) -> InboundState:
    """The button below a plan that an error report proposed: an admin goes through it, once."""
    if not visit.principal.is_admin:
        _acknowledge(visit, press, visit.say("press_forbidden"))
        return InboundState.REFUSED
    told = solving.take_up(visit.connection, visit.conversation, visit.principal.id, proposal, visit.now)
    _acknowledge(visit, press, visit.say(told) if told else "")
    return InboundState.TAKEN


def _press_reminder(visit: Visit, press: Press) -> InboundState:
    """A button below a reminder; what comes of it takes the reminder's place."""
    reaction = visit.facts.time.pressed(visit.asking, press.data)
    if reaction.edits:
        edit = Part(reaction.text, edit_of=press.message_id, answers_press=press.press_id)
        deliveries.add(visit.connection, visit.conversation.id, [edit], visit.now)
    else:
        _acknowledge(visit, press, reaction.text)
    return InboundState.TAKEN if reaction.taken else InboundState.IGNORED


def _acknowledge(visit: Visit, press: Press, text: str) -> None:
    """Tell the presser that it was seen, and what there is to say; the pressed message stays as it is."""
    part = Part(text, answers_press=press.press_id)
    deliveries.add(visit.connection, visit.conversation.id, [part], visit.now)
