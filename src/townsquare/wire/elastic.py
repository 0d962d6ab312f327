"""Elasticsearch as a few requests in JSON.

Box: wire. Source: https://www.elastic.co/docs/api/doc/elasticsearch
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from townsquare.model.errors import Unavailable
from townsquare.wire.rest import Rest, RestAddress

_PORT = 9200
_WITHIN_S = 10.0
_BULK_WITHIN_S = 30.0
_FORM = "elasticsearch://[USER:PASSWORD@]HOST[:PORT][?prefix=NAME&shards=N&replicas=N-M]"
_REPLICAS = re.compile(r"\d{1,2}(-(\d{1,2}|all))?")
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


class ElasticAddress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it is, and what our indices are like."""

    server: RestAddress
    shards: int = 1  # of an index
    replicas: str = "0-1"  # of a shard: as many as there are nodes for
    refresh: str = ""  # true: what is written is found at once, and writing costs more

    @classmethod
    def of(cls, url: str, *, setting: str) -> "ElasticAddress":
        """Read the setting; `elasticsearchs:` is spoken under TLS.

        Raises: ValueError with a sentence that says what it must look like.
        """
        must = f"The setting {setting} must look like {_FORM}"
        given = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        given.pop("prefix", None)
        try:
            server = RestAddress.of(url, scheme="elasticsearch", port=_PORT)
            address = msgspec.convert({**given, "server": server}, cls, strict=False)
        except (msgspec.ValidationError, ValueError) as exc:
            raise ValueError(f"{must}: {exc}") from exc
        if not 1 <= address.shards <= 100 or not _REPLICAS.fullmatch(address.replicas):
            raise ValueError(f"{must}, with 1 to 100 shards and replicas like 1 or 0-1")
        if address.refresh not in ("", "true", "wait_for"):
            raise ValueError(f"{must}, with refresh=true or refresh=wait_for if anything")
        return address

    @property
    def index_settings(self) -> dict[str, Any]:
        """For a new index."""
        settings: dict[str, Any] = {"number_of_shards": self.shards}
        if "-" in self.replicas:
            return settings | {"auto_expand_replicas": self.replicas}
        return settings | {"number_of_replicas": int(self.replicas)}


class Refused(Exception):
    """It answered that it would not. `kind`: Elasticsearch's word for why."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(f"{status} {kind}: {reason}")
        self.status, self.kind = status, kind


class Elastic:
    """One cluster."""

    def __init__(self, address: ElasticAddress) -> None:
        self.address = address
        self._rest = Rest(address.server, name="Elasticsearch")

    async def ask(self, method: str, path: str, body: Any = None, *, within_s: float = _WITHIN_S) -> Any:
        """Its answer.

        Raises: Refused; Unavailable where it does not answer, is too busy, or does not let us in.
        """
        data = b"" if body is None else _encode(body)
        answer = await self._rest.ask(method, path, data, within_s=within_s)
        return _read(answer.status, answer.body)

    async def bulk(self, lines: Sequence[Any], *, parameters: str = "") -> list[dict[str, Any]]:
        """Write: actions, each with its document behind it if it has one. What became of each.

        Raises: Unavailable.
        """
        body = b"".join([_encode(line) + b"\n" for line in lines])
        answer = await self._rest.ask("POST", f"/_bulk{parameters}", body, within_s=_BULK_WITHIN_S)
        try:
            items = _read(answer.status, answer.body)["items"]
        except Refused as exc:
            raise Unavailable("Elasticsearch takes no documents just now") from exc
        return [next(iter(item.values())) for item in items]

    async def close(self) -> None:
        """Let go of the connections."""
        await self._rest.close()


def _read(status: int, body: bytes) -> Any:
    try:
        value = _decode(body) if body else {}
    except msgspec.DecodeError as exc:
        raise Unavailable(f"Elasticsearch answers {status} and something that is not JSON") from exc
    if status < 300:
        return value
    if status in (401, 403):
        raise Unavailable("Elasticsearch does not let us in; give USER:PASSWORD in the setting")
    error = value.get("error")
    if isinstance(error, dict):
        raise Refused(status, error.get("type") or "", error.get("reason") or "")
    raise Refused(status, "", str(error or ""))
