"""The command menu of an account, synchronised at start when it changed, and on `/synccommands`."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import Connection

from lar.conversations import commands
from lar.conversations.presence import Channels
from lar.conversations.strings import say
from lar.domain.delivery import Part
from lar.domain.ids import ConversationId
from lar.domain.job import Job
from lar.domain.values import Clock
from lar.engine.contract import Done, JobContext, Outcome
from lar.errors import ChannelError
from lar.policy.access import AccessRules
from lar.store import channel_state, deliveries, jobs
from lar.store.database import Database

_KEY = "menu"


class MenuHandler:
    """Synchronises command menus: the engine's handler of jobs of kind "announce"."""

    def __init__(
        self, db: Database, channels: Channels, accounts: Mapping[tuple[str, str], AccessRules], clock: Clock
    ) -> None:
        self._db = db
        self._channels = channels
        self._accounts = accounts
        self._clock = clock

    async def run(self, context: JobContext) -> Outcome:
        """Announce the menu; who asked for it is told."""
        payload = context.job.payload
        where = (payload["channel"], payload["account"])
        channel = self._channels.get(where)
        if channel is None:
            return Done()
        try:
            await channel.announce(commands.menu(self._accounts[where]))
        except ChannelError as error:
            if "conversation" not in payload:
                raise
            text = say(payload["language"], "sync_failed", error=error)
        else:
            text = say(payload.get("language", ""), "sync_done")
        return Done(lambda connection: self._finish(connection, context.job, text))

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """Tell who asked; at start nobody did, and the next start tries again."""
        if "conversation" in job.payload:
            self._tell(connection, job, say(job.payload["language"], "sync_failed", error=error))

    async def changed(self) -> None:
        """At start: announce the menus that are not what was announced last."""
        for channel, account in self._channels:
            stored = await self._db.read(channel_state.load, channel, account, _KEY)
            if stored != self._digest(channel, account):
                await self._db.write(self._enqueue, channel, account)

    def _enqueue(self, connection: Connection, channel: str, account: str) -> None:
        jobs.enqueue(
            connection,
            kind=commands.ANNOUNCE,
            lane=f"{commands.ANNOUNCE}:{channel}:{account}",
            payload={"channel": channel, "account": account},
            now=self._clock(),
        )

    def _digest(self, channel: str, account: str) -> str:
        entries = [asdict(entry) for entry in commands.menu(self._accounts[channel, account])]
        return hashlib.sha256(repr(entries).encode()).hexdigest()

    def _finish(self, connection: Connection, job: Job, text: str) -> None:
        channel, account = job.payload["channel"], job.payload["account"]
        channel_state.save(connection, channel, account, _KEY, self._digest(channel, account))
        if "conversation" in job.payload:
            self._tell(connection, job, text)

    def _tell(self, connection: Connection, job: Job, text: str) -> None:
        deliveries.add(connection, ConversationId(job.payload["conversation"]), [Part(text)], self._clock())
