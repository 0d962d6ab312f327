"""What a verb is given: the engines behind their ports, the clock, the maker of ids, the settings.

Box: social.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from townsquare.analytics.port import Analytics
from townsquare.cache.port import Cache
from townsquare.feeds.port import Feeds
from townsquare.kit.clock import Clock
from townsquare.mail.port import Mailer
from townsquare.media.film_studio import FilmStudio
from townsquare.media.port import MediaStore
from townsquare.media.studio import Studio
from townsquare.queue.port import Queue
from townsquare.search.port import Search
from townsquare.settings import Settings
from townsquare.social.facts_desk import FactsDesk
from townsquare.social.outbound import Outbound
from townsquare.social.outbox import Outbox
from townsquare.social.passwords import Passwords
from townsquare.social.pseudonyms import Pseudonyms
from townsquare.social.views import Views
from townsquare.store.port import Store
from townsquare.streaming.port import Streaming


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One engine for each box, and what one process has one of."""

    store: Store
    cache: Cache
    feeds: Feeds
    queue: Queue
    streaming: Streaming
    search: Search
    analytics: Analytics
    media: MediaStore
    mail: Mailer
    outbox: Outbox
    settings: Settings
    clock: Clock
    new_id: Callable[[], int]  # snowflake
    passwords: Passwords = field(default_factory=Passwords)
    studio: Studio = field(default_factory=Studio)
    film_studio: FilmStudio = field(default_factory=FilmStudio)
    outbound: Outbound = field(default_factory=Outbound)
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)
    facts: FactsDesk = field(default_factory=FactsDesk)
    views: Views = field(default_factory=Views)

    def __post_init__(self) -> None:
        self.views.follow(self.cache)
        self.facts.belong(
            store=self.store,
            queue=self.queue,
            clock=self.clock,
            pseudonyms=self.pseudonyms,
            new_id=self.new_id,
            sample=self.settings.impression_sample,
            tells=self.settings.tells_facts,
        )
