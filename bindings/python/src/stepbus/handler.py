# SPDX-License-Identifier: MIT
"""StepHandler, the base class of handlers. Nothing here calls the library."""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Awaitable, Dict, List, Optional, Union

from .types import StepContext, StepHandlerResult


class StepHandler(ABC):
    """Runs the steps of one name.

    A subclass says its ``handler_name`` and implements ``call``, as a plain or as an async function::

        class Greet(StepHandler):
            handler_name = "greet"

            def call(self, context):
                return StepHandlerResult.success({"greeting": "hello, " + context.get_input("name")})

    An instance is made for each step. What goes wrong in the constructor or in ``call`` is an exception: the step
    fails and may be retried, unless the exception is ``Permanent``.
    """

    handler_name: str = ""
    handler_version: str = "1.0.0"

    @abstractmethod
    def call(self, context: StepContext) -> Union[StepHandlerResult, Awaitable[StepHandlerResult]]:
        """Runs one step."""

    @property
    def name(self) -> str:
        return self.handler_name or type(self).__name__

    @property
    def version(self) -> str:
        return self.handler_version

    @property
    def capabilities(self) -> List[str]:
        """What the handler can do, in words that a listing can be asked for."""
        return ["process"]

    def config_schema(self) -> Optional[Dict[str, Any]]:
        """The JSON Schema of the handler's step_config, where there is one."""
        return None

    def __repr__(self) -> str:
        return "%s(name=%r, version=%r)" % (type(self).__name__, self.name, self.version)
