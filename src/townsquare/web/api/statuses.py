"""Statuses: post, read, edit, delete; who reacted.

Box: web. Source: Mastodon API, /methods/statuses/
"""

import msgspec

from townsquare.model.errors import Invalid, NotFound
from townsquare.render.account import account_url
from townsquare.render.status import status_json, status_list_json
from townsquare.render.status_edit import deleted_json, edit_json, source_json
from townsquare.social import edits, statuses
from townsquare.social.context import context as thread_around
from townsquare.social.drafts import Draft, PollDraft
from townsquare.social.hydrate import people, visible
from townsquare.social.hydrate import statuses as hydrate
from townsquare.social.ports import Ports
from townsquare.social.seeing import may_see
from townsquare.social.viewer import viewer_of
from townsquare.web.api.media import read_focus
from townsquare.web.params import read_id
from townsquare.web.routes import Access, Limit, Request, Response, Route

_MOST_IDS = 40
_READ = ("read:statuses",)
_WRITE = ("write:statuses",)


class _Poll(msgspec.Struct, frozen=True):
    options: list[str] = []
    expires_in: int | None = None
    multiple: bool = False
    hide_totals: bool = False

    def draft(self) -> PollDraft:
        """The same for the verb."""
        return PollDraft(
            options=tuple(self.options),
            expires_in=self.expires_in,
            multiple=self.multiple,
            hide_totals=self.hide_totals,
        )


class _Create(msgspec.Struct, frozen=True):
    status: str = ""
    spoiler_text: str = ""
    sensitive: bool | None = None
    language: str = ""
    visibility: str = ""
    in_reply_to_id: str = ""
    media_ids: list[str] = []
    poll: _Poll | None = None
    scheduled_at: str = ""
    quoted_status_id: str = ""
    quote_approval_policy: str = ""


class _MediaChange(msgspec.Struct, frozen=True):
    id: str
    description: str | None = None
    focus: str | None = None


class _Edit(msgspec.Struct, frozen=True):
    status: str | None = None
    spoiler_text: str | None = None
    sensitive: bool | None = None
    language: str = ""
    media_ids: list[str] | None = None
    media_attributes: list[_MediaChange] = []
    poll: _Poll | None = None
    quote_approval_policy: str = ""


class _Many(msgspec.Struct, frozen=True):
    id: list[str] = []


class _Delete(msgspec.Struct, frozen=True):
    delete_media: bool = False


class _Policy(msgspec.Struct, frozen=True):
    quote_approval_policy: str


def _media_ids(texts: list[str]) -> tuple[int, ...]:
    ids = [read_id(text) for text in texts]
    if None in ids:
        bad = ", ".join(text[:32] for text, each in zip(texts, ids, strict=True) if each is None)
        raise Invalid(f"Validation failed: Media {bad} not found or already attached to another post")
    return tuple(each for each in ids if each is not None)


async def create(request: Request, ports: Ports) -> Response:
    """Post a status."""
    form = request.read(_Create)
    if form.scheduled_at:
        raise Invalid("Validation failed: Scheduled at is not possible on this server yet")
    if form.quoted_status_id:
        raise Invalid("Validation failed: Quoted status is not possible on this server yet")
    draft = Draft(
        text=form.status,
        spoiler_text=form.spoiler_text,
        sensitive=form.sensitive,
        language=form.language,
        visibility=form.visibility or None,
        # An id that cannot be one is that of no status.
        reply_to=(read_id(form.in_reply_to_id) or 0) if form.in_reply_to_id else None,
        media=_media_ids(form.media_ids),
        poll=form.poll.draft() if form.poll else None,
        quote_policy=form.quote_approval_policy or None,
        app_name=request.token.app_name,
        app_website=request.token.app_website,
        key=request.headers.get("idempotency-key", ""),
    )
    status_id = await statuses.post(ports, author=request.account, user=request.user, draft=draft)
    return await _shown(request, ports, status_id)


async def get(request: Request, ports: Ports) -> Response:
    """One status."""
    view = await visible(ports, request.id(), await viewer_of(ports, request.account_id))
    ports.facts.show(request.account_id, (view,), "page")
    return Response(status_json(view))


async def get_many(request: Request, ports: Ports) -> Response:
    """Several statuses by their ids; those that cannot be seen are left out."""
    ids = [each for each in map(read_id, request.read(_Many).id[:_MOST_IDS]) if each is not None]
    viewer = await viewer_of(ports, request.account_id)
    return Response(status_list_json(await hydrate(ports, list(dict.fromkeys(ids)), viewer, gate=may_see)))


async def context(request: Request, ports: Ports) -> Response:
    """What stands above and below a status in its thread."""
    above, below = await thread_around(ports, request.id(), await viewer_of(ports, request.account_id))
    ports.facts.show(request.account_id, (*above, *below), "thread")
    return Response(b'{"ancestors":%b,"descendants":%b}' % (status_list_json(above), status_list_json(below)))


