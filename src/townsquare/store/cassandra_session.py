"""A connection to Cassandra: where it is, what its driver is told, and what the driver's errors become here.

Box: store. Source: https://cassandra.apache.org/doc/5.0/, the driver acsylla (docs/decisions/0006-cassandra-driver.md).
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

import acsylla
import msgspec
from acsylla import errors

from townsquare.model.errors import Unavailable

PORT = 9042
REQUEST_WITHIN_S = 4.0
CONNECT_WITHIN_S = 5.0
SCHEMA_WITHIN_S = 60.0  # a change of the schema, on a busy cluster
AGREE_WITHIN_MS = 30_000  # all nodes on the schema
ASK_ANOTHER_AFTER_MS = 250  # no answer from one replica: ask a second as well, where a repeat is harmless
GIVE_UP_AFTER_S = 2 * REQUEST_WITHIN_S  # where the driver itself does not
RECONNECT_MS = (250, 5_000)

_MISTAKES = (
    errors.CassErrorServerInvalidQuery,
    errors.CassErrorServerSyntaxError,
    errors.CassErrorServerConfigError,
    errors.CassErrorLibBadParams,
    errors.CassErrorLibInvalidValueType,
    errors.CassErrorLibInvalidItemCount,
    errors.CassErrorLibIndexOutOfBounds,
)
_NO_ENTRY = (errors.CassErrorServerBadCredentials, errors.CassErrorServerUnauthorized)
_FORM = "cassandra://[USER:PASSWORD@]HOST[,HOST...][:PORT]/KEYSPACE[?dc=NAME]"
_URL = re.compile(
    r"cassandra://(?:(?P<user>[^:@/]*):(?P<password>[^@/]*)@)?(?P<hosts>[^/:@?]+)(?::(?P<port>\d{1,5}))?"
    r"/(?P<keyspace>[a-z][a-z0-9_]{0,47})(?:\?(?P<query>.*))?"
)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cluster is: some of its nodes, from which the driver learns the others, and our keyspace."""

    hosts: tuple[str, ...]
    port: int = PORT
    keyspace: str
    user: str = ""
    password: str = ""
    data_center: str = ""  # ours; needed where the cluster has several


def read_url(url: str) -> Address:
    """The address in a setting. Raises: ValueError with a sentence that does not show the password."""
    found = _URL.fullmatch(url)
    options = dict(parse_qsl(found["query"] or "")) if found is not None else {}
    if found is None or options.keys() - {"dc"}:
        raise ValueError(f"The setting store must look like {_FORM}; the keyspace is of a-z, 0-9 and _.")
    return Address(
        hosts=tuple(host.strip() for host in found["hosts"].split(",")),
        port=int(found["port"] or PORT),
        keyspace=found["keyspace"],
        user=unquote(found["user"] or ""),
        password=unquote(found["password"] or ""),
        data_center=options.get("dc", ""),
    )


