"""Control commands. They are answered in the transaction that takes them in, outside the lane."""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from lar.channels.contract import MenuEntry
from lar.conversations import admins, answers, lane, solving
from lar.conversations.minds import DEFAULT, Minds, may_choose
from lar.conversations.problems import NoReports, Problems, Reports
from lar.conversations.questions import DENY, worded
from lar.conversations.remembered import Compact, no_compact, remembered
from lar.conversations.speaking import Speech, voice
from lar.conversations.spending import Spending
from lar.conversations.strings import CATALOGUES, duration, say
from lar.conversations.timing import Asking, NoTimekeeper, Timekeeper
from lar.domain.conversation import Conversation, Mode, Place
from lar.domain.delivery import Part
from lar.domain.inbound import Sender
from lar.domain.principal import Principal
from lar.domain.question import Question, Scope
from lar.policy.access import AccessRules
from lar.store import conversations, deliveries, jobs, messages, people, questions, turns

ANNOUNCE = "announce"
"""The kind of job that synchronises a command menu."""

SHOWN_REPORTS = 20
"""How many error reports `/problems` lists."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What commands may tell about this process. `runtimes` maps an agent's name to its runtime.

    `solves`: there is a model for `/solve`.
    """

    version: str
    started_at: float
    problems: Problems
    runtimes: Mapping[str, str]
    default_agent: str
    default_mode: Mode = Mode.RW
    reports: Reports = field(default_factory=NoReports)
    solves: bool = False
    minds: Minds = field(default_factory=Minds)
    spending: Spending | None = None
    compact: Compact = no_compact
    speech: Speech = field(default_factory=Speech)
    time: Timekeeper = field(default_factory=NoTimekeeper)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody says something to us, inside the transaction that takes it in."""

    connection: Connection
    now: float
    facts: Facts
    rules: AccessRules
    conversation: Conversation
    principal: Principal
    sender: Sender
    language: str

    def say(self, key: str, **values: object) -> str:
        """Lar's sentence in this person's language."""
        return say(self.language, key, **values)

    @property
    def asking(self) -> Asking:
        """The same as schedules take it."""
        return Asking(self.connection, self.principal, self.conversation, self.language, self.now)


@dataclass(frozen=True, slots=True)
class ControlCommand:
    """A command: what it does, and who may use it."""

    run: Callable[[Visit, str], str | Part]
    admin: bool = False


def _help(visit: Visit, _argument: str) -> str:
    lines = [f"/{name} - {visit.say(f'command_{name}')}" for name in listed(visit.rules, visit.principal)]
    return visit.say("help", commands="\n".join(lines))


def _start(visit: Visit, _argument: str) -> str:
    return visit.say("start", name=visit.principal.name)


def _whoami(visit: Visit, _argument: str) -> str:
    address = visit.conversation.address
    role = visit.principal.role
    return visit.say("whoami", name=visit.principal.name, role=role, user=visit.sender.user, chat=address.chat)


def _agent(visit: Visit) -> str:
    name = visit.conversation.agent
    return name if name in visit.facts.runtimes else visit.facts.default_agent


def _where(visit: Visit, _argument: str) -> str:
    here = visit.conversation
    return visit.say("where", conversation=here.id, thread=here.thread_number, agent=_agent(visit), place=here.place)


def _status(visit: Visit, _argument: str) -> str:
    counts = deliveries.counts(visit.connection)
    newest = turns.newest(visit.connection, visit.conversation.id)
    problems = "\n".join(f"⚠️ {source}: {text}" for source, text in visit.facts.problems.open.items())
    return visit.say(
        "status",
        version=visit.facts.version,
        uptime=duration(visit.language, visit.now - visit.facts.started_at),
        agent=_agent(visit),
        runtime=visit.facts.runtimes[_agent(visit)],
        halted=visit.say("status_halted") if lane.is_halted(visit.connection) else "",
        mode=visit.conversation.mode or visit.facts.default_mode,
        models="".join(f"\n{line}" for line in visit.facts.minds.lines(_model_here(visit), visit.language)),
        here=len(turns.open_in(visit.connection, visit.conversation.id)),
        total=turns.count_open(visit.connection),
        pending=counts.get("pending", 0) + counts.get("sending", 0),
        sent=counts.get("sent", 0),
        resent=counts["resent"],
        last=visit.say("status_last", id=newest.id, state=newest.state) if newest else visit.say("status_no_turn"),
        problems="\n".join(filter(None, (visit.facts.time.absence(visit.asking), problems)))
        or visit.say("status_no_problems"),
    )


def _model_here(visit: Visit) -> str:
    return visit.facts.minds.in_use(_agent(visit), visit.conversation)


def _model(visit: Visit, argument: str) -> str:
    wanted, minds = argument.strip(), visit.facts.minds
    known = "\n".join(f"- {model}" for model in minds.known)
    current = _model_here(visit)
    if not current:
        return visit.say("model_none")
    if not wanted:
        return visit.say("model_is", model=current, known=known)
    if not may_choose(visit.conversation, visit.principal):
        return visit.say("model_admins")
    if wanted.lower() == DEFAULT:
        conversations.set_model(visit.connection, visit.conversation.id, "")
        return visit.say("model_set", model=visit.facts.minds.of_agent.get(_agent(visit), ""))
    model = minds.found(wanted)
    if not model:
        nearest = ", ".join(minds.nearest(wanted)) or "-"
        return visit.say("model_unknown", wanted=wanted[:100], nearest=nearest, known=known)
    conversations.set_model(visit.connection, visit.conversation.id, model)
    return visit.say("model_set", model=model)


def _new(visit: Visit, _argument: str) -> str:
    lane.stop(visit.connection, visit.conversation.id, visit.now)
    newest = messages.newest_id(visit.connection, visit.conversation.id)
    return visit.say("new", number=conversations.start_thread(visit.connection, visit.conversation.id, newest))


def _stop(visit: Visit, _argument: str) -> str:
    stopped = lane.stop(visit.connection, visit.conversation.id, visit.now)
    if not stopped.turns and not stopped.parts:
        return visit.say("nothing_to_stop")
    return visit.say("stopped", turns=stopped.turns, parts=stopped.parts)


def _queue(visit: Visit, _argument: str) -> str:
    open_turns = turns.open_in(visit.connection, visit.conversation.id)
    if not open_turns:
        return visit.say("queue_empty")
    lines = [
        visit.say("queue_line", id=turn.id, state=turn.state, age=duration(visit.language, visit.now - turn.created_at))
        for turn in open_turns
    ]
    return visit.say("queue", turns="\n".join(lines))


def _synccommands(visit: Visit, _argument: str) -> str:
    address = visit.conversation.address
    jobs.enqueue(
        visit.connection,
        kind=ANNOUNCE,
        lane=f"{ANNOUNCE}:{address.channel}:{address.account}",
        payload={
            "channel": address.channel,
            "account": address.account,
            "conversation": visit.conversation.id,
            "language": visit.language,
        },
        now=visit.now,
    )
    return visit.say("sync_started")


def _login(visit: Visit, argument: str) -> str:
    if not visit.rules.password:
        return visit.say("login_off")
    if not hmac.compare_digest(argument.strip().encode(), visit.rules.password.encode()):
        return visit.say("login_wrong")
    until = visit.now + visit.rules.login_seconds
    people.log_in(visit.connection, visit.conversation.id, visit.principal.id, until)
    return visit.say("login_ok", hours=f"{visit.rules.login_seconds / 3600:g}")


def _logout(visit: Visit, _argument: str) -> str:
    if not visit.rules.password:
        return visit.say("login_off")
    people.log_out(visit.connection, visit.conversation.id, visit.principal.id)
    return visit.say("logout_ok")


def _mode(visit: Visit, argument: str) -> str:
    wanted = argument.strip().lower()
    current = visit.conversation.mode or visit.facts.default_mode
    if not wanted:
        return visit.say("mode_is", mode=current)
    if wanted not in set(Mode):
        return visit.say("mode_unknown", mode=wanted)
    if wanted == Mode.FULL and not visit.principal.is_admin:
        return visit.say("mode_admins")
    conversations.set_mode(visit.connection, visit.conversation.id, Mode(wanted))
    return visit.say(f"mode_{wanted}")


def _approve(visit: Visit, argument: str) -> str:
    number, _, scope = argument.strip().partition(" ")
    return _answer(visit, number, scope.strip() or Scope.ONCE, "")


def _deny(visit: Visit, argument: str) -> str:
    number, _, reason = argument.strip().partition(" ")
    return _answer(visit, number, DENY, reason.strip())


def _answer(visit: Visit, number: str, answer: str, reason: str) -> str:
    """Answer a question by its number; without one, the only one there is."""
    wanted = [asked for asked in _open_here(visit) if number in {"", str(asked.id)}]
    if len(wanted) != 1:
        return _approvals(visit, "")
    verdict = answers.verdict_of(wanted[0], answer, reason)
    if verdict is None:
        return visit.say("answer_unknown", answer=answer)
    decided = answers.decide(visit.connection, wanted[0], visit.principal, verdict, visit.now)
    return decided or answers.settled(visit.connection, wanted[0], visit.language)


def _open_here(visit: Visit) -> list[Question]:
    """Open questions this person may answer; in a group only those that were asked or shown there."""
    here = visit.conversation
    found = [asked for asked in questions.all_open(visit.connection) if answers.may_answer(asked, visit.principal)]
    if here.place is Place.PRIVATE:
        return found
    return [
        asked
        for asked in found
        if here.id in {asked.conversation_id, *(chat for _, chat in questions.shown(visit.connection, asked.id))}
    ]


def _approvals(visit: Visit, _argument: str) -> str:
    lines = [worded(visit.connection, asked, visit.language) for asked in _open_here(visit)]
    return "\n\n".join(lines) or visit.say("approvals_none")


def _emergency_stop(visit: Visit, _argument: str) -> str:
    stopped = lane.stop_everything(visit.connection, visit.principal.id, visit.now)
    return visit.say("emergency_stopped", turns=stopped.turns, parts=stopped.parts)


def _resume(visit: Visit, _argument: str) -> str:
    return visit.say("resumed" if lane.let_go_on(visit.connection) else "nothing_to_resume")


def _problems(visit: Visit, argument: str) -> str:
    try:
        found = visit.facts.reports.latest()[:SHOWN_REPORTS]
        if argument.strip():
            number = int(argument) if argument.strip().isdecimal() else 0
            if not 0 < number <= len(found):
                return visit.say("problems_unknown", number=argument.strip()[:20])
            return visit.facts.reports.excerpt(found[number - 1].name) or visit.say("problems_none")
    except OSError as error:
        return visit.say("problems_unreadable", error=error.strerror)
    lines = [f"⚠️ {source}: {text}" for source, text in visit.facts.problems.open.items()]
    lines = lines or [visit.say("status_no_problems")]
    if not found:
        return "\n".join([*lines, visit.say("problems_none")])
    lines += ["", visit.say("problems_reports")]
    for number, report in enumerate(found, 1):
        age = duration(visit.language, visit.now - report.last)
        lines.append(
            visit.say(
                "problems_line",
                number=number,
                title=report.title[:100],
                times=report.times,
                age=age,
                fingerprint=report.fingerprint,
            )
        )
    return "\n".join(lines)


def _solve(visit: Visit, argument: str) -> str:
    if not visit.facts.solves:
        return visit.say("solve_off")
    if not argument.strip():
        return visit.say("solve_usage")
    here, who = visit.conversation, visit.principal.id
    if solving.begin(visit.connection, here, who, argument.strip(), visit.now) is None:
        return visit.say("solve_busy")
    return visit.say("halted" if lane.is_halted(visit.connection) else "solve_begun")


def _usage(visit: Visit, _argument: str) -> str:
    spending = visit.facts.spending
    if spending is None:
        return visit.say("usage_off")
    everybody = visit.principal.is_admin and visit.conversation.place is Place.PRIVATE
    return spending.usage(visit.connection, visit.principal, visit.now, visit.language, everybody=everybody)


def _memory(visit: Visit, argument: str) -> str:
    return remembered(visit.connection, visit.conversation, visit.principal, argument, visit.now, visit.say)


def _compact(visit: Visit, _argument: str) -> str:
    begun = visit.facts.compact(visit.connection, visit.conversation.id, visit.language)
    return visit.say("compacting" if begun else "compact_off")


def _voice(visit: Visit, argument: str) -> str:
    here = visit.conversation
    return voice(visit.connection, visit.facts.speech, here, visit.principal, argument, visit.language)


def _reminders(visit: Visit, argument: str) -> Part:
    return visit.facts.time.reminders(visit.asking, argument)


def _runbooks(visit: Visit, _argument: str) -> str:
    return visit.facts.time.runbooks(visit.asking)


def _timezone(visit: Visit, argument: str) -> str:
    return visit.facts.time.zone(visit.asking, argument)


def _setnotify(visit: Visit, argument: str) -> str:
    if argument.strip().lower() == "off":
        return visit.say("notify_off" if admins.drop_notify_chat(visit.connection) else "notify_none")
    admins.set_notify_chat(visit.connection, visit.conversation.address)
    return visit.say("notify_here")


COMMANDS: Mapping[str, ControlCommand] = {
    "help": ControlCommand(_help),
    "start": ControlCommand(_start),
    "new": ControlCommand(_new),
    "stop": ControlCommand(_stop),
    "cancel": ControlCommand(_stop),
    "queue": ControlCommand(_queue),
    "status": ControlCommand(_status),
    "whoami": ControlCommand(_whoami),
    "where": ControlCommand(_where),
    "synccommands": ControlCommand(_synccommands, admin=True),
    "mode": ControlCommand(_mode),
    "model": ControlCommand(_model),
    "approvals": ControlCommand(_approvals),
    "approve": ControlCommand(_approve),
    "deny": ControlCommand(_deny),
    "emergency_stop": ControlCommand(_emergency_stop, admin=True),
    "resume": ControlCommand(_resume, admin=True),
    "usage": ControlCommand(_usage),
    "problems": ControlCommand(_problems, admin=True),
    "solve": ControlCommand(_solve, admin=True),
    "setnotify": ControlCommand(_setnotify, admin=True),
    "memory": ControlCommand(_memory),
    "compact": ControlCommand(_compact),
    "voice": ControlCommand(_voice),
    "reminders": ControlCommand(_reminders),
    "timezone": ControlCommand(_timezone),
    "runbooks": ControlCommand(_runbooks, admin=True),
    "login": ControlCommand(_login),
    "logout": ControlCommand(_logout),
}

_COMMAND = re.compile(r"/([^\W\d]\w*)(?:\s+(.*)|)\Z", re.DOTALL)

_LOGIN_ONLY = frozenset({"login", "logout"})
WITHOUT_LOGIN = frozenset({"help", "start", "whoami", "login"})
"""Commands that work before `/login`."""


def listed(rules: AccessRules, who: Principal) -> list[str]:
    """The commands this person is told of."""
    return [
        name
        for name, command in COMMANDS.items()
        if (who.is_admin or not command.admin) and (rules.password or name not in _LOGIN_ONLY)
    ]


def menu(rules: AccessRules) -> list[MenuEntry]:
    """The command menu of an account, in every language."""
    return [
        MenuEntry(name, say(language, f"command_{name}"), language, admin=command.admin)
        for language in CATALOGUES
        for name, command in COMMANDS.items()
        if rules.password or name not in _LOGIN_ONLY
    ]


def parse(text: str) -> tuple[str, str] | None:
    """Split "/name argument" into its two parts; None if the text is no command."""
    match = _COMMAND.match(text)
    return None if match is None else (match[1].lower(), match[2] or "")


def answer(visit: Visit, name: str, argument: str) -> str | Part:
    """Carry out a command and say what came of it."""
    command = COMMANDS.get(name)
    if command is None:
        return visit.say("unknown_command", command=f"/{name}")
    if command.admin and not visit.principal.is_admin:
        return visit.say("admins_only")
    return command.run(visit, argument)
