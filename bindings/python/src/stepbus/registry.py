# SPDX-License-Identifier: MIT
"""HandlerRegistry: which handlers exist, on a registry of the C library.

Nothing enters it except by ``register``. There is no ``discover_handlers``: importing every module of a package to
see what is in it runs code that nobody asked for, hides which handlers a process serves, and fails at run time. Say
``registry.register(name, cls)`` for each, or put that in a function of the package that has them.
"""
from __future__ import annotations

import ctypes
import itertools
import json
import logging
import os
import threading
import weakref
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Type, Union

from . import _native as native
from . import _structs as s
from .bridge import EventBridge, EventNames
from .errors import Forked, HandlerFailed, InvalidArgument, NotFound
from .handler import StepHandler

logger = logging.getLogger("stepbus.registry")

HandlerClass = Type[StepHandler]


class HandlerDefinition(NamedTuple):
    """What a step says of its handler.

    handler_method names the method to run instead of ``call``. resolver may be "explicit_mapping", which is this
    registry; there is no other.
    """

    callable: str
    handler_method: Optional[str] = None
    resolver: Optional[str] = None
    version: Optional[str] = None
    initialization: Optional[Mapping[str, Any]] = None


class ResolverNotFound(NotFound):
    """A step asks for a resolver that is not here."""


class _MethodOf:
    """A handler whose ``call`` is another of its methods."""

    def __init__(self, handler: StepHandler, method: str) -> None:
        self._handler = handler
        self.call = getattr(handler, method)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)


def _described(handler_class: HandlerClass) -> Tuple[List[str], Optional[bytes]]:
    """Capabilities and schema of a class, which are a matter of its instances. None is made here: a constructor may
    need what is not there yet."""
    blank = object.__new__(handler_class)
    try:
        capabilities = [str(word) for word in blank.capabilities]
        schema = blank.config_schema()
        return capabilities, None if schema is None else json.dumps(schema).encode()
    except Exception as error:
        logger.debug("%s does not tell its capabilities without a constructor: %r", handler_class.__name__, error)
        return ["process"], None


def _check_class(handler_class: Any) -> None:
    if not isinstance(handler_class, type) or not issubclass(handler_class, StepHandler):
        raise InvalidArgument("handler_class must be a StepHandler subclass, got %r" % (handler_class,))
    missing = sorted(getattr(handler_class, "__abstractmethods__", ()))
    if missing:
        raise InvalidArgument("%s cannot run steps: it does not implement %s" % (
            handler_class.__name__, ", ".join(missing)
        ))


def _key(name: str, version: Optional[str] = None, flags: int = 0) -> s.HandlerKey:
    key = s.HandlerKey(flags=flags)
    key.put("name", native.encode(name))
    key.put("version", None if version is None else native.encode(version))
    return key


