# SPDX-License-Identifier: MIT
"""EventBridge: the event bus of one process, on a bridge of the C library.

Python objects travel by handle. ``publish`` puts the arguments into a table, and what the C bridge delivers is their
number there; a subscription's user_data is the number of an entry that holds the callable. The two functions that C
calls live as long as this module, so that there is never a callback left that was collected.

Subscribers run on the thread that publishes, in the order of subscribing, and may publish, subscribe, unsubscribe and
stop. One that raises does not keep the others from being called: the exception is logged. (An emitter of the
``pyee`` kind stops at the first exception and hands it to the publisher.) KeyboardInterrupt and SystemExit are no
answers to an event: no further subscriber is called, and ``publish`` raises them.
"""
from __future__ import annotations

import ctypes
import inspect
import itertools
import logging
import weakref
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import _native as native
from . import _structs as s
from .errors import NotFound, from_status

logger = logging.getLogger("stepbus.bridge")

Handler = Callable[..., Any]


class EventNames:
    """The events that a host meets. Others may be published under any name."""

    STEP_EXECUTION_RECEIVED = "step.execution.received"
    STEP_COMPLETION_SENT = "step.completion.sent"
    STEP_CHECKPOINT_YIELD = "step.checkpoint_yield.sent"
    HANDLER_REGISTERED = "handler.registered"
    HANDLER_UNREGISTERED = "handler.unregistered"
    HANDLER_ERROR = "handler.error"
    POLLER_METRICS = "poller.metrics"
    POLLER_ERROR = "poller.error"


_SCHEMA: Dict[str, str] = {
    EventNames.STEP_EXECUTION_RECEIVED: "FfiStepEvent",
    EventNames.STEP_COMPLETION_SENT: "StepExecutionResult",
    EventNames.STEP_CHECKPOINT_YIELD: "dict[str, Any]",
    EventNames.HANDLER_REGISTERED: "tuple[str, type]",
    EventNames.HANDLER_UNREGISTERED: "tuple[str, type]",
    EventNames.HANDLER_ERROR: "tuple[FfiStepEvent, Exception]",
    EventNames.POLLER_METRICS: "FfiDispatchMetrics",
    EventNames.POLLER_ERROR: "Exception",
}


def _takes_two(handler: Handler) -> bool:
    """Whether a callable needs two arguments, no fewer."""
    try:
        signature = inspect.signature(handler)
        signature.bind(None, None)
    except (TypeError, ValueError):
        return False
    try:
        signature.bind(None)
    except TypeError:
        return True
    return False


class _Publication:
    """The arguments of one event on its way."""

    __slots__ = ("args", "kwargs", "interrupt", "is_pair")

    def __init__(self, args: Tuple[Any, ...], kwargs: Dict[str, Any], is_pair: bool) -> None:
        self.args = args
        self.kwargs = kwargs
        self.interrupt: Optional[BaseException] = None
        self.is_pair = is_pair


class _Entry:
    """One subscription. ``id`` is the bridge's number of it, ``key`` our own, which C carries as user_data."""

    __slots__ = ("bridge", "event", "handler", "is_once", "id", "is_over", "key", "__weakref__")

    def __init__(self, bridge: EventBridge, event: str, handler: Handler, is_once: bool) -> None:
        self.bridge = weakref.ref(bridge)
        self.event = event
        self.handler = handler
        self.is_once = is_once
        self.id = 0
        self.is_over = False  # C may still call it, where there was no memory to end it there
        self.key = next(_numbers)

    def call(self, publication: _Publication) -> None:
        if publication.is_pair and _takes_two(self.handler):
            self.handler(*publication.args[0])
        else:
            self.handler(*publication.args, **publication.kwargs)


# The bridges own their entries; only what is under way is owned here. Single operations on a dict need no lock, and a
# lock would stay locked in a child that forks while another thread holds it.
_numbers = itertools.count(1)
_entries: Dict[int, weakref.ref[_Entry]] = {}
_publications: Dict[int, _Publication] = {}


def _find_entry(key: Optional[int]) -> Optional[_Entry]:
    reference = _entries.get(key or 0)
    return None if reference is None else reference()


def _answer(entry: _Entry, publication: _Publication) -> int:
    try:
        entry.call(publication)
    except Exception:
        try:
            logger.exception("a subscriber of %s raised an exception: %r", entry.event, entry.handler)
        except MemoryError:
            pass
        return s.EHANDLER
    except BaseException as interrupt:
        publication.interrupt = interrupt
        return s.EHANDLER
    return s.OK


