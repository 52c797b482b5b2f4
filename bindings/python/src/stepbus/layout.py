# SPDX-License-Identifier: MIT
"""Some fields of a C struct as a struct.Struct, which reads and writes many of them faster than ctypes does. Pure.

Fields that are not asked for are skipped when reading and zeroed when writing.
"""
from __future__ import annotations

import ctypes
import struct
from typing import Any, List, Type

_INTEGERS = {(4, False): "I", (4, True): "i", (8, False): "Q", (8, True): "q"}


def _code(kind: Any) -> str:
    mark = getattr(kind, "_type_", None)
    if isinstance(mark, str) and mark not in "PzZ":
        return _INTEGERS[ctypes.sizeof(kind), mark.islower()]
    if issubclass(kind, ctypes.Array):
        return "%ds" % ctypes.sizeof(kind)
    return "P"


def picker(struct_type: Type[ctypes.Structure], *names: str) -> struct.Struct:
    """Makes the Struct of these fields, in the order of the C struct."""
    codes: List[str] = ["@"]
    position = 0
    for field in struct_type._fields_:
        if field[0] in names:
            offset = getattr(struct_type, field[0]).offset
            codes.append("%dx%s" % (offset - position, _code(field[1])))
            position = offset + ctypes.sizeof(field[1])
    codes.append("%dx" % (ctypes.sizeof(struct_type) - position))
    made = struct.Struct("".join(codes))
    assert made.size == ctypes.sizeof(struct_type)
    return made
