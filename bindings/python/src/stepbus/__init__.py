# SPDX-License-Identifier: MIT
"""stepbus: an event bus and a durable step runtime inside your process."""
from __future__ import annotations

from .errors import (
    Already,
    Busy,
    Cancelled,
    Forked,
    InvalidArgument,
    LibraryError,
    NotFound,
    Permanent,
    PermanentError,
    Retryable,
    RetryableError,
    ShutDown,
    Stale,
    StepbusError,
    StepFailure,
    StoreError,
    TimedOut,
)

__version__ = "0.1.0"

__all__ = [
    "Already",
    "Busy",
    "Cancelled",
    "Forked",
    "InvalidArgument",
    "LibraryError",
    "NotFound",
    "Permanent",
    "PermanentError",
    "Retryable",
    "RetryableError",
    "ShutDown",
    "Stale",
    "StepFailure",
    "StepbusError",
    "StoreError",
    "TimedOut",
]
