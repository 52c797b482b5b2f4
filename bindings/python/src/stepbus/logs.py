# SPDX-License-Identifier: MIT
"""Log records of this package, through ``logging``.

``stepbus`` hears of the app (opened, closed), ``stepbus.worker`` of steps and workers. Records come from the
package's own threads only: the library's log callback would run Python code on threads that Python does not know.
Each record about a step has step_id, handler, attempt and, where there are any, error_type and correlation_id as
attributes, for formatters that print JSON.

debug    each step that was completed, each that was handed out
info     a worker starts or stops, a step is retried, snoozed, or stopped because it was cancelled
warning  a result was refused, a step goes back because its worker stops, results wait because the store is busy
error    a step failed for good, a result could not be kept
"""
from __future__ import annotations

import logging
from typing import Any, Dict

APP = logging.getLogger("stepbus")
WORKER = logging.getLogger("stepbus.worker")


def of_step(step: Any, **more: Any) -> Dict[str, Any]:
    """The ``extra`` of a record about a step."""
    return {"step_id": str(step.id), "handler": step.handler_name, "attempt": step.attempt, **more}
