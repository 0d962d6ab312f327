"""Profiles with their pictures: files are kept before the profile names them, and go when it no longer does.

Box: social. Source: Mastodon API, /methods/accounts/#update_credentials (avatar, header)
"""

import msgspec

from townsquare.media.headers import read_header
from townsquare.media.picture import Use
from townsquare.model.account import Account
from townsquare.model.errors import Invalid, NotFound
from townsquare.social.cdn import delete_files, picture_keys
from townsquare.social.media import store_profile_picture
from townsquare.social.ports import Ports
from townsquare.social.profile import Profile, ProfileChange, change_profile, check
from townsquare.store.tables import ACCOUNTS


async def change_profile_and_pictures(
    ports: Ports, account_id: int, change: ProfileChange, *, avatar: bytes | None = None, header: bytes | None = None
) -> Profile:
    """As `change_profile`, with new pictures where they are given. Nothing changes unless all of it can be done.

    Raises: Invalid with details per field; NotFound.
    """
    check(change)
    before = await ports.store.get(ACCOUNTS, (account_id,))
    if before is None:
        raise NotFound
    given = {"avatar": avatar, "header": header}
    new: dict[str, str] = {}
    try:
        for field, data in given.items():
            if data is not None:
                _check(field, data)
        for field, data in given.items():
            if data is not None:
                stored = await store_profile_picture(ports, data, kind=Use(field))
                new |= {field: stored.key, f"{field}_static": stored.static_key}
        after = await change_profile(ports, account_id, msgspec.structs.replace(change, **new))
    except BaseException:
        await ports.media.delete(list(new.values()))
        raise
    await delete_files(ports, sorted(_keys(before) - _keys(after.account)))
    return after


def _check(field: str, data: bytes) -> None:
    try:
        read_header(data)
    except Invalid as exc:
        said = str(exc).removeprefix("Validation failed: File ")
        raise Invalid(f"Validation failed: {field.capitalize()} {said}", {field: [("ERR_INVALID", said)]}) from exc


def _keys(account: Account) -> set[str]:
    return set(picture_keys(account))
