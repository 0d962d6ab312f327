"""Ids of the nouns. Integers inside, decimal strings only at the doors.

Box: model.
"""

from typing import NewType

AccountId = NewType("AccountId", int)
StatusId = NewType("StatusId", int)
MediaId = NewType("MediaId", int)
NotificationId = NewType("NotificationId", int)
