"""Files of people in a bucket of any store that speaks S3.

`a/b/name.webp` is the object `PREFIX/a/b/name.webp`, written with its media type and the word that it never changes.
The client is obstore: requests, signatures, multipart uploads and repeats run outside Python's loop.

Box: media. Source: Amazon S3, https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from townsquare.media.keys import checked_key
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Finding, fine, wrong

LINK_LIVES_S = 3_600  # a signed link
_CACHING = "public, max-age=31536000, immutable"
_CHUNK_BYTES = 8 << 20  # of an upload in several parts; four are under way at once
_AT_ONCE = 4
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[a-z0-9_-]+(?:/[a-z0-9_-]+){0,3})?")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?")
_NO_BUCKET = "NoSuchBucket"
_FORM = "s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME&delivery=proxy|signed|public&public=URL"

log = logging.getLogger(__name__)


class S3Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the bucket is, and how clients get at its files.

    `delivery`: `proxy`, through us; `signed`, by links to the store that live an hour; `public`, by plain links below
    `public`, a CDN's or the bucket's own address.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""  # empty: Amazon's own for the region
    region: str = "us-east-1"
    delivery: Literal["proxy", "signed", "public"] = "proxy"
    public: str = ""
    key: str = ""  # empty: from the environment or the machine's role
    secret: str = ""
    timeout_s: float = 60.0  # for one request with its body

    @classmethod
    def of(cls, url: str) -> "S3Address":
        """Read the setting.

        Raises: ValueError with a sentence that says what it must look like.
        """
        parts = urlsplit(url)
        given: dict[str, str] = dict(parse_qsl(parts.query, keep_blank_values=True))
        keys = {"key": unquote(parts.username or ""), "secret": unquote(parts.password or "")}
        bucket = parts.netloc.rpartition("@")[2]
        try:
            address = msgspec.convert(
                {**given, **keys, "bucket": bucket, "prefix": parts.path.strip("/")}, cls, strict=False
            )
        except msgspec.ValidationError as exc:
            raise ValueError(f"The setting media must look like {_FORM}: {exc}") from exc
        if not _BUCKET.fullmatch(address.bucket) or not _PREFIX.fullmatch(address.prefix):
            raise ValueError(f"The setting media must look like {_FORM}, with a bucket's name in it")
        if address.endpoint and not _ORIGIN.fullmatch(address.endpoint.rstrip("/")):
            raise ValueError("The setting media has an endpoint that does not look like https://s3.example.org")
        if address.delivery == "public" and not _ORIGIN.match(address.public):
            raise ValueError("The setting media says delivery=public and needs public=https://cdn.example.org too")
        return address


class S3Media:
    """Media store in a bucket."""

    def __init__(self, address: S3Address) -> None:
        self._address = address
        self._prefix = f"{address.prefix}/" if address.prefix else ""
        self._store = _store_of(address)

    @classmethod
    async def open(cls, url: str) -> "S3Media":
        """The store at the setting's address, tried once.

        Raises: ValueError for a setting that cannot work, Unavailable where there is no such bucket or it is
            not ours to use.
        """
        media = cls(S3Address.of(url))
        await media.get("townsquare-looks-whether-the-bucket-is-there")
        return media

    @property
    def origin(self) -> str | None:
        address = self._address
        if address.delivery == "public":
            found = _ORIGIN.match(address.public)
            return found[0] if found else None
        if address.delivery == "signed":
            return address.endpoint.rstrip("/") or f"https://{address.bucket}.s3.{address.region}.amazonaws.com"
        return None

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        with self._speaking("kept"):
            await self._store.put_async(
                self._name(key), data, attributes=_attributes(content_type), use_multipart=False
            )

    async def put_file(self, key: str, file: BinaryIO, *, content_type: str) -> None:
        file.seek(0)
        with self._speaking("kept"):
            await self._store.put_async(
                self._name(key),
                file,
                attributes=_attributes(content_type),
                chunk_size=_CHUNK_BYTES,
                max_concurrency=_AT_ONCE,
            )

    async def get(self, key: str) -> bytes | None:
        try:
            with self._speaking("read"):
                found = await self._store.get_async(self._name(key))
                return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None

    async def size(self, key: str) -> int | None:
        try:
            with self._speaking("read"):
                found = await self._store.head_async(self._name(key))
                return found["size"]
        except FileNotFoundError:
            return None

    async def part(self, key: str, start: int, length: int) -> bytes | None:
        try:
            with self._speaking("read"):
                return bytes(await self._store.get_range_async(self._name(key), start=start, length=length))
        except FileNotFoundError:
            return None

    async def delete(self, keys: list[str]) -> None:
        names = [self._name(key) for key in keys]
        for name in names:  # one by one: not every store takes a list
            try:
                with self._speaking("removed"):
                    await self._store.delete_async(name)
            except FileNotFoundError:
                continue

    def path_of(self, key: str) -> str | None:
        checked_key(key)
        return None

    async def link_of(self, key: str) -> str | None:
        name = self._name(key)
        if self._address.delivery == "public":
            return f"{self._address.public.rstrip('/')}/{name}"
        if self._address.delivery == "signed":
            with self._speaking("read"):
                return await obstore.sign_async(self._store, "GET", name, expires_in=timedelta(seconds=LINK_LIVES_S))
        return None

    async def examine(self) -> list[Finding]:
        """Whether files can be written, read in parts and removed: for `townsquare doctor`. Raises: Unavailable."""
        key = f"townsquare-doctor-{secrets.token_hex(8)}"
        await self.put(key, b"0123456789", content_type="text/plain")
        part = await self.part(key, 3, 4)
        await self.delete([key])
        if part != b"3456":
            return [
                wrong("bucket", f"{self._address.bucket} does not serve parts of files (HTTP Range): films need that")
            ]
        return [
            fine("bucket", f"{self._address.bucket} can be written and read; files go out by {self._address.delivery}")
        ]

    async def close(self) -> None:
        """Nothing to let go of: connections end when nobody uses them."""

    def _name(self, key: str) -> str:
        return self._prefix + checked_key(key)

    @contextmanager
    def _speaking(self, done: str) -> Iterator[None]:
        """Around requests: a file that is not there stays FileNotFoundError, all else is Unavailable."""
        bucket = self._address.bucket
        try:
            yield
        except FileNotFoundError as exc:
            if _NO_BUCKET in str(exc) or done == "kept":
                raise Unavailable(f"There is no bucket {bucket} for media") from exc
            raise
        except BaseError as exc:
            log.warning("the bucket %s: a file cannot be %s: %s", bucket, done, str(exc).partition("\n")[0])
            raise Unavailable(f"A file in the bucket {bucket} cannot be {done} just now") from exc


def _attributes(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "Cache-Control": _CACHING}


def _store_of(address: S3Address) -> S3Store:
    return S3Store(
        address.bucket,
        config={"access_key_id": address.key, "secret_access_key": address.secret} if address.key else {},
        endpoint=address.endpoint.rstrip("/") or None,
        region=address.region,
        virtual_hosted_style_request=not address.endpoint,
        client_options={
            "allow_http": address.endpoint.startswith("http:"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=address.timeout_s),
        },
        retry_config={
            "max_retries": 3,
            "backoff": {"base": 2, "init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2)},
            "retry_timeout": timedelta(seconds=address.timeout_s),
        },
    )
