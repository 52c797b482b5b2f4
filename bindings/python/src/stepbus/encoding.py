# SPDX-License-Identifier: MIT
"""Python values as JSON, for inputs and results. Pure.

Beyond what ``json`` knows this writes UUIDs, dates, decimals, enums, paths, sets, dataclasses and the models of this
package. What has no form in JSON (NaN, an open file, a key that is a tuple, a loop) raises TypeError or ValueError.
"""
from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any


def _plain(value: Any) -> Any:
    """What the encoder does not know by itself, in words that it knows."""
    if isinstance(value, (uuid.UUID, decimal.Decimal, pathlib.PurePath)):
        return str(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8")
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError("a %s cannot be written as JSON" % type(value).__name__)


def to_json(value: Any) -> bytes:
    """Writes a value as JSON, in ASCII: what is no text to UTF-8 (a lone surrogate) survives as an escape."""
    try:
        return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise ValueError("the value is nested too deep to be written as JSON") from None


def from_json(data: bytes) -> Any:
    """Reads JSON; an empty text is None."""
    return json.loads(data) if data else None
