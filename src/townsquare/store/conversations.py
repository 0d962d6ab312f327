"""Direct conversations of an account.

Box: store. A person has few of them (hundreds), so a page is cut from the whole partition.
"""

from townsquare.model.paging import Window
from townsquare.store.port import Store
from townsquare.store.tables import CONVERSATIONS, ConversationRow

MOST = 5_000


async def conversation(store: Store, account_id: int, conversation_id: int) -> ConversationRow | None:
    """One conversation that is on."""
    row = await store.get(CONVERSATIONS, (account_id, conversation_id))
    return row if row is not None and row.on else None


async def conversations_page(store: Store, account_id: int, window: Window) -> list[ConversationRow]:
    """Conversations by their last status, the newest first; the window is about last statuses. Cost: one read."""
    rows = [row for row in await store.range(CONVERSATIONS, (account_id,), limit=MOST) if row.on]
    rows = [
        row
        for row in sorted(rows, key=lambda row: row.last_status, reverse=True)
        if (window.below is None or row.last_status < window.below)
        and (window.above is None or row.last_status > window.above)
    ]
    return rows[-window.limit :] if window.forward else rows[: window.limit]
