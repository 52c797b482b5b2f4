# SPDX-License-Identifier: MIT
"""What happens when the interpreter exits or forks while an app is open.

At its exit workers stop, and what still runs goes back.

Registered with atexit, so it comes after the threads that are not daemons have ended and before the interpreter is
taken apart. The library's own threads never run Python code; what they do meanwhile is of no concern.
"""
from __future__ import annotations

import atexit
import os
import weakref
from typing import Protocol

#: For how long handlers that run may go on.
GRACE_S = 1.0


class Ending(Protocol):
    def end_at_exit(self, grace: float) -> None: ...

    def after_fork(self) -> None: ...


_open: "weakref.WeakSet[Ending]" = weakref.WeakSet()


def watch(app: Ending) -> None:
    _open.add(app)


def forget(app: Ending) -> None:
    _open.discard(app)


def _after_fork() -> None:
    for app in list(_open):
        app.after_fork()


os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _end_all() -> None:
    for app in list(_open):
        app.end_at_exit(GRACE_S)
