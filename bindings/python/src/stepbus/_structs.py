# SPDX-License-Identifier: MIT
"""The constants and structs of stepbus.h. Nothing here calls the library.

A text of the C interface is a pointer and a length. In structs that this package fills the pointer is a c_char_p,
which keeps the bytes alive as long as the struct (or the array that holds it); in those that it only reads, whose
texts need no NUL at the end, it is a c_void_p. ``put`` and ``get`` are for the one and the other.

Each struct states its size. tests/test_header.py compares sizes, offsets and constants with the header.
"""
from __future__ import annotations

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
    string_at,
)
from typing import Any, List, Optional, Tuple

ABI_VERSION = 0
HEADER_VERSION = "0.1.0"

OK = 0
EINVAL = 1
ENOMEM = 2
ENOTFOUND = 3
EEXISTS = 4
EINACTIVE = 5
EFULL = 6
EDELIVERY = 7
EREENTRANT = 8
ESEALED = 9
ELIMIT = 10
EFORKED = 11
ESHUTDOWN = 12
ETIMEDOUT = 13
EBUSY = 14
EALREADY = 15
ESTALE = 16
EHANDLER = 17
ESYSTEM = 18
ESTORE = 19
ENOSPACE = 20
EREADONLY = 21
ECORRUPT = 22
EVERSION = 23
ENETWORK = 24
ECANCELLED = 25

LOG_DEBUG = 1
LOG_INFO = 2
LOG_WARN = 3
LOG_ERROR = 4

BRIDGE_ALLOW_UNDECLARED = 1

SUBSCRIPTION_ONCE = 1
SUBSCRIPTION_QUEUED = 2

OVERFLOW_ERROR = 0
OVERFLOW_BLOCK = 1
OVERFLOW_DROP_OLDEST = 2

STEP_PULLED = 1

OUTCOME_SUCCESS = 1
OUTCOME_FAILURE = 2
OUTCOME_SNOOZE = 3
OUTCOME_CANCELLED = 4
OUTCOME_QUARANTINED = 5
OUTCOME_CHECKPOINT = 6
OUTCOME_RELEASE = 7

HANDLER_OVERRIDE = 1
HANDLER_DEFAULT = 2
HANDLER_VERSION_FROM_INPUT = 4
HANDLER_PULLED = 8

SCOPE_STEP = 0
SCOPE_WORKER = 1

RETRY_DEFAULT = 0
RETRY_NONE = 1
RETRY_FIXED = 2
RETRY_LINEAR = 3
RETRY_EXPONENTIAL = 4
RETRY_FIBONACCI = 5

KEY_EXACT = 1

DURABILITY_MEMORY = 1
DURABILITY_PROCESS = 2
DURABILITY_DISK = 3

STEP_WAITING = 1
STEP_SCHEDULED = 2
STEP_READY = 3
STEP_PARKED = 4
STEP_RUNNING = 5
STEP_COMPLETED = 6
STEP_FAILED = 7
STEP_CANCELLED = 8
STEP_QUARANTINED = 9

UNIQUE_QUEUE = 1
UNIQUE_HANDLER = 2

WAKE_EVENTFD = 1
WAKE_SOCKET = 2

Id = c_uint8 * 16


def text(name: str) -> List[Tuple[str, Any]]:
    """The two fields of a text that the host writes."""
    return [(name, c_char_p), (name + "_len", c_size_t)]


def view(name: str) -> List[Tuple[str, Any]]:
    """The two fields of a text that the library wrote."""
    return [(name, c_void_p), (name + "_len", c_size_t)]


