"""What a route declares, what a handler gets and gives. Tables named ROUTES beside the handlers list them all.

Box: web. One declaration per route: tests, docs, the limiter and the edge's configuration are made from it.
"""

import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, TypeVar

import msgspec

from townsquare.media.headers import MAX_BYTES
from townsquare.model.account import Account, Token, User
from townsquare.model.errors import NotFound, Unauthorized
from townsquare.social.ports import Ports
from townsquare.social.sessions import Session
from townsquare.web.params import read_id, read_params

T = TypeVar("T")
RawHeaders = list[tuple[bytes, bytes]]  # as they are sent


class Access(StrEnum):
    """Whose token a route wants."""

    PUBLIC = "public"  # none needed; a token, if sent, must be good
    APP = "app"  # any token, also of an app without a user
    USER = "user"  # of a user who is confirmed, approved and not disabled
    STREAM = "stream"  # as USER, but whoever may not is told 401, as streams do
    PENDING = "pending"  # of a user, also one who is not confirmed yet
    STAFF = "staff"  # of a moderator, an admin or the owner


class Limit(StrEnum):
    """Rate limits; the numbers stand in limits.py."""

    API = "api"
    MEDIA = "media"
    DELETE = "delete"
    SIGN_UP = "sign_up"
    LOG_IN = "log_in"
    APPS = "apps"
    NONE = "none"


class CacheClass(StrEnum):
    """What a shared cache may do with the answer."""

    PRIVATE = "private"  # private, no-store
    OWN = "own"  # private; the client may keep it, and asks each time whether it changed
    INSTANCE = "instance"  # public, five minutes
    HALF_HOUR = "half_hour"  # public, that long
    DAYS = "days"  # public, three of them
    TIMELINE = "timeline"  # public for 15 s where nobody is signed in, else private
    PAGE = "page"  # HTML: private, no-cache
    OPEN_PAGE = (
        "open_page"  # as PAGE; where nobody is signed in, all get the same, which our own edge may keep for moments
    )
    IMMUTABLE = "immutable"  # public, a year


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file of a multipart body; a large one lies on the disk. It is closed when the request was answered."""

    filename: str
    content_type: str
    file: BinaryIO

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.file.seek(0, io.SEEK_END)

    def read(self) -> bytes:
        """The whole file, up to as much as a picture may have and one byte more: that it is too large shows."""
        self.file.seek(0)
        return self.file.read(MAX_BYTES + 1)


@dataclass(slots=True, kw_only=True)
class Request:
    """One request, read. `params` holds query and body together, as nested dicts, lists and strings."""

    method: str
    path: str
    route: "Route"
    path_params: Mapping[str, str]
    params: dict[str, Any]
    query_string: str
    files: Mapping[str, Upload]
    headers: Mapping[str, str]  # names in lower case
    cookies: Mapping[str, str]
    session: Session | None
    address: str  # the client's, as far as trusted
    request_id: str
    base_url: str  # settings.base: what absolute links begin with
    secret_key: bytes = field(default=b"", repr=False)  # the server's, for forms; only where `route.html`
    made: list[tuple[str, str]] = field(default_factory=list)  # headers for the answer, whatever comes

    @property
    def account(self) -> Account:
        """The account that asks.

        Raises: Unauthorized where there is none.
        """
        if self.session is None or self.session.account is None:
            raise Unauthorized
        return self.session.account

    @property
    def account_id(self) -> int:
        """The id of the account that asks; 0 for nobody."""
        return self.session.account.account_id if self.session and self.session.account else 0

    @property
    def user(self) -> User:
        """The user that asks.

        Raises: Unauthorized where there is none.
        """
        if self.session is None or self.session.user is None:
            raise Unauthorized
        return self.session.user

    @property
    def token(self) -> Token:
        """The token that the request carries.

        Raises: Unauthorized where there is none.
        """
        if self.session is None:
            raise Unauthorized
        return self.session.token

    def id(self, name: str = "id") -> int:
        """An id from the path.

        Raises: NotFound where it is not one.
        """
        number = read_id(self.path_params[name])
        if number is None:
            raise NotFound
        return number

    def read(self, shape: type[T]) -> T:
        """The parameters as a Struct: unknown ones are passed over, forms' booleans and numbers are understood.

        Raises: Invalid, BadRequest with the parameter's name.
        """
        return read_params(self.params, shape)


@dataclass(slots=True)
class Response:
    """An answer: JSON unless `content_type` says otherwise. `body` is whole, or `chunks` follow one by one; these have
    no length unless a `content-length` header says it."""

    body: bytes
    status: int = 200
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    chunks: AsyncIterator[bytes] | None = None


Handler = Callable[[Request, Ports], Awaitable[Response]]

_ENCODER = msgspec.json.Encoder()


def json_response(value: Any, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Anything msgspec can write, as a JSON answer."""
    return Response(_ENCODER.encode(value), status, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a route reads and gives, for the document about it."""

    gives: Any  # a Struct, or a list of them
    reads: type[msgspec.Struct] | None = None
    also: tuple[str, ...] = ()  # types of content that may be asked for instead of JSON


@dataclass(frozen=True, slots=True)
class Route:
    """One route, whole. The handler's docstring is its documentation."""

    method: str
    path: str  # /api/v1/statuses/{id}
    handler: Handler
    _: KW_ONLY
    access: Access = Access.USER
    scope: tuple[str, ...] = ()  # one of these suffices; empty: any token will do
    limit: Limit = Limit.API
    cache: CacheClass = CacheClass.PRIVATE
    body_limit_bytes: int = 1 << 20
    keyed: bool = False  # honours Idempotency-Key: a request with one may be sent again
    html: bool = False  # a page for people: errors are pages too, sessions by cookie, CSRF checked
    told: Told | None = None
