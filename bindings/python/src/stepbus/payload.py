# SPDX-License-Identifier: MIT
"""Inputs, results and cursors as bytes: JSON for values, the bytes themselves for bytes. Pure.

JSON is strict both ways: no NaN, no infinities, UTF-8. Nothing is converted silently; what JSON does not know (a
datetime, a set, an object) is refused with a TypeError, and the handler or caller says how to write it.
"""
from __future__ import annotations

import json
from typing import Any, Callable, Optional, Tuple

JSON = b"application/json"
OCTETS = b"application/octet-stream"
NULL = b"null"


def _refuse_constant(name: str) -> Any:
    raise ValueError("%s is not JSON" % name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
# The scanner itself: decode() pays for white space that nearly no document has around it.
_scan: Callable[[str, int], Tuple[Any, int]] = getattr(_DECODER, "scan_once")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _writer() -> Callable[[Any], str]:
    """What writes a value. JSONEncoder.encode makes the C encoder anew for each one, which costs more than its work."""
    try:
        make = getattr(json.encoder, "c_make_encoder")
        quote = getattr(json.encoder, "encode_basestring")
        chunks = make(None, _ENCODER.default, quote, None, ":", ",", False, False, False)
        probe = {"a": [1, 0.5, "ü", None, True]}
        if "".join(chunks(probe, 0)) == _ENCODER.encode(probe):
            return lambda value: "".join(chunks(value, 0))
    except (AttributeError, TypeError, ValueError):
        pass
    return _ENCODER.encode


_to_json = _writer()


def dumps(value: Any) -> bytes:
    """Writes a value as JSON; TypeError or ValueError says what JSON cannot hold."""
    return _to_json(value).encode("utf-8")


def loads(data: bytes) -> Any:
    """Reads JSON; ValueError where it is none."""
    text = data.decode("utf-8")
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return _DECODER.decode(text)
    return value if end == len(text) else _DECODER.decode(text)


def encode(value: Any) -> Tuple[bytes, bytes]:
    """Gives a value's bytes and content type."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), OCTETS
    return dumps(value), JSON


def is_json(content_type: bytes) -> bool:
    if content_type == JSON or not content_type:
        return True
    kind = content_type.split(b";", 1)[0].strip().lower()
    return kind == JSON or kind.endswith(b"+json")


def decode(data: bytes, content_type: bytes) -> Any:
    """Reads bytes by their content type: JSON as a value, anything else as the bytes. No bytes of JSON are None."""
    if not is_json(content_type):
        return data
    return loads(data) if data else None


def optional(data: bytes) -> Optional[Any]:
    """Reads JSON that may not be there."""
    return loads(data) if data else None