def _on_event(user_data: Optional[int], event_id: int, payload: Optional[int], length: int) -> int:
    entry = _find_entry(user_data)
    # Without a length there is nothing to point at: it is one of our numbers.
    publication = _publications.get(payload or 0) if length == 0 else None
    if entry is None or entry.is_over or publication is None or publication.interrupt is not None:
        return s.OK
    return _answer(entry, publication)


def _on_end(user_data: Optional[int]) -> None:
    entry = _find_entry(user_data)
    _entries.pop(user_data or 0, None)
    bridge = entry.bridge() if entry is not None else None
    if bridge is not None and entry is not None:
        bridge._forget(entry)


_deliver = s.EventFn(_on_event)
_destroy = s.DestroyFn(_on_end)


class EventBridge:
    """Publishes events to whoever subscribed.

    ``EventBridge.instance()`` gives one for the whole process; any number of others can be made, and never meet. It
    delivers between ``start`` and ``stop``; ``stop`` also removes all subscriptions.

    The patterns of the C library work here, too: "step.*" subscribes to all events that begin so, "*" to all there
    are.
    """

    _instance: Optional[EventBridge] = None

    def __init__(self) -> None:
        options = s.BridgeOptions(flags=s.BRIDGE_ALLOW_UNDECLARED)
        self._handle: int = native.make("stepbus_bridge_new", ctypes.byref(options))
        # By event, in the order of subscribing, then by callable.
        self._subscribed: Dict[str, Dict[Handler, _Entry]] = {}
        self._event_ids: Dict[str, int] = {}
        self._publish: Any = native.lib.stepbus_bridge_publish
        finalizer = weakref.finalize(self, native.lib.stepbus_bridge_free, self._handle)
        # At exit the process frees it. Threads may still be publishing then.
        finalizer.atexit = False

    @classmethod
    def instance(cls) -> EventBridge:
        """The process-wide bridge, made at the first call."""
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    @classmethod
    def reset_instance(cls) -> None:
        """Forgets the process-wide bridge; the next ``instance`` makes another. In a forked child, too."""
        bridge, cls._instance = cls._instance, None
        if bridge is not None:
            bridge._stop()

    @property
    def handle(self) -> int:
        """The stepbus_bridge, for calls of the C library; valid as long as this object."""
        return self._handle

    def start(self) -> None:
        """Lets events through. Starting a started bridge does nothing."""
        native.call("stepbus_bridge_start", self._handle)
        logger.info("EventBridge started")

    def stop(self) -> None:
        """Lets no more events through, removes all subscriptions, and waits for subscribers on other threads."""
        native.check(*self._stop())
        logger.info("EventBridge stopped")

    def _stop(self) -> Tuple[int, s.Error]:
        err = s.Error()
        ended = [entry for handlers in list(self._subscribed.values()) for entry in list(handlers.values())]
        status = native.lib.stepbus_bridge_stop(self._handle, ctypes.byref(err))
        if status == s.OK:
            # C has said so of each; without memory nobody here may have heard it.
            for entry in ended:
                _entries.pop(entry.key, None)
                self._forget(entry)
        return status, err

    @property
    def is_active(self) -> bool:
        return bool(native.lib.stepbus_bridge_is_active(self._handle))

    def subscribe(self, event: str, handler: Handler) -> None:
        """Calls handler for each event of this name. A callable is subscribed to a name once, however often one asks."""
        self._subscribe(event, handler, False)

    def subscribe_once(self, event: str, handler: Handler) -> None:
        """Calls handler for the next event of this name, and no more."""
        self._subscribe(event, handler, True)

    def _subscribe(self, event: str, handler: Handler, is_once: bool) -> None:
        if not callable(handler):
            raise TypeError("a subscriber must be callable, and %r is not" % (handler,))
        present = self._subscribed.get(event, {}).get(handler)
        if present is not None and present.is_once == is_once:
            return
        if "*" not in event:
            self._event_id(event)
        # What is replaced goes last: where there is no room for the new one, it stays.
        self._add(_Entry(self, event, handler, is_once))
        if present is not None:
            present.is_over = True
            try:
                self._end(present)
            except NotFound:
                pass  # it was for one event, which has come
        logger.debug("subscribed to %s: %r", event, handler)

    def _add(self, entry: _Entry) -> None:
        subscription = s.Subscription(
            flags=s.SUBSCRIPTION_ONCE if entry.is_once else 0,
            deliver=_deliver,
            user_data=entry.key,
            destroy=_destroy,
        )
        number = ctypes.c_uint64()
        _entries[entry.key] = weakref.ref(entry)
        try:
            native.call(
                "stepbus_bridge_subscribe",
                self._handle,
                *native.pair(entry.event),
                ctypes.byref(subscription),
                ctypes.byref(number),
            )
            entry.id = number.value
            self._subscribed.setdefault(entry.event, {})[entry.handler] = entry
        except BaseException:
            entry.is_over = True
            _entries.pop(entry.key, None)
            if number:
                native.lib.stepbus_bridge_unsubscribe(self._handle, number, None)
            raise
        if entry.key not in _entries:  # a single event has come and gone meanwhile
            self._forget(entry)

    def _forget(self, entry: _Entry) -> None:
        """A subscription has ended, in whichever way."""
        handlers = self._subscribed.get(entry.event)
        if handlers is not None and handlers.get(entry.handler) is entry:
            handlers.pop(entry.handler, None)

    def unsubscribe(self, event: str, handler: Handler) -> None:
        """Ends a subscription. From another thread than the handler's it returns when the handler does not run any
        more. NotFound (a KeyError) where there is none."""
        entry = self._subscribed.get(event, {}).get(handler)
        if entry is None:
            raise NotFound("%r is not subscribed to %s" % (handler, event))
        self._end(entry)
        logger.debug("unsubscribed from %s: %r", event, handler)

    def _end(self, entry: _Entry) -> None:
        native.call("stepbus_bridge_unsubscribe", self._handle, entry.id)
        self._forget(entry)

    def publish(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Calls all who subscribed with these arguments. A bridge that is not started drops the event, with a
        warning."""
        self._send(event, _Publication(args, kwargs, False))

    def publish_pair(self, event: str, first: Any, second: Any) -> None:
        """Publishes a tuple of two, which a subscriber that needs two arguments gets as two."""
        self._send(event, _Publication(((first, second),), {}, True))

    def _send(self, event: str, publication: _Publication) -> None:
        number = next(_numbers)
        event_id = self._event_ids.get(event)
        if event_id is None:
            event_id = self._event_id(event)
        try:
            _publications[number] = publication
            status = self._publish(self._handle, event_id, number, 0, None)
        finally:
            _publications.pop(number, None)
        if publication.interrupt is not None:
            raise publication.interrupt
        if status != s.OK:
            self._complain(event, status)

    def _complain(self, event: str, status: int) -> None:
        if status == s.EINACTIVE:
            logger.warning("EventBridge not active, dropping event: %s", event)
        elif status != s.EDELIVERY:  # then the exception has been logged
            raise from_status(status, "cannot publish %s: %s" % (event, native.explain(status)))

    def _event_id(self, event: str) -> int:
        """The id of an event, which is declared where nobody has."""
        out = ctypes.c_uint32()
        native.call("stepbus_bridge_event", self._handle, *native.pair(event), ctypes.byref(out))
        self._event_ids[event] = out.value
        return out.value

    def listener_count(self, event: str) -> int:
        """How many subscribers an event of this name reaches, those by pattern included."""
        count = ctypes.c_uint32()
        try:
            native.call("stepbus_bridge_listener_count", self._handle, *native.pair(event), ctypes.byref(count))
        except NotFound:
            return 0
        return count.value

    def listeners(self, event: str) -> List[Handler]:
        """Those subscribers, in the order in which they are called."""
        try:
            listed = native.ask_json("stepbus_bridge_listeners", self._handle, *native.pair(event))
        except NotFound:
            return []
        handlers = [dict(of_event) for of_event in list(self._subscribed.values())]
        by_id = {entry.id: entry.handler for of_event in handlers for entry in of_event.values()}
        return [by_id[item["id"]] for item in listed if item["id"] in by_id]

    @property
    def event_schema(self) -> Dict[str, str]:
        """What the standard events carry, for people to read."""
        return dict(_SCHEMA)

    def stats(self) -> Dict[str, Any]:
        """The state of the bridge, with the number of events that were refused while it was not active."""
        stats: Dict[str, Any] = native.ask_json("stepbus_bridge_stats", self._handle)
        return stats

    def catalog(self, category: Optional[str] = None) -> List[Dict[str, Any]]:
        """The events there are: name, category, description, payload_schema, example_payload, fired_by."""
        events: List[Dict[str, Any]] = native.ask_json("stepbus_catalog_list", self._handle, *native.pair(category))
        return events
