# SPDX-License-Identifier: MIT
"""stepbus: an event bus and a durable step runtime inside your process."""
from __future__ import annotations

from .answer import Content
from .app import Stepbus
from .bridge import EventBridge, EventNames
from .clock import Clock
from .errors import (
    Already,
    Busy,
    Cancelled,
    Exists,
    Forked,
    HandlerFailed,
    InvalidArgument,
    LibraryError,
    NotFound,
    Reentrant,
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
from .function import StepFunction
from .handle import Handle
from .handler import StepHandler
from .outcome import LATER, Checkpoint, Snooze, StepCancelled, StepFailed, StepQuarantined
from .registry import HandlerDefinition, HandlerRegistry
from .retry import Retry
from .step import Step
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
from .worker import Worker

__version__ = "0.1.0"

__all__ = [
    "Already",
    "Busy",
    "Cancelled",
    "Checkpoint",
    "Clock",
    "Content",
    "ErrorType",
    "EventBridge",
    "EventNames",
    "Exists",
    "ExecutionEvent",
    "FfiDispatchMetrics",
    "FfiStepEvent",
    "Forked",
    "Handle",
    "HandlerDefinition",
    "HandlerFailed",
    "HandlerRegistry",
    "InvalidArgument",
    "LATER",
    "LibraryError",
    "NotFound",
    "Reentrant",
    "Permanent",
    "PermanentError",
    "ResultStatus",
    "Retry",
    "Retryable",
    "RetryableError",
    "ShutDown",
    "Snooze",
    "Stale",
    "Step",
    "StepCancelled",
    "StepContext",
    "StepError",
    "StepExecutionError",
    "StepExecutionResult",
    "StepExecutionSubscriber",
    "StepFailed",
    "StepFailure",
    "StepFunction",
    "StepHandler",
    "StepHandlerResult",
    "StepQuarantined",
    "Stepbus",
    "StepbusError",
    "StoreError",
    "TimedOut",
    "Worker",
]
