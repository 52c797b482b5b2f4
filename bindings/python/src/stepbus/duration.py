# SPDX-License-Identifier: MIT
"""Durations: seconds or timedelta outside, whole milliseconds at the library. Pure."""
from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Union

from .errors import InvalidArgument

Seconds = Union[int, float, timedelta]

SECONDS_MAX = 100 * 366 * 86400


def milliseconds(value: Seconds, name: str) -> int:
    """Turns a duration into milliseconds, rounding up: what is said to take a while never becomes 0, "not said"."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InvalidArgument("%s is %r: give seconds or a timedelta" % (name, value))
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidArgument("%s is %r: it must be finite and not negative" % (name, value))
    if seconds > SECONDS_MAX:
        raise InvalidArgument("%s is %r: at most a hundred years are allowed" % (name, value))
    return math.ceil(round(seconds * 1000, 6))


def timeout_ms(value: Union[Seconds, None], name: str = "timeout") -> int:
    """The same for waiting: None waits for ever."""
    return -1 if value is None else milliseconds(value, name)


def microseconds(value: datetime, name: str) -> int:
    """Turns a time into microseconds since 1970. One without a zone is refused: it would be guessed."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidArgument("%s is %r: give a datetime with a time zone" % (name, value))
    return (value - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