class Session:
    """The driver's session, with statements prepared when they are first needed. Use from one event loop.

    One in a process: where one ends, the driver may forget to wake those who wait in another. So no wait is without an
    end of our own.
    """

    def __init__(self, cluster: Any, session: Any) -> None:
        """See `open`."""
        self._cluster, self._session = cluster, session
        self._statements: dict[str, Any] = {}
        self._preparing = asyncio.Lock()
        self._open = True

    @classmethod
    async def open(cls, address: Address) -> "Session":
        """Connect. Raises: Unavailable; ValueError where we are not let in."""
        reconnect_first_ms, reconnect_most_ms = RECONNECT_MS
        cluster = acsylla.create_cluster(
            list(address.hosts),
            port=address.port,
            username=address.user or None,
            password=address.password or None,
            load_balance_dc_aware=address.data_center or None,  # else all nodes in turn, behind the token's own
            consistency="LOCAL_QUORUM",
            serial_consistency="LOCAL_SERIAL",
            connect_timeout=CONNECT_WITHIN_S,
            request_timeout=REQUEST_WITHIN_S,
            max_schema_wait_time_ms=AGREE_WITHIN_MS,
            exponential_reconnect_base_delay_ms=reconnect_first_ms,
            exponential_reconnect_max_delay_ms=reconnect_most_ms,
            speculative_execution_policy=acsylla.SpeculativeExecutionPolicy(ASK_ANOTHER_AFTER_MS, 1),
            log_level="disabled",  # what matters comes as an error; its logger does not outlive a second session
            application_name="townsquare",
        )
        try:
            return cls(cluster, await cluster.create_session())
        except errors.CassException as exc:
            cluster.destroy()
            raise _translated(exc) from exc

    async def prepared(self, cql: str) -> Any:
        """The statement, prepared on all nodes; once a process."""
        statement = self._statements.get(cql)
        if statement is None:
            async with self._preparing:
                statement = self._statements.get(cql)
                if statement is None:
                    statement = self._statements[cql] = await self._ask(self._session.create_prepared(cql))
        return statement

    async def run(self, cql: str) -> list[tuple[Any, ...]]:
        """A statement of the schema or its tables, done once and not prepared; its rows."""
        statement = acsylla.create_statement(cql, timeout=SCHEMA_WITHIN_S)
        return [row.as_tuple() for row in await self._ask(self._session.execute(statement), SCHEMA_WITHIN_S)]

    async def read(self, cql: str, cells: Sequence[Any], **options: Any) -> Any:
        """Rows. `options`: the driver's own, as `page_size`."""
        statement = (self._statements.get(cql) or await self.prepared(cql)).bind(cells, **options)
        statement.set_is_idempotent(True)
        return await self._ask(self._session.execute(statement))

    async def write(self, writes: Sequence[tuple[str, Sequence[Any]]], *, at: int) -> None:
        """Writes of one partition, as one mutation stamped `at` in Unix microseconds."""
        statements = [(self._statements.get(cql) or await self.prepared(cql)).bind(cells) for cql, cells in writes]
        if len(statements) == 1:
            (one,) = statements
            one.set_timestamp(at)
            one.set_is_idempotent(True)
            await self._ask_twice(lambda: self._session.execute(one))
            return
        batch = acsylla.create_batch_unlogged()
        for statement in statements:
            batch.add_statement(statement)
        batch.set_timestamp(at)
        batch.set_is_idempotent(True)
        await self._ask_twice(lambda: self._session.execute_batch(batch))

    async def agree(self, cql: str, cells: Sequence[Any]) -> tuple[Any, ...]:
        """The answer to a conditional statement: `[applied]`, then what was there. Never repeated by the driver."""
        statement = (await self.prepared(cql)).bind(cells)
        result = await self._ask(self._session.execute(statement))
        answer: tuple[Any, ...] = result.first().as_tuple()
        return answer

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        if self._open:
            self._open = False
            await self._session.close()
            self._cluster.destroy()  # the sockets by which its threads wake the loop

    async def _ask_twice(self, ask: Callable[[], Any]) -> None:
        """A write that the replicas were too slow for, as one of them died, is asked for once more: it bears its time
        stamp, so that the second is the first again."""
        try:
            await self._ask(ask())
        except Unavailable as exc:
            if not isinstance(exc.__cause__, errors.CassErrorServerWriteTimeout):
                raise
            await self._ask(ask())

    async def _ask(self, asked: Any, within_s: float = GIVE_UP_AFTER_S) -> Any:
        try:
            async with asyncio.timeout(within_s):
                return await asked
        except TimeoutError as exc:
            raise Unavailable("The store does not answer just now") from exc
        except errors.CassException as exc:
            raise _translated(exc) from exc
        except RuntimeError as exc:
            if self._open:
                raise
            raise Unavailable("The store is closed") from exc


def _translated(exc: errors.CassException) -> Exception:
    if isinstance(exc, _NO_ENTRY):
        return ValueError("Cassandra does not let us in: see the user and password in the setting store.")
    if isinstance(exc, _MISTAKES):
        return RuntimeError(f"Cassandra refuses what we ask: {exc}")
    return Unavailable("The store does not answer just now")
