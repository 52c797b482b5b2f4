# SPDX-License-Identifier: MIT
"""The C library through ctypes: where it is, whether it is the right one, and what calls of it need.

The library is looked for in this order, and the first one found is used, or refused with an error:

1. ``libstepbus.so.0`` inside this package, where a wheel has put it;
2. the file that the environment variable ``STEPBUS_LIBRARY`` names;
3. ``build/release/libstepbus.so.0`` of the source tree that this package lies in;
4. the one that the system's loader finds.

It is loaded at the first use of ``lib``, and each function is looked up at its first call: importing the package
works without the library, and a library that lacks a function can be used for all the others.

Calls give up the GIL. The library's own threads never run Python code: the only callbacks are subscriptions on
bridges of this package, which run on the thread that publishes.
"""
from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import uuid
from pathlib import Path
from typing import Any, List, Optional, Tuple, Union

from ._functions import FUNCTIONS
from ._structs import *  # noqa: F401,F403
from ._structs import ABI_VERSION, EFORKED, ENOMEM, EREENTRANT, HEADER_VERSION, OK, Error
from .errors import LibraryError, from_status

FILE_NAME = "libstepbus.so.%d" % ABI_VERSION

_WORDS = {
    EFORKED: "the object belongs to the parent of this process; make a new one here",
    EREENTRANT: "callbacks that publish are nested too deep",
    ENOMEM: "memory ran out",
}

Text = Union[str, bytes, bytearray, memoryview]
IdLike = Union[uuid.UUID, str, bytes]


def candidates() -> List[str]:
    """The files there are, in order; or the bare name that the loader knows."""
    here = Path(__file__).resolve()
    paths = [here.parent / FILE_NAME]
    named = os.environ.get("STEPBUS_LIBRARY")
    if named:
        paths.append(Path(named))
    if len(here.parents) > 4 and (here.parents[4] / "include" / "stepbus.h").is_file():
        paths.append(here.parents[4] / "build" / "release" / FILE_NAME)
    found = [str(path) for path in paths if path.exists() or str(path) == named]
    if found:
        return found
    # Last, since it may run other programs to find out.
    system = ctypes.util.find_library("stepbus")
    return [system] if system else []


def _version(text: str) -> Tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("-")[0].split("."))


def _check_version(library: ctypes.CDLL, path: str) -> None:
    """Refuses a library of another ABI, or one that is older than the header this package was written from."""
    try:
        library.stepbus_version.restype = ctypes.c_char_p
        version = library.stepbus_version().decode()
        library.stepbus_abi_version.restype = ctypes.c_uint32
        abi = library.stepbus_abi_version()
    except AttributeError as error:
        raise LibraryError("%s is no stepbus library: %s" % (path, error)) from None
    if abi != ABI_VERSION or _version(version) < _version(HEADER_VERSION):
        raise LibraryError(
            "the library %s is of version %s (ABI %d), this package needs %s or later of ABI %d: install the two "
            "together" % (path, version, abi, HEADER_VERSION, ABI_VERSION)
        )


def _load() -> Tuple[ctypes.CDLL, str]:
    paths = candidates()
    if not paths:
        raise LibraryError(
            "there is no %s: install a wheel of stepbus, install the library, or name its file in STEPBUS_LIBRARY"
            % FILE_NAME
        )
    try:
        library = ctypes.CDLL(paths[0])
    except OSError as error:
        raise LibraryError("the library %s cannot be loaded: %s" % (paths[0], error)) from None
    _check_version(library, paths[0])
    return library, paths[0]


