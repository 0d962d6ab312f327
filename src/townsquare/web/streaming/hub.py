"""The hub of one web process: events of the bus in, frames to the connections that they are for out.

Box: web. A viewer's follows are looked at in the set that the cache keeps anyway: to find those of 5,000 viewers who
follow an author takes 0.3 ms, an index from authors to viewers would take 100 MB.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from townsquare.model.errors import TownsquareError, Unauthorized
from townsquare.model.events import (
    AnyEvent,
    ConversationEvent,
    NotificationEvent,
    StatusEvent,
    ViewersEvent,
    decode_event,
)
from townsquare.social.ports import Ports
from townsquare.social.sessions import ENDED_TOPIC, read_changed
from townsquare.social.users import closed_reason
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.web.auth import session_of_hash
from townsquare.web.streaming.channels import Subscription, shared_channels
from townsquare.web.streaming.connection import POLICY, RESTART, Connection
from townsquare.web.streaming.envelopes import Envelope, Label
from townsquare.web.streaming.showing import Showing, belongs_home, showing

MAX_EVENTS = 10_000  # that wait to be worked on; above, clients are asked to come again and reload
STALL_S = 10.0
RECHECK_S = 30.0
DRAIN_S = 5.0
_TICK_S = 1.0
_TURN = 100  # deliveries after which others have their turn

Payload = Callable[[int, int], Awaitable[bytes | None]]  # (account, id) to JSON, None where there is nothing to tell

log = logging.getLogger(__name__)


async def no_payload(account_id: int, thing_id: int) -> bytes | None:
    """Tells nothing."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payloads:
    """How things that only one account hears of are rendered."""

    notification: Payload = no_payload
    conversation: Payload = no_payload