async def delete(request: Request, ports: Ports) -> Response:
    """Delete an own status; the answer holds its source, to write it anew."""
    author, status_id = request.account, request.id()
    await statuses.own_status(ports, author=author, status_id=status_id)
    try:
        shown = status_json(await visible(ports, status_id, await viewer_of(ports, author.account_id)))
    except NotFound:  # a boost of something that is gone
        shown = b"{}"
    form = request.read(_Delete)
    status = await statuses.delete(ports, author=author, status_id=status_id, delete_media=form.delete_media)
    return Response(deleted_json(shown, status))


async def edit(request: Request, ports: Ports) -> Response:
    """Change an own status."""
    form = request.read(_Edit)
    change = edits.Change(
        text=form.status,
        spoiler_text=form.spoiler_text,
        sensitive=form.sensitive,
        language=form.language,
        media=None if form.media_ids is None else _media_ids(form.media_ids),
        media_changes=tuple(
            edits.MediaChange(
                media_id=read_id(each.id) or 0, description=each.description, focus=read_focus(each.focus)
            )
            for each in form.media_attributes
        ),
        poll=form.poll.draft() if form.poll else None,
    )
    await edits.edit(ports, author=request.account, user=request.user, status_id=request.id(), change=change)
    if form.quote_approval_policy:
        await statuses.set_quote_policy(
            ports, author=request.account, status_id=request.id(), policy=form.quote_approval_policy
        )
    return await _shown(request, ports, request.id())


async def history(request: Request, ports: Ports) -> Response:
    """All versions of a status, the first one first."""
    versions = await edits.history(ports, request.id(), await viewer_of(ports, request.account_id))
    now, base = versions[-1].status, ports.settings.base
    author, *named = await people(ports, [now.author, *(mention.account_id for mention in now.mentions)])
    if author is None:
        raise NotFound
    accounts = [person.account for person in named if person is not None]
    addresses = {(account.username.lower(), account.domain): account_url(account, base) for account in accounts}
    shown = [
        edit_json(
            version.status,
            version.media,
            at_ms=version.at_ms,
            account=author.json,
            mentioned=addresses,
            base=base,
        )
        for version in versions
    ]
    return Response(b"[" + b",".join(shown) + b"]")


async def source(request: Request, ports: Ports) -> Response:
    """What the author typed."""
    view = await visible(ports, request.id(), await viewer_of(ports, request.account_id))
    return Response(source_json((view.reblog or view).status))


async def pin(request: Request, ports: Ports) -> Response:
    """Pin an own status to the profile."""
    await statuses.pin(ports, author=request.account, status_id=request.id())
    return await _shown(request, ports, request.id())


async def unpin(request: Request, ports: Ports) -> Response:
    """Take an own status off the profile."""
    await statuses.unpin(ports, author=request.account, status_id=request.id())
    return await _shown(request, ports, request.id())


async def mute(request: Request, ports: Ports) -> Response:
    """Hear no more of a conversation."""
    await statuses.mute_conversation(ports, actor=request.account, status_id=request.id(), on=True)
    return await _shown(request, ports, request.id())


async def unmute(request: Request, ports: Ports) -> Response:
    """Hear of a conversation again."""
    await statuses.mute_conversation(ports, actor=request.account, status_id=request.id(), on=False)
    return await _shown(request, ports, request.id())


async def interaction_policy(request: Request, ports: Ports) -> Response:
    """Say who may quote an own status."""
    policy = request.read(_Policy).quote_approval_policy
    await statuses.set_quote_policy(ports, author=request.account, status_id=request.id(), policy=policy)
    return await _shown(request, ports, request.id())


async def quotes(request: Request, ports: Ports) -> Response:
    """Statuses that quote this one: none, as long as nothing can be quoted."""
    await visible(ports, request.id(), await viewer_of(ports, request.account_id))
    return Response(b"[]")


async def _shown(request: Request, ports: Ports, status_id: int) -> Response:
    return Response(status_json(await visible(ports, status_id, await viewer_of(ports, request.account_id))))


_ONE = "/api/v1/statuses/{id}"
ROUTES = [
    Route("POST", "/api/v1/statuses", create, scope=_WRITE, keyed=True),
    Route("GET", "/api/v1/statuses", get_many, access=Access.PUBLIC, scope=_READ),
    Route("GET", _ONE, get, access=Access.PUBLIC, scope=_READ),
    Route("PUT", _ONE, edit, scope=_WRITE),
    Route("DELETE", _ONE, delete, scope=_WRITE, limit=Limit.DELETE),
    Route("GET", f"{_ONE}/context", context, access=Access.PUBLIC, scope=_READ),
    Route("GET", f"{_ONE}/history", history, access=Access.PUBLIC, scope=_READ),
    Route("GET", f"{_ONE}/source", source, access=Access.APP, scope=_READ),
    Route("POST", f"{_ONE}/pin", pin, scope=("write:accounts",)),
    Route("POST", f"{_ONE}/unpin", unpin, scope=("write:accounts",)),
    Route("POST", f"{_ONE}/mute", mute, scope=("write:mutes",)),
    Route("POST", f"{_ONE}/unmute", unmute, scope=("write:mutes",)),
    Route("PUT", f"{_ONE}/interaction_policy", interaction_policy, scope=_WRITE),
    Route("GET", f"{_ONE}/quotes", quotes, scope=_READ),
]