class HandlerRegistry:
    """Handler classes by name and version.

    ``HandlerRegistry.instance()`` gives one for the whole process. With a bridge it publishes handler.registered and
    handler.unregistered there, as (name, class); the process-wide registry does so on the process-wide bridge, and
    one that a StepExecutionSubscriber was made with on that one's, unless it has a bridge of its own.
    """

    _instance: Optional[HandlerRegistry] = None

    def __init__(self, event_bridge: Optional[EventBridge] = None) -> None:
        self._handle: int = native.make("stepbus_registry_new", None)
        self._bridge = event_bridge
        self._pid = os.getpid()
        # Keeps the table in step with C's; never held while host code runs.
        self._lock = threading.RLock()  # a collected object may register in its turn
        self._numbers = itertools.count(1)
        self._classes: Dict[int, HandlerClass] = {}
        self._versions: Dict[str, Dict[str, int]] = {}
        finalizer = weakref.finalize(self, native.lib.stepbus_registry_free, self._handle)
        finalizer.atexit = False

    @classmethod
    def instance(cls, skip_bootstrap: bool = False) -> HandlerRegistry:
        """The process-wide registry, made at the first call. Nothing is ever loaded into it, skip_bootstrap or not."""
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    @classmethod
    def reset_instance(cls) -> None:
        """Forgets the process-wide registry; the next ``instance`` makes another. In a forked child, too."""
        cls._instance = None

    @property
    def handle(self) -> int:
        """The stepbus_registry, for calls of the C library; valid as long as this object."""
        return self._handle

    def attach(self, event_bridge: Optional[EventBridge]) -> None:
        """Publishes on this bridge from now on; None: nowhere."""
        self._bridge = event_bridge

    @property
    def event_bridge(self) -> Optional[EventBridge]:
        """The bridge that it publishes on."""
        if self._bridge is None and self is HandlerRegistry._instance:
            return EventBridge._instance
        return self._bridge

    def _check_fork(self) -> None:
        """Before the lock, which another thread of the parent may have held when it forked."""
        if os.getpid() != self._pid:
            raise Forked("this registry belongs to the parent of this process: make a new one here")

    def _publish(self, event: str, name: str, handler_class: Optional[HandlerClass]) -> None:
        bridge = self.event_bridge
        if bridge is not None and bridge.is_active:
            bridge.publish_pair(event, name, handler_class)

    def register(self, name: str, handler_class: HandlerClass) -> None:
        """Registers a class for the steps of a name, in the version that the class states.

        The last class registered runs the steps that name no version. A class of the same version replaces the one
        there was; others stay, for steps that name theirs. Both are worth a warning.

        InvalidArgument (a ValueError) where it is no StepHandler, or one that implements no ``call``.
        """
        _check_class(handler_class)
        self._check_fork()
        version = str(handler_class.handler_version)
        spec = s.HandlerSpec(flags=s.HANDLER_OVERRIDE | s.HANDLER_PULLED)
        capabilities, schema = _described(handler_class)
        spec.put("name", native.encode(name))
        spec.put("version", native.encode(version))
        spec.put("capabilities", ",".join(capabilities).encode())
        spec.put("config_schema", schema)
        with self._lock:
            present = self._add(name, version, spec, handler_class)
        if present:
            logger.warning("Overwriting existing handler: %s", name)
        logger.info("Registered handler: %s -> %s", name, handler_class.__name__)
        self._publish(EventNames.HANDLER_REGISTERED, name, handler_class)

    def _add(self, name: str, version: str, spec: s.HandlerSpec, handler_class: HandlerClass) -> bool:
        number = next(self._numbers)
        spec.user_data = number
        self._classes[number] = handler_class
        try:
            native.call("stepbus_registry_register", self._handle, ctypes.byref(spec))
        except BaseException:
            del self._classes[number]
            raise
        versions = self._versions.setdefault(name, {})
        is_present = bool(versions)
        # Taken out and put in again, so that the last one is the last one registered.
        self._classes.pop(versions.pop(version, 0), None)
        versions[version] = number
        return is_present

    def unregister(self, name: str) -> bool:
        """Unregisters a handler in all its versions. False where there is none."""
        self._check_fork()
        handler_class = self.get_handler_class(name)
        with self._lock:
            try:
                native.call("stepbus_registry_unregister", self._handle, ctypes.byref(_key(name)))
            except (NotFound, InvalidArgument):
                return False
            for number in self._versions.pop(name, {}).values():
                self._classes.pop(number, None)
        logger.debug("Unregistered handler: %s", name)
        self._publish(EventNames.HANDLER_UNREGISTERED, name, handler_class)
        return True

    def clear(self) -> None:
        """Unregisters all handlers."""
        self._check_fork()
        with self._lock:
            native.call("stepbus_registry_clear", self._handle)
            self._versions.clear()
            self._classes.clear()

    def _last_version(self, name: str) -> Optional[str]:
        versions = self._versions.get(name)
        try:
            return next(reversed(list(versions))) if versions else None
        except (RuntimeError, StopIteration):  # changed meanwhile: the registry decides
            return None

    def find_class(self, name: str, version: Optional[str] = None) -> HandlerClass:
        """The class for a step. With a version: that one, else the highest below it. NotFound says what there is."""
        while True:
            handler_class = self._classes.get(self._find_number(name, version))
            # Where another thread has replaced it meanwhile, there is a new one to be found.
            if handler_class is not None:
                return handler_class

    def _find_number(self, name: str, version: Optional[str]) -> int:
        key = _key(name, version or self._last_version(name))
        handler = ctypes.c_void_p()
        try:
            native.call("stepbus_registry_resolve", self._handle, ctypes.byref(key), ctypes.byref(handler))
            return int(native.lib.stepbus_handler_definition(handler).contents.user_data or 0)
        finally:
            native.lib.stepbus_handler_unref(handler)

    def create(self, spec: Union[str, HandlerDefinition, Any], version: Optional[str] = None) -> Any:
        """Makes the handler for a step, or raises why not: NotFound, or HandlerFailed where its constructor failed."""
        definition = _definition(spec)
        if definition.resolver not in (None, "", "explicit_mapping"):
            raise ResolverNotFound(
                "no resolver %r: handlers come from the registry (explicit_mapping) only" % definition.resolver
            )
        handler_class = self.find_class(definition.callable, version or definition.version)
        method = definition.handler_method or "call"
        if not callable(getattr(handler_class, method, None)):
            raise NotFound("handler %r has no method %r" % (definition.callable, method))
        try:
            handler = handler_class()
        except Exception as error:
            raise HandlerFailed(
                "handler %r cannot be made: %s: %s" % (definition.callable, type(error).__name__, error)
            ) from error
        return handler if method == "call" else _MethodOf(handler, method)

    def resolve(self, name: Union[str, HandlerDefinition, Any], version: Optional[str] = None) -> Optional[Any]:
        """Makes the handler for a step; None, and a record in the log, where there is none or its constructor fails.
        ``create`` tells the two apart."""
        try:
            return self.create(name, version)
        except HandlerFailed as error:
            logger.error("Failed to instantiate handler: %s", error)
        except (NotFound, InvalidArgument) as error:
            logger.warning("Handler not found: %s", error)
        return None

    def get_handler_class(self, name: str) -> Optional[HandlerClass]:
        """The class that was registered last for a name."""
        try:
            return self.find_class(name)
        except (NotFound, InvalidArgument):
            return None

    def is_registered(self, name: str) -> bool:
        return bool(native.lib.stepbus_registry_is_registered(self._handle, ctypes.byref(_key(name))))

    def list_handlers(self) -> List[str]:
        """The names that are registered, in the order of registering."""
        return list(self._versions)

    def handler_count(self) -> int:
        """How many names are registered."""
        return len(self._versions)

    def describe(self, capability: Optional[str] = None) -> List[Dict[str, Any]]:
        """All handlers in all their versions, or those with a capability, as the C library lists them."""
        wanted = s.HandlerFilter()
        wanted.put("capability", None if capability is None else native.encode(capability))
        listed: List[Dict[str, Any]] = native.ask_json("stepbus_registry_list", self._handle, ctypes.byref(wanted))
        return listed


def _definition(spec: Any) -> HandlerDefinition:
    """A name, a definition, a mapping, or an object with the same attributes."""
    if isinstance(spec, (str, HandlerDefinition)):
        return HandlerDefinition(spec) if isinstance(spec, str) else spec
    read = spec.get if isinstance(spec, Mapping) else lambda name: getattr(spec, name, None)
    name = read("callable")
    if not isinstance(name, str):
        raise InvalidArgument("%r names no handler" % (spec,))
    return HandlerDefinition(
        name, read("handler_method") or read("method"), read("resolver"), read("version"), read("initialization")
    )