class Library:
    """The functions of the library by name. Two threads that look one up at once find the same."""

    def __init__(self) -> None:
        self._library: Optional[ctypes.CDLL] = None
        self._path = ""

    def load(self) -> ctypes.CDLL:
        if self._library is None:
            library, self._path = _load()
            self._library = library
        return self._library

    @property
    def path(self) -> str:
        """The file of the library."""
        self.load()
        return self._path

    def has(self, name: str) -> bool:
        """Tells whether the library has a function."""
        return hasattr(self.load(), name)

    def __getattr__(self, name: str) -> Any:
        signature = FUNCTIONS.get(name)
        if signature is None:
            raise AttributeError(name)
        try:
            # Not the CDLL's attribute, which another thread could see before its types are set.
            function = self.load()[name]
        except AttributeError:
            raise LibraryError(
                "the library %s has no %s: it is older than this package" % (self._path, name)
            ) from None
        function.restype = signature[0]
        function.argtypes = signature[1:]
        setattr(self, name, function)
        return function


lib = Library()


def error() -> Error:
    """Room for what went wrong in one call: pass it by byref, and then to check."""
    return Error()


def check(status: int, err: Optional[Error] = None) -> None:
    """Raises the exception of a status, unless it is OK."""
    if status != OK:
        message = err.message.decode("utf-8", "replace") if err is not None and err.code == status else ""
        raise from_status(status, message)


def explain(status: int) -> str:
    """A few words on a status, where there is no message."""
    return _WORDS.get(status) or str(lib.stepbus_status_name(status).decode())


def call(name: str, *arguments: Any) -> None:
    """Calls a function whose last parameter is an error, and raises what it answers."""
    err = Error()
    check(getattr(lib, name)(*arguments, ctypes.byref(err)), err)


def encode(text: Text) -> bytes:
    """The bytes of a text; str becomes UTF-8."""
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    raise TypeError("expected str or bytes, not %s" % type(text).__name__)


def pair(text: Optional[Text]) -> Tuple[Optional[bytes], int]:
    """A text as the (pointer, length) that calls take; None leaves it out."""
    if text is None:
        return None, 0
    data = encode(text)
    return data, len(data)


def take_text(handle: Union[int, ctypes.c_void_p, None]) -> str:
    """Copies a stepbus_text and frees it."""
    try:
        length = lib.stepbus_text_len(handle)
        return ctypes.string_at(lib.stepbus_text_data(handle), length).decode("utf-8", "replace") if length else ""
    finally:
        lib.stepbus_text_free(handle)


def ask_text(name: str, *arguments: Any) -> str:
    """Calls a function that makes a text, its last but one parameter."""
    out = ctypes.c_void_p()
    call(name, *arguments, ctypes.byref(out))
    # Not its value, which would need memory before there is somebody to free it.
    return take_text(out)


def ask_json(name: str, *arguments: Any) -> Any:
    """Calls a function that makes a JSON text, and reads that."""
    return json.loads(ask_text(name, *arguments))


def make(name: str, *arguments: Any) -> int:
    """Calls a function that makes an object, its last but one parameter, and gives the handle."""
    out = ctypes.c_void_p()
    call(name, *arguments, ctypes.byref(out))
    assert out.value is not None
    return out.value


def id_bytes(value: IdLike) -> bytes:
    """The 16 bytes of an id."""
    if isinstance(value, bytes):
        if len(value) != 16:
            raise from_status(1, "an id has 16 bytes, not %d" % len(value))
        return value
    if isinstance(value, uuid.UUID):
        return value.bytes
    try:
        return uuid.UUID(value).bytes
    except (ValueError, AttributeError, TypeError):
        raise from_status(1, "%r is no id" % (value,)) from None


def id_uuid(value: Any) -> uuid.UUID:
    """The id that 16 bytes, or the Id of a struct, stand for."""
    return uuid.UUID(bytes=bytes(value))


def new_id() -> uuid.UUID:
    """Makes a new id: a UUID of version 7."""
    out = (ctypes.c_uint8 * 16)()
    call("stepbus_id_new", out)
    return id_uuid(out)


def version() -> str:
    """The version of the library."""
    return str(lib.stepbus_version().decode())


def build_info() -> Any:
    """How the library was built."""
    return ask_json("stepbus_build_info")
