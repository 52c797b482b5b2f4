# SPDX-License-Identifier: MIT
"""The functions that ``@app.step`` registered, and which of them a polled step is for."""
from __future__ import annotations

import threading
from typing import Any, Dict, List, Optional, Tuple

from .errors import Exists
from .function import StepFunction
from .step import Step

Key = Tuple[str, str, str]


class Functions:
    """Thread-safe. ``single`` has those whose name alone tells which one is meant, for the hot loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: Dict[Key, StepFunction[Any]] = {}
        self.single: Dict[bytes, StepFunction[Any]] = {}

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def add(self, function: StepFunction[Any]) -> None:
        key = (function.namespace, function.name, function.version)
        with self._lock:
            if key in self._all:
                raise Exists("%s %s is registered already: give it another version" % (function.name, function.version))
            named = [other for other in self._all.values() if other.name == function.name]
            self._all[key] = function
            if named:
                self.single.pop(function.name.encode(), None)
            else:
                self.single[function.name.encode()] = function

    def remove(self, function: StepFunction[Any]) -> None:
        """Takes back an add that the library then refused."""
        with self._lock:
            self._all.pop((function.namespace, function.name, function.version), None)
            self.single.pop(function.name.encode(), None)

    def all(self) -> List[StepFunction[Any]]:
        with self._lock:
            return list(self._all.values())

    def has_async(self) -> bool:
        return any(function.is_async for function in self.all())

    def find(self, step: Step) -> Optional[StepFunction[Any]]:
        """Which one a step is for: the library has decided on the version where there are several."""
        found = self.single.get(step._name)
        if found is not None:
            return found
        return self._all.get((step.handler_namespace or "default", step.handler_name, step.handler_version))
