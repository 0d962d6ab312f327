"""Write, answer, change and delete posts, by forms.

Box: web.
"""

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from townsquare.kit.html import join, tag
from townsquare.model.account import User
from townsquare.model.errors import Invalid, NotFound, Unauthorized
from townsquare.model.status import Media, Status
from townsquare.render.account import acct
from townsquare.render.status import StatusView
from townsquare.social import edits, media, statuses
from townsquare.social.drafts import MAX_MEDIA, Draft, PollDraft
from townsquare.social.hydrate import visible
from townsquare.social.ports import Ports
from townsquare.social.viewer import viewer_of
from townsquare.store.tables import MEDIA
from townsquare.web.limits import count_upload
from townsquare.web.pages.composer import Entry, composer
from townsquare.web.pages.frame import View, show
from townsquare.web.pages.layout import own_path, redirect
from townsquare.web.pages.parts.person import act
from townsquare.web.pages.parts.post import ANCESTOR, Look, path_of, post
from townsquare.web.routes import CacheClass, Limit, Request, Response, Route

BODY_LIMIT_BYTES = 101 << 20  # a film of 99 MiB, or four pictures of 16, and what is around them
_FILM_WAIT_S = 20.0
_SAID_PREFIX = "Validation failed: "


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shall begin with."""

    reply_to: str = ""
    edit: str = ""
    text: str = ""


class _Form(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed. Pictures come as files, `file1` and on, with `description1` and on."""

    status: str = ""
    spoiler_text: str = ""
    sensitive: bool = False
    visibility: str = ""
    language: str = ""
    reply_to: str = ""
    key: str = ""
    back: str = "/"
    media_ids: list[str] = []
    options: list[str] = []
    expires_in: int = 86_400
    multiple: bool = False

    def entry(self, kept: Sequence[Media], error: str, *, edits: int = 0) -> Entry:
        """The form once more, with what was wrong."""
        return Entry(
            text=self.status,
            spoiler_text=self.spoiler_text,
            visibility=self.visibility,
            language=self.language,
            sensitive=self.sensitive,
            reply_to=_number(self.reply_to),
            edits=edits,
            media=tuple(kept),
            options=tuple(self.options),
            expires_in=self.expires_in,
            multiple=self.multiple,
            error=error.removeprefix(_SAID_PREFIX),
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def user_of(request: Request) -> User:
    """The user who asks.

    Raises: Unauthorized where there is none.
    """
    if request.session is None or request.session.user is None:
        raise Unauthorized
    return request.session.user


async def write(request: Request, ports: Ports) -> Response:
    """The page to write on: anew, an answer (`reply_to`), or a change (`edit`)."""
    asked = request.read(_Asked)
    if asked.edit:
        status = await statuses.own_status(ports, author=request.account, status_id=_number(asked.edit))
        return await _page(request, ports, _entry_of(status, await _media(ports, status.media)))
    entry = Entry(text=asked.text)
    if asked.reply_to:
        view = await _seen(request, ports, _number(asked.reply_to))
        entry = answer(request, view)
    return await _page(request, ports, entry)


def answer(request: Request, view: StatusView) -> Entry:
    """The form to answer a status: whom it names, who may see it, in its language."""
    shown = view.reblog or view
    status, me = shown.status, request.account_id
    names = [acct(shown.author.account)] if status.author != me else []
    names += [f"{m.username}@{m.domain}" if m.domain else m.username for m in status.mentions if m.account_id != me]
    names = list(dict.fromkeys(names))
    return Entry(
        text="".join(f"@{name} " for name in names),
        spoiler_text=status.spoiler_text,
        visibility=_narrower(user_of(request).privacy.value, status.visibility.value),
        language=status.language,
        reply_to=status.status_id,
    )


def _narrower(one: str, other: str) -> str:
    order = ("public", "unlisted", "private", "direct")
    return max(one, other, key=order.index)


def _entry_of(status: Status, kept: Sequence[Media]) -> Entry:
    return Entry(
        text=status.text,
        spoiler_text=status.spoiler_text,
        language=status.language,
        sensitive=status.sensitive,
        edits=status.status_id,
        media=tuple(kept),
    )


async def _page(request: Request, ports: Ports, entry: Entry, *, status: int = 200, back: str = "") -> Response:
    above, title, action = None, "Write", "/do/post"
    if entry.edits:
        title, action = "Edit", f"/do/posts/{entry.edits}/edit"
        back = back or f"/posts/{entry.edits}"
    elif entry.reply_to:
        title = "Reply"
        try:
            view = await _seen(request, ports, entry.reply_to)
            above = post(view, Look(now_ms=ports.clock.now_ms(), place=ANCESTOR))
            back = back or path_of(view.reblog or view)
        except NotFound:  # gone meanwhile; what was typed stays
            above = None
    entry = msgspec.structs.replace(entry, has_focus=True)
    form = composer(request, entry, action=action, user=user_of(request), back=back or "/")
    view_of_page = View(title=title, body=join(above, form), place="compose", status=status)
    return await show(request, ports, view_of_page)


async def publish(request: Request, ports: Ports) -> Response:
    """Post what was written."""
    form, user = request.read(_Form), user_of(request)
    kept: list[Media] = []
    try:
        ids = await _pictures(request, ports, form, kept)
        draft = Draft(
            text=form.status,
            spoiler_text=form.spoiler_text,
            sensitive=form.sensitive or None,
            language=form.language,
            visibility=form.visibility or None,
            reply_to=_number(form.reply_to) if form.reply_to else None,
            media=ids,
            poll=_poll(form),
            key=f"form:{form.key}" if form.key else "",
        )
        status_id = await statuses.post(ports, author=request.account, user=user, draft=draft)
    except (Invalid, NotFound) as error:
        return await _page(request, ports, form.entry(kept, str(error)), status=422, back=own_path(form.back))
    return redirect(f"{own_path(form.back).partition('#')[0]}#post-{status_id}")


async def change(request: Request, ports: Ports) -> Response:
    """Change a post of one's own."""
    form, user, status_id = request.read(_Form), user_of(request), request.id()
    old = await statuses.own_status(ports, author=request.account, status_id=status_id)
    kept: list[Media] = []
    try:
        ids = await _pictures(request, ports, form, kept, attached=old.media)
        said = tuple(
            edits.MediaChange(media_id=each.media_id, description=_said(request, each.media_id)) for each in kept
        )
        wanted = edits.Change(
            text=form.status,
            spoiler_text=form.spoiler_text,
            sensitive=form.sensitive,
            language=form.language,
            media=ids,
            media_changes=said,
        )
        await edits.edit(ports, author=request.account, user=user, status_id=status_id, change=wanted)
    except Invalid as error:
        entry = form.entry(kept, str(error), edits=status_id)
        return await _page(request, ports, entry, status=422, back=own_path(form.back))
    return redirect(f"/posts/{status_id}")


def _poll(form: _Form) -> PollDraft | None:
    options = tuple(each for each in form.options if each.strip())
    if not options:
        return None
    return PollDraft(options=options, expires_in=form.expires_in, multiple=form.multiple)


async def _pictures(
    request: Request, ports: Ports, form: _Form, kept: list[Media], *, attached: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """Add to `kept`: pictures that came before and shall stay, then those that come with this form, ready to be shown.
    Their ids.

    Raises: Invalid for what is no picture; what came before it stays in `kept`.
    """
    me = request.account_id
    for found in await _media(ports, [_number(text) for text in form.media_ids[:MAX_MEDIA]]):
        said = _said(request, found.media_id)
        if found.account_id != me:
            continue
        each = await _made(ports, found)
        if each.media_id not in attached and said is not None and said != each.description:
            kept.append(await media.describe(ports, each.media_id, account_id=me, description=said))
        else:
            kept.append(each)
    for place in range(1, MAX_MEDIA + 1):
        file = request.files.get(f"file{place}")
        if file is not None and file.size:
            await count_upload(ports, request)
            words = request.params.get(f"description{place}", "")
            kept.append(await _upload(ports, me, file.file, words if isinstance(words, str) else ""))
    if any(each.state == "pending" for each in kept):
        raise Invalid("The video is still being worked on. Post again in a moment: nothing has to be sent anew.")
    return tuple(each.media_id for each in kept)


async def _upload(ports: Ports, account_id: int, file: BinaryIO, description: str) -> Media:
    row = await media.upload(ports, account_id=account_id, file=file, description=description, queue=False)
    if row.kind == media.IMAGE:
        row = await media.work_on(ports, row.media_id)
    return await _made(ports, row)


async def _made(ports: Ports, row: Media) -> Media:
    """The upload when a worker has done with it, or as it is after some seconds.

    Raises: Invalid where nothing could be made of it.
    """
    if row.state == "pending":
        row = await media.wait_until_made(ports, row, wait_s=_FILM_WAIT_S)
    if row.state == "failed":
        await media.discard(ports, row.media_id, account_id=row.account_id)
        raise Invalid(row.error)
    return row


def _said(request: Request, media_id: int) -> str | None:
    said = request.params.get(f"said-{media_id}")
    return said if isinstance(said, str) else None


async def _media(ports: Ports, ids: Sequence[int]) -> list[Media]:
    found = await ports.store.get_many(MEDIA, [(each,) for each in ids]) if ids else []
    return [each for each in found if each is not None and each.state in ("ready", "pending")]


async def ask_delete(request: Request, ports: Ports) -> Response:
    """Ask whether a post of one's own shall be deleted."""
    await statuses.own_status(ports, author=request.account, status_id=request.id())
    view = await _seen(request, ports, request.id())
    counts = view.totals.counts
    lost = f"It has {counts.replies} replies, {counts.reblogs} boosts and {counts.favourites} favourites."
    question = tag(
        "div",
        tag(
            "p", "Delete this post for good? ", lost if any((counts.replies, counts.reblogs, counts.favourites)) else ""
        ),
        tag(
            "p",
            act("Delete", f"/do/posts/{request.id()}/delete", kind="danger"),
            tag("a", "Keep it", href=path_of(view), class_="button quiet"),
            class_="row",
        ),
        class_="pad",
    )
    shown = post(view, Look(now_ms=ports.clock.now_ms()))
    return await show(request, ports, View(title="Delete this post?", body=join(question, shown)))


async def delete(request: Request, ports: Ports) -> Response:
    """Delete a post of one's own."""
    await statuses.delete(ports, author=request.account, status_id=request.id(), delete_media=False)
    return redirect("/")


async def _seen(request: Request, ports: Ports, status_id: int) -> StatusView:
    return await visible(ports, status_id, await viewer_of(ports, request.account_id))


ROUTES = [
    Route("GET", "/compose", write, cache=CacheClass.PAGE, html=True),
    Route("POST", "/do/post", publish, cache=CacheClass.PAGE, html=True, body_limit_bytes=BODY_LIMIT_BYTES),
    Route("POST", "/do/posts/{id}/edit", change, cache=CacheClass.PAGE, html=True, body_limit_bytes=BODY_LIMIT_BYTES),
    Route("GET", "/posts/{id}/delete", ask_delete, cache=CacheClass.PAGE, html=True),
    Route("POST", "/do/posts/{id}/delete", delete, limit=Limit.DELETE, cache=CacheClass.PAGE, html=True),
]
