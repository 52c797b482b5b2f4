# SPDX-License-Identifier: MIT
"""stepbus: an event bus and a durable step runtime inside your process."""
from __future__ import annotations

from .bridge import EventBridge, EventNames
from .errors import (
    Already,
    Busy,
    Cancelled,
    Forked,
    HandlerFailed,
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
from .handler import StepHandler
from .registry import HandlerDefinition, HandlerRegistry
from .subscriber import StepExecutionError, StepExecutionSubscriber
from .types import (
    ErrorType,
    ExecutionEvent,
    FfiDispatchMetrics,
    FfiStepEvent,
    ResultStatus,
    StepContext,
    StepError,
    StepExecutionResult,
    StepHandlerResult,
)

__version__ = "0.1.0"

__all__ = [
    "Already",
    "Busy",
    "Cancelled",
    "ErrorType",
    "EventBridge",
    "EventNames",
    "ExecutionEvent",
    "FfiDispatchMetrics",
    "FfiStepEvent",
    "Forked",
    "HandlerDefinition",
    "HandlerFailed",
    "HandlerRegistry",
    "InvalidArgument",
    "LibraryError",
    "NotFound",
    "Permanent",
    "PermanentError",
    "ResultStatus",
    "Retryable",
    "RetryableError",
    "ShutDown",
    "Stale",
    "StepContext",
    "StepError",
    "StepExecutionError",
    "StepExecutionResult",
    "StepExecutionSubscriber",
    "StepFailure",
    "StepHandler",
    "StepHandlerResult",
    "StepbusError",
    "StoreError",
    "TimedOut",
]
