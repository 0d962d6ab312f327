"""The charts of an author about what they wrote.

Box: social. All that is counted lies by the author's own statuses and profile. Direct statuses leave no facts, and what
engines might hold of them is left out: a count would tell one person that another read it. So are bookmarks, which
nobody but who sets them sees.
"""

from townsquare.social.insights.charts import Chart, HoursOfWeek, Series, Split, Sums, TopStatuses, Where
from townsquare.social.insights.tables import REACTIONS, READ

_SAMPLED = "Impressions are sampled where there are many, may be lost, and say sent, not read. Kept for 400 days."
_BEGUN = ("follow", "past_follow")
_WAS_READ: Where = (("visibility", READ),)

AUTHOR_CHARTS: tuple[Chart, ...] = (
    Chart(
        name="my_impressions",
        title="Your posts sent to readers, times per {step}",
        about="How often a status of yours was sent to somebody who reads, against the period before.",
        limits=_SAMPLED + " Direct posts are left out.",
        kind="bars",
        unit="times",
        audience="author",
        shape=Sums(series=(Series(name="impression", title="Impressions", plus=("impression",), where=_WAS_READ),)),
        compared=True,
        per_status=True,
    ),
    Chart(
        name="my_engagement",
        title="Replies, boosts and favourites on your posts, per {step}",
        about="What others, and you, did with your statuses, by when they did it, against the period before.",
        limits="What was taken back is not in it. Your own replies to yourself are.",
        kind="lines",
        unit="acts",
        audience="author",
        shape=Sums(
            series=(
                Series(name="reply", title="Replies", plus=("reply",)),
                Series(name="boost", title="Boosts", plus=("boost",)),
                Series(name="favourite", title="Favourites", plus=("favourite",)),
            )
        ),
        compared=True,
        per_status=True,
    ),
    Chart(
        name="my_engagement_rate",
        title="Engagement rate: replies, boosts and favourites for each 100 impressions, per {step}",
        about="How many of those who were sent your statuses did something with them, against the period before.",
        limits=_SAMPLED + " Reactions may come long after the impression; then one day's rate is too high.",
        kind="lines",
        unit="percent",
        audience="author",
        shape=Sums(
            series=(
                Series(
                    name="rate",
                    title="Engagement rate",
                    plus=REACTIONS,
                    where=_WAS_READ,
                    over=("impression",),
                    over_where=_WAS_READ,
                    scale=100,
                ),
            )
        ),
        steps=("day", "week", "month"),
        compared=True,
        per_status=True,
    ),
    Chart(
        name="my_followers",
        title="Followers gained, people per {step}",
        about="Follows of you less those that ended, against the period before.",
        limits="Before facts were recorded nobody knows who left. Who deleted their account is in no number.",
        kind="bars",
        unit="people",
        audience="author",
        shape=Sums(
            series=(
                Series(name="gained", title="Gained", plus=_BEGUN, minus=("unfollow",)),
                Series(name="follow", title="Follows", plus=_BEGUN),
                Series(name="unfollow", title="Unfollows", plus=("unfollow",)),
            )
        ),
        steps=("day", "week", "month"),
        compared=True,
    ),
    Chart(
        name="my_hours",
        title="Your best hours: reactions and impressions in an average hour of the week",
        about="When people read you and answer, in your time zone, as the mean over the weeks of the time.",
        limits=_SAMPLED + " It shows when readers were there, not when a post would do best.",
        kind="grid",
        unit="acts",
        audience="author",
        shape=HoursOfWeek(
            series=(
                Series(name="reactions", title="Reactions", plus=REACTIONS),
                Series(name="impressions", title="Impressions", plus=("impression",), where=_WAS_READ),
            )
        ),
        steps=("day",),
        default_days=84,
        most=400,
    ),
    Chart(
        name="my_posts",
        title="Your posts with the most reactions or impressions",
        about="Statuses of yours that somebody read or reacted to in the time.",
        limits=_SAMPLED + " Direct posts are left out.",
        kind="table",
        unit="acts",
        audience="author",
        shape=TopStatuses(),
        steps=("day",),
    ),
    Chart(
        name="my_impressions_by_visibility",
        title="Your posts sent to readers by visibility, times per {step}",
        about="Impressions of public, unlisted and followers-only statuses.",
        limits=_SAMPLED + " Direct posts are left out.",
        kind="lines",
        unit="times",
        audience="author",
        shape=Split(kinds=("impression",), by="visibility", where=_WAS_READ),
        steps=("day", "week", "month"),
    ),
    Chart(
        name="my_engagement_by_visibility",
        title="Reactions to your posts by visibility, per {step}",
        about="Replies, boosts and favourites on statuses of each visibility.",
        limits="It cannot say how many could have reacted.",
        kind="lines",
        unit="acts",
        audience="author",
        shape=Split(kinds=REACTIONS, by="visibility"),
        steps=("day", "week", "month"),
    ),
    Chart(
        name="my_impressions_by_place",
        title="Where your posts were sent to readers, times per {step}",
        about="Home timelines, public ones, tags, threads, profiles and pages.",
        limits=_SAMPLED + " Direct posts are left out.",
        kind="lines",
        unit="times",
        audience="author",
        shape=Split(kinds=("impression",), by="label", where=_WAS_READ),
        steps=("day", "week", "month"),
        per_status=True,
    ),
    Chart(
        name="my_profile_views",
        title="Views of your profile, times per {step}",
        about="How often your profile was opened, against the period before.",
        limits="It cannot say by whom. May be lost. Kept for 400 days.",
        kind="bars",
        unit="times",
        audience="author",
        shape=Sums(series=(Series(name="profile_view", title="Profile views", plus=("profile_view",)),)),
        steps=("day", "week", "month"),
        compared=True,
    ),
    Chart(
        name="my_link_clicks",
        title="Links followed in your posts, times per {step}",
        about="Counted only for authors who want to know.",
        limits="It cannot say by whom. May be lost. Kept for 400 days.",
        kind="bars",
        unit="times",
        audience="author",
        shape=Sums(series=(Series(name="link_click", title="Clicks", plus=("link_click",)),)),
        steps=("day", "week", "month"),
        compared=True,
        per_status=True,
    ),
    Chart(
        name="my_activity",
        title="What you wrote: posts, replies and boosts, per {step}",
        about="Your own statuses, against the period before.",
        limits="Deleted ones are not in it.",
        kind="bars",
        unit="posts",
        audience="author",
        shape=Sums(
            series=(
                Series(name="post", title="Posts", plus=("post",), own="actor"),
                Series(name="reply", title="Replies", plus=("reply",), own="actor"),
                Series(name="boost", title="Boosts", plus=("boost",), own="actor"),
            )
        ),
        steps=("day", "week", "month"),
        compared=True,
    ),
)
