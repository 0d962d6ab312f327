"""Names and texts for people who do not exist, the same for the same random numbers.

Box: cli.
"""

from pathlib import Path
from random import Random

_FIRST = (
    "Ada", "Amara", "Anouk", "Aiko", "Bela", "Bruno", "Carmen", "Chidi", "Dana", "Devi", "Elif", "Emre", "Farah",
    "Felix", "Greta", "Hana", "Hugo", "Ines", "Ivo", "Jonas", "Jun", "Kaya", "Kofi", "Lena", "Luis", "Maja", "Malik",
    "Mina", "Nadia", "Nico", "Noor", "Olga", "Omar", "Petra", "Priya", "Rafa", "Rosa", "Sami", "Sara", "Tariq",
    "Tessa", "Uma", "Vera", "Wanda", "Yara", "Yusuf", "Zoe",
)  # fmt: skip
_LAST = (
    "Abebe", "Adler", "Baker", "Berg", "Costa", "Cruz", "Diallo", "Ekström", "Farkas", "Fischer", "Garcia", "Haddad",
    "Horvat", "Ito", "Jansen", "Kaya", "Kim", "Kovács", "Lang", "Lopez", "Marin", "Mensah", "Moreau", "Nagy", "Novak",
    "Okafor", "Olsen", "Park", "Patel", "Quinn", "Rossi", "Sato", "Silva", "Singh", "Sousa", "Tanaka", "Vogel",
    "Weber", "Wolf", "Yilmaz", "Zhang",
)  # fmt: skip
_TAGS = (
    "gardening", "photography", "cycling", "cooking", "books", "maps", "birds", "trains", "music", "python",
    "history", "film", "knitting", "hiking", "space",
)  # fmt: skip
_OPENINGS = (
    "Today I",
    "This morning I",
    "Last night I",
    "On the way home I",
    "After three tries I",
    "Small victory: I",
    "Without any plan I",
    "Between two rain showers I",
    "With a little help I",
    "For the first time in years I",
)
_DOINGS = (
    "found the old map of the harbour",
    "repaired the back wheel by myself",
    "planted beans on the balcony",
    "read a whole book in one sitting",
    "met a heron by the canal",
    "baked bread that did not collapse",
    "took the slow train through the hills",
    "wrote down what my grandmother used to sing",
    "learned how the tides work",
    "saw the space station pass over",
    "fixed the radio with a paper clip",
    "lost at chess against my niece",
)
_ENDINGS = (
    "It took all day.",
    "Worth it.",
    "Who wants details?",
    "More tomorrow.",
    "The neighbours noticed.",
    "I did not expect that.",
    "Pictures when the light is better.",
    "Next time with a thermos.",
    "",
    "",
)
REPLIES = (
    "That made my day.",
    "How long did it take?",
    "I tried the same last year and gave up.",
    "Tell us more!",
    "Same here, every spring.",
    "You have convinced me.",
    "There is a good article about this, I will look for it.",
    "Ha! I thought I was the only one.",
    "Lovely. Where is that?",
    "Congratulations.",
)


class Words:
    """Makes names and texts; the texts may come from a file, one a line."""

    def __init__(self, random: Random, texts: Path | None) -> None:
        self._random = random
        self._texts: list[str] = []
        if texts is not None:
            lines = texts.read_text(encoding="utf-8", errors="replace").splitlines()
            self._texts = [line.strip()[:480] for line in lines if line.strip()]
            if not self._texts:
                raise ValueError(f"{texts} holds no texts")

    def person(self, number: int) -> tuple[str, str]:
        """A username that only this number has, and a display name."""
        first, last = self._random.choice(_FIRST), self._random.choice(_LAST)
        return f"{first.lower()}_{number}", f"{first} {last}"

    def note(self) -> str:
        """What somebody says about himself."""
        tags = self._random.sample(_TAGS, 2)
        return f"I write about #{tags[0]} and #{tags[1]}."

    def post(self) -> str:
        """A text of a post."""
        if self._texts:
            return self._random.choice(self._texts)
        pick = self._random.choice
        text = f"{pick(_OPENINGS)} {pick(_DOINGS)}. {pick(_ENDINGS)}".strip()
        return f"{text} #{pick(_TAGS)}" if self._random.random() < 0.3 else text

    def reply(self) -> str:
        """A text of a reply."""
        return self._random.choice(REPLIES)
