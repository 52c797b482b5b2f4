# SPDX-License-Identifier: MIT
"""What goes wrong, as exceptions.

``StepbusError`` and its subclasses come from the library: ``code`` is its status, ``name`` the name of that status,
and the text says what could not be done, to what, and what to do about it. ``StepFailure`` and its subclasses are
what handlers raise to fail a step in a stated way.
"""
from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Type

from . import _structs as s


class StepbusError(Exception):
    """A call of the library failed. Each status has a subclass; catch those that you can do something about."""

    default_code = 0

    def __init__(self, message: str = "", code: Optional[int] = None) -> None:
        super().__init__(message)
        self.code: int = self.default_code if code is None else code

    @property
    def name(self) -> str:
        """The name of the status, "STEPBUS_ENOTFOUND"."""
        return NAMES.get(self.code, "STEPBUS_EUNKNOWN")

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> Any:
        return type(self), (self.message, self.code)


class LibraryError(StepbusError):
    """The shared library is missing, or of a version that this package cannot use."""


class InvalidArgument(StepbusError, ValueError):
    default_code = s.EINVAL


class OutOfMemory(StepbusError, MemoryError):
    default_code = s.ENOMEM


class NotFound(StepbusError, KeyError):
    default_code = s.ENOTFOUND

    def __str__(self) -> str:
        return self.message


class Exists(StepbusError):
    default_code = s.EEXISTS


class Inactive(StepbusError):
    default_code = s.EINACTIVE


class Full(StepbusError):
    default_code = s.EFULL


class NotDelivered(StepbusError):
    default_code = s.EDELIVERY


class Reentrant(StepbusError):
    default_code = s.EREENTRANT


class Sealed(StepbusError):
    default_code = s.ESEALED


class LimitReached(StepbusError):
    default_code = s.ELIMIT


class Forked(StepbusError):
    """The object belongs to the parent of this process: make another one here."""

    default_code = s.EFORKED


class ShutDown(StepbusError):
    default_code = s.ESHUTDOWN


class TimedOut(StepbusError, TimeoutError):
    default_code = s.ETIMEDOUT


class Busy(StepbusError):
    """Refused for now; the same call may succeed later."""

    default_code = s.EBUSY


class Already(StepbusError):
    """Completed before, with other content; or it is final."""

    default_code = s.EALREADY


class Stale(StepbusError):
    """A newer attempt of this step exists, or its lease was lost."""

    default_code = s.ESTALE


class HandlerFailed(StepbusError):
    """Host code (a handler, its constructor, a health check) failed; ``__cause__`` says how."""

    default_code = s.EHANDLER


class SystemRefused(StepbusError):
    default_code = s.ESYSTEM


class StoreError(StepbusError):
    """The store failed. Its subclasses say in which way, where that is known."""

    default_code = s.ESTORE


class NoSpace(StoreError):
    default_code = s.ENOSPACE


class ReadOnly(StoreError):
    default_code = s.EREADONLY


class Corrupt(StoreError):
    default_code = s.ECORRUPT


class NewerVersion(StoreError):
    default_code = s.EVERSION


class NetworkFilesystem(StoreError):
    default_code = s.ENETWORK


class Cancelled(StepbusError):
    default_code = s.ECANCELLED


NAMES: Dict[int, str] = {
    value: "STEPBUS_" + name for name, value in vars(s).items() if name == "OK" or name.startswith("E") and name.isupper()
}

_CLASSES: Dict[int, Type[StepbusError]] = {
    cls.default_code: cls
    for cls in (
        InvalidArgument, OutOfMemory, NotFound, Exists, Inactive, Full, NotDelivered, Reentrant, Sealed, LimitReached,
        Forked, ShutDown, TimedOut, Busy, Already, Stale, HandlerFailed, SystemRefused, StoreError, NoSpace, ReadOnly,
        Corrupt, NewerVersion, NetworkFilesystem, Cancelled,
    )
}  # fmt: skip


def from_status(status: int, message: str = "") -> StepbusError:
    """Makes the exception of a status."""
    cls = _CLASSES.get(status, StepbusError)
    return cls(message or NAMES.get(status, "STEPBUS_EUNKNOWN"), status)


class StepFailure(Exception):
    """A step failed, in words of the handler.

    retry_after is in seconds, from when the failure is taken in; None leaves it to the retry policy.
    """

    retryable = True

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: Optional[float] = None,
        error_type: Optional[str] = None,
        error_code: Optional[str] = None,
        context: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.error_type = error_type or type(self).__name__
        self.error_code = error_code
        self.context: Dict[str, Any] = dict(context or {})


class Retryable(StepFailure):
    """The step failed, and another attempt may succeed."""


class Permanent(StepFailure):
    """The step failed, and would again: no further attempt is made."""

    retryable = False


RetryableError = Retryable
PermanentError = Permanent
