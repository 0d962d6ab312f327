"""Which version of our tables a store holds, and whether this program may use it.

The number rises when rows are kept otherwise than before, so that an older program would misread them. New tables and
new fields with a default do not need it: rows are read by name of the table and place of the field.

Box: store. All engines: it is a row like others.
"""

from townsquare.store.port import Store
from townsquare.store.tables import SETTINGS, SettingRow

VERSION = 1  # of what this program writes
OLDEST = 1  # that it can still read
VERSION_NAME = "schema"  # of the row in `settings`


class WrongVersion(Exception):
    """The store is not for this program. The message says what to do."""


async def check_version(store: Store) -> None:
    """Note our version in a store that has none; refuse one that is not for us. Cost: one read.

    Raises: WrongVersion; Unavailable.
    """
    row = await store.get(SETTINGS, (VERSION_NAME,))
    if row is None:
        row = await store.slow_put_if_absent(SETTINGS, SettingRow(name=VERSION_NAME, value=b"%d" % VERSION))
    there = VERSION if row is None else int(row.value) if row.value.isdigit() else 0
    if there > VERSION:
        raise WrongVersion(
            f"The store has schema version {there} and this Townsquare knows no newer one than {VERSION}: "
            "run the version that made it, or a later one."
        )
    if there < OLDEST:
        raise WrongVersion(
            f"The store has schema version {there} and this Townsquare reads none older than {OLDEST}: "
            "run the versions between first, in their order."
        )