class Sized(Structure):
    """A struct that begins with its size."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(size=sizeof(type(self)), **fields)

    def put(self, field: str, value: Optional[bytes]) -> None:
        """Sets a text and its length; None leaves it out."""
        setattr(self, field, value)
        setattr(self, field + "_len", 0 if value is None else len(value))

    def get(self, field: str) -> bytes:
        """Copies a text of a struct that the library wrote."""
        length: int = getattr(self, field + "_len")
        return string_at(getattr(self, field), length) if length else b""


class Error(Sized):
    """Where a call writes what went wrong."""

    _fields_ = [
        ("size", c_uint32),
        ("code", c_int32),
        ("message", c_char * 1016),
    ]


# Callbacks. The library keeps only their address: whoever passes one keeps the object.
AllocateFn = CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_size_t)
LogFn = CFUNCTYPE(None, c_void_p, c_int32, c_void_p, c_size_t)
TimeFn = CFUNCTYPE(c_int64, c_void_p)
RandomFn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)
EventFn = CFUNCTYPE(c_int32, c_void_p, c_uint32, c_void_p, c_size_t)
HandlerFn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p)
CreateFn = CFUNCTYPE(c_int32, c_void_p, POINTER(c_void_p), POINTER(Error))
DiscardFn = CFUNCTYPE(None, c_void_p, c_void_p)
HealthFn = CFUNCTYPE(c_int32, c_void_p, POINTER(Error))
CompleteFn = CFUNCTYPE(c_int32, c_void_p, c_void_p, POINTER(Error))
EnqueuedFn = CFUNCTYPE(None, c_void_p, c_int32, c_void_p, c_size_t, POINTER(Error))
HandlerEachFn = CFUNCTYPE(c_int32, c_void_p, c_void_p)
DestroyFn = CFUNCTYPE(None, c_void_p)


class Host(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("log_level", c_int32),
        ("user_data", c_void_p),
        ("allocate", AllocateFn),
        ("log", LogFn),
        ("now_us", TimeFn),
        ("elapsed_ns", TimeFn),
        ("random", RandomFn),
    ]


class BridgeOptions(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("host", POINTER(Host)),
        ("event_count_max", c_uint32),
        ("subscription_count_max", c_uint32),
    ]


class Subscription(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("priority", c_int32),
        ("overflow", c_int32),
        ("queue_count_max", c_uint32),
        ("reserved", c_uint32),
        ("deliver", EventFn),
        ("user_data", c_void_p),
        ("destroy", DestroyFn),
    ]


class EventInfo(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        *text("name"),
        *text("category"),
        *text("description"),
        *text("schema"),
        *text("example"),
        *text("fired_by"),
    ]


class Route(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("priority", c_int32),
        *text("pattern"),
        ("deliver", EventFn),
    ]


class SubscriberOptions(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("route_count", c_uint32),
        ("routes", POINTER(Route)),
        ("user_data", c_void_p),
        ("destroy", DestroyFn),
    ]


class Dependency(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("reserved", c_uint32),
        *view("step_name"),
        *view("result"),
        *view("content_type"),
    ]


class StepEvent(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("step_id", Id),
        ("task_id", Id),
        ("token", c_uint64),
        ("retry_count", c_uint32),
        ("max_retries", c_uint32),
        *view("correlation_id"),
        *view("step_name"),
        *view("handler_namespace"),
        *view("handler_name"),
        *view("handler_version"),
        *view("input"),
        *view("content_type"),
        *view("step_config"),
        ("dependencies", POINTER(Dependency)),
        ("dependency_count", c_size_t),
        *view("queue"),
        *view("traceparent"),
        *view("cursor"),
        *view("partial_result"),
        ("items_processed", c_uint64),
        ("attempt_timeout_ms", c_int64),
    ]


class Completion(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("outcome", c_int32),
        ("step_id", Id),
        ("task_id", Id),
        ("token", c_uint64),
        ("execution_time_us", c_int64),
        ("retry_after_ms", c_int64),
        ("is_retryable", c_uint32),
        ("reserved", c_uint32),
        *text("correlation_id"),
        *text("handler_name"),
        *text("handler_version"),
        *text("worker_id"),
        *text("result"),
        *text("content_type"),
        *text("error_type"),
        *text("error_message"),
        *text("error_code"),
        *text("metadata"),
        *text("backtrace"),
        *text("cursor"),
        ("items_processed", c_uint64),
    ]


class Failure(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("is_retryable", c_uint32),
        ("retry_after_ms", c_int64),
        *text("message"),
        *text("error_type"),
        *text("error_code"),
        *text("backtrace"),
    ]


class HandlerSpec(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        *text("name"),
        *text("handler_namespace"),
        *text("version"),
        *text("domain"),
        *text("description"),
        *text("capabilities"),
        *text("config_schema"),
        *text("permitted_queues"),
        *text("permitted_callers"),
        ("wait_timeout_ms", c_int64),
        ("attempt_timeout_ms", c_int64),
        ("total_timeout_ms", c_int64),
        ("retry_base_ms", c_int64),
        ("retry_cap_ms", c_int64),
        ("retry_kind", c_uint32),
        ("attempt_count_max", c_uint32),
        ("jitter_percent", c_uint32),
        ("concurrency_max", c_uint32),
        ("rate_per_minute", c_uint32),
        ("instance_scope", c_uint32),
        ("call", HandlerFn),
        ("create", CreateFn),
        ("discard", DiscardFn),
        ("health", HealthFn),
        ("user_data", c_void_p),
        ("destroy", DestroyFn),
    ]


class RegistryOptions(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("host", POINTER(Host)),
        ("handler_count_max", c_uint32),
        ("reserved", c_uint32),
    ]


class HandlerKey(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        *text("name"),
        *text("handler_namespace"),
        *text("version"),
    ]


class HandlerFilter(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        *text("handler_namespace"),
        *text("domain"),
        *text("capability"),
    ]


class ExecutionOptions(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        *text("worker_id"),
        ("complete", CompleteFn),
        ("user_data", c_void_p),
        ("destroy", DestroyFn),
    ]


class Options(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        *text("config"),
        ("host", POINTER(Host)),
        ("registry", c_void_p),
    ]


class StepSpec(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        *text("handler_name"),
        *text("handler_namespace"),
        *text("handler_version"),
        *text("queue"),
        *text("input"),
        *text("content_type"),
        *text("step_name"),
        *text("step_config"),
        *text("correlation_id"),
        *text("traceparent"),
        *text("caller"),
        *text("tags"),
        *text("concurrency_key"),
        *text("idempotency_key"),
        *text("unique_key"),
        ("run_at_us", c_int64),
        ("delay_ms", c_int64),
        ("wait_timeout_ms", c_int64),
        ("attempt_timeout_ms", c_int64),
        ("total_timeout_ms", c_int64),
        ("retry_base_ms", c_int64),
        ("retry_cap_ms", c_int64),
        ("unique_period_ms", c_int64),
        ("unique_scope", c_uint32),
        ("unique_states", c_uint32),
        ("retry_kind", c_uint32),
        ("attempt_count_max", c_uint32),
        ("jitter_percent", c_uint32),
        ("priority", c_int32),
    ]


class Enqueued(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("durability", c_uint32),
        ("step_id", Id),
        ("is_existing", c_uint32),
        ("reserved", c_uint32),
    ]


class CheckpointSpec(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("reserved", c_uint32),
        ("step_id", Id),
        ("token", c_uint64),
        ("items_processed", c_uint64),
        *text("cursor"),
        *text("partial_result"),
    ]


class DispatchMetrics(Sized):
    _fields_ = [
        ("size", c_uint32),
        ("is_starving", c_uint32),
        ("pending_count", c_uint64),
        ("waiting_count", c_uint64),
        ("polled_count", c_uint64),
        ("starving_count", c_uint64),
        ("oldest_age_ms", c_int64),
        ("newest_age_ms", c_int64),
        ("oldest_step_id", Id),
    ]


class CompletionView(Sized):
    """A completion that the library wrote."""

    _fields_ = [
        ("size", c_uint32),
        ("outcome", c_int32),
        ("step_id", Id),
        ("task_id", Id),
        ("token", c_uint64),
        ("execution_time_us", c_int64),
        ("retry_after_ms", c_int64),
        ("is_retryable", c_uint32),
        ("reserved", c_uint32),
        *view("correlation_id"),
        *view("handler_name"),
        *view("handler_version"),
        *view("worker_id"),
        *view("result"),
        *view("content_type"),
        *view("error_type"),
        *view("error_message"),
        *view("error_code"),
        *view("metadata"),
        *view("backtrace"),
        *view("cursor"),
        ("items_processed", c_uint64),
    ]
