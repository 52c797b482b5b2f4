# SPDX-License-Identifier: MIT
"""The name of an enqueued step, with what can be asked of it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Generator, List, Optional, Union
from uuid import UUID

from . import _native
from .duration import Seconds

if TYPE_CHECKING:
    from .app import Stepbus


class Handle:
    """A step that was enqueued. ``str(handle)`` is its id; it equals its UUID and other handles of it.

    is_existing  a step of the same key was there, and this is that one.
    durability   what it survives: "memory", "process" or "disk".
    """

    __slots__ = ("_app", "bytes", "is_existing", "_durability")

    def __init__(self, app: "Stepbus", step_id: bytes, is_existing: bool, durability: int) -> None:
        self._app = app
        self.bytes = step_id
        self.is_existing = is_existing
        self._durability = durability

    @property
    def id(self) -> UUID:
        return UUID(bytes=self.bytes)

    @property
    def durability(self) -> str:
        return ("", "memory", "process", "disk")[self._durability]

    def result(self, timeout: Optional[Seconds] = None) -> Any:
        """Waits for the step, as ``app.result``."""
        return self._app.result(self, timeout)

    def cancel(self) -> None:
        self._app.cancel(self)

    def redrive(self) -> None:
        self._app.redrive(self)

    def info(self) -> Dict[str, Any]:
        return self._app.info(self)

    def attempts(self) -> List[Dict[str, Any]]:
        return self._app.attempts(self)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._app.aresult(self).__await__()

    def __str__(self) -> str:
        return str(self.id)

    def __repr__(self) -> str:
        return "<stepbus.Handle %s>" % self.id

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Handle, UUID)):
            return self.bytes == other.bytes
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)


StepId = Union[Handle, UUID, str, bytes]


def id_bytes(step: StepId) -> bytes:
    """The 16 bytes of a step's id."""
    return step.bytes if isinstance(step, (Handle, UUID)) else _native.id_bytes(step)
