"""The media type of each file that is shown, by its ending: a closed list.

Box: media.
"""

from townsquare.media.film import FILM_TYPES
from townsquare.media.picture import CONTENT_TYPES

FILE_TYPES = {**CONTENT_TYPES, **FILM_TYPES}