class Hub:
    """All connections of this process."""

    def __init__(self, ports: Ports, payloads: Payloads) -> None:
        self._ports, self._payloads = ports, payloads
        self._connections: dict[int, set[Connection]] = {}  # by account
        self._channels: dict[str, set[tuple[Connection, Label]]] = {}
        self._viewers: dict[int, Viewer | None] = {}  # of the accounts that are connected; None: to be looked at anew
        self._events: asyncio.Queue[AnyEvent] = asyncio.Queue(MAX_EVENTS)
        self._rechecks: set[Connection] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.Task[None] | None = None
        self.draining = False
        for topic in (StatusEvent.topic, NotificationEvent.topic, ConversationEvent.topic, ViewersEvent.topic):
            ports.streaming.listen(topic, self._heard)
        ports.streaming.listen(ENDED_TOPIC, self._sessions_changed)
        ports.streaming.on_gap(self._missed)

    # Its life.

    async def start(self) -> None:
        """Begin to work on events."""
        self._tasks = [
            asyncio.create_task(self._work(), name="streams"),
            asyncio.create_task(self._watch(), name="streams, watch"),
        ]

    async def stop(self) -> None:
        """End at once; see `drain`."""
        tasks = [*self._tasks, *([self._closing] if self._closing else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = []

    async def drain(self) -> None:
        """Ask all clients to connect elsewhere, spread over up to five seconds; take no new ones."""
        self.draining = True
        await self._close_all()

    async def idle(self) -> None:
        """Wait until all events that were heard are worked on."""
        await self._events.join()

    # Connections.

    @property
    def open_count(self) -> int:
        """How many connections there are."""
        return sum(map(len, self._connections.values()))

    @property
    def events_waiting(self) -> int:
        """How many events were heard and are not worked on yet."""
        return self._events.qsize()

    def add(self, connection: Connection) -> None:
        """A client came."""
        self._connections.setdefault(connection.account_id, set()).add(connection)
        self._viewers.setdefault(connection.account_id, None)

    def remove(self, connection: Connection) -> None:
        """A client is gone."""
        for label in list(connection.subscriptions):
            self.unsubscribe(connection, label)
        self._rechecks.discard(connection)
        mine = self._connections.get(connection.account_id, set())
        mine.discard(connection)
        if not mine:
            self._connections.pop(connection.account_id, None)
            self._viewers.pop(connection.account_id, None)

    def subscribe(self, connection: Connection, subscription: Subscription) -> None:
        """Let a connection hear a stream; a repeat changes nothing."""
        connection.subscriptions[subscription.label] = subscription
        for channel in subscription.channels:
            self._channels.setdefault(channel, set()).add((connection, subscription.label))

    def unsubscribe(self, connection: Connection, label: Label) -> None:
        """Let a connection no longer hear a stream."""
        subscription = connection.subscriptions.pop(label, None)
        for channel in subscription.channels if subscription else ():
            listeners = self._channels.get(channel)
            if listeners is not None:
                listeners.discard((connection, label))
                if not listeners:
                    del self._channels[channel]

    # What the bus says.

    def _heard(self, topic: str, payload: bytes) -> None:
        if not self._connections:
            return
        event = decode_event(payload)
        if isinstance(event, ViewersEvent):
            for account_id in event.account_ids:
                if account_id in self._viewers:
                    self._viewers[account_id] = None
            return
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            self._missed()

    def _sessions_changed(self, topic: str, payload: bytes) -> None:
        if not self._connections:
            return
        changed = read_changed(payload)
        hashes = set(changed.token_hashes)
        for connection in self._connections.get(changed.account_id, ()):
            if connection.token_hash in hashes:
                self._rechecks.add(connection)

    def _missed(self) -> None:
        """Events may be lost: clients that come again read what they missed."""
        for account_id in self._viewers:
            self._viewers[account_id] = None
        if self._tasks and self._connections and (self._closing is None or self._closing.done()):
            self._closing = asyncio.create_task(self._close_all(), name="streams, reload")

    # Work.

    async def _work(self) -> None:
        while True:
            event = await self._events.get()
            try:
                await self._deliver(event)
            except TownsquareError as exc:
                log.warning("a stream event is lost: %s", exc)
                self._missed()
            except Exception:
                log.exception("a stream event cannot be delivered")
            finally:
                self._events.task_done()

    async def _deliver(self, event: AnyEvent) -> None:
        match event:
            case StatusEvent():
                await self._deliver_status(event)
            case NotificationEvent():
                channel = f"notification:{event.account_id}"
                if channel in self._channels:
                    payload = await self._payloads.notification(event.account_id, event.notification_id)
                    self._push(channel, "notification", payload)
            case ConversationEvent():
                channel = f"direct:{event.account_id}"
                if channel in self._channels:
                    payload = await self._payloads.conversation(event.account_id, event.conversation_id)
                    self._push(channel, "conversation", payload)

    async def _deliver_status(self, event: StatusEvent) -> None:
        await self._refresh_viewers()
        author = event.author
        homes = [
            account_id
            for account_id, viewer in self._viewers.items()
            if (account_id == author or (viewer is not None and author in viewer.following))
            and f"user:{account_id}" in self._channels
        ]
        shared = [name for name in shared_channels(event) if name in self._channels]
        if not homes and not shared:
            return
        shown: Showing | None = None
        gone = Envelope("delete", str(event.status_id).encode())
        if event.change != "delete":
            shown = await showing(self._ports, event)
            if shown is None:
                return
        turn = 0
        for channel, account_id in self._targets(homes, shared):
            viewer = self._viewers.get(account_id)
            if viewer is None:
                continue
            if channel.startswith("user:") and not belongs_home(viewer, event, shown.language if shown else ""):
                continue
            envelope: Envelope | None = gone
            if shown is not None:
                if not shown.may_list(viewer):
                    continue
                envelope = shown.plain_for(viewer) or await shown.own_for(viewer)
            if envelope is not None:
                for connection, label in self._channels.get(channel, ()):
                    if connection.account_id == account_id:
                        connection.push(envelope, label)
            turn += 1
            if turn % _TURN == 0:
                await asyncio.sleep(0)

    def _targets(self, homes: list[int], shared: list[str]) -> list[tuple[str, int]]:
        """Channels with the accounts that listen to them."""
        targets = [(f"user:{account_id}", account_id) for account_id in homes]
        for name in shared:
            accounts = {connection.account_id for connection, _ in self._channels[name]}
            targets += [(name, account_id) for account_id in accounts]
        return targets

    async def _refresh_viewers(self) -> None:
        for account_id in [account_id for account_id, viewer in self._viewers.items() if viewer is None]:
            viewer = await viewer_of(self._ports, account_id)
            if account_id in self._viewers:
                self._viewers[account_id] = viewer

    def _push(self, channel: str, event: str, payload: bytes | None) -> None:
        if payload is None:
            return
        envelope = Envelope(event, payload)
        for connection, label in list(self._channels.get(channel, ())):
            connection.push(envelope, label)

    # Watching over the connections.

    async def _watch(self) -> None:
        """Once a second: cut who does not read, look at the tokens that changed or were not looked at for long."""
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                await self._look()
            except TownsquareError as exc:
                log.warning("tokens of streams cannot be looked at just now: %s", exc)
            except Exception:
                log.exception("the watch over streams failed")

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in [each for mine in self._connections.values() for each in mine]:
            if connection.stalled_s(now) > STALL_S:
                connection.abort()
            elif connection in self._rechecks or now - connection.checked_at > RECHECK_S:
                connection.checked_at = now
                await self.recheck(connection)

    async def recheck(self, connection: Connection) -> None:
        """Close a connection whose token does not work any more.

        Raises: Unavailable.
        """
        self._rechecks.discard(connection)
        if not await is_good(self._ports, connection):
            connection.close(POLICY)

    async def _close_all(self) -> None:
        connections = [each for mine in self._connections.values() for each in mine]
        pause_s = min(DRAIN_S / max(len(connections), 1), 0.01)
        for connection in connections:
            connection.close(RESTART)
            await asyncio.sleep(pause_s)


async def is_good(ports: Ports, connection: Connection) -> bool:
    """Whether the connection's token still opens streams.

    Raises: Unavailable.
    """
    try:
        session = await session_of_hash(ports, connection.token_hash)
    except Unauthorized:
        return False
    if session.account is None or session.user is None:
        return False
    return not closed_reason(session.account, session.user)
