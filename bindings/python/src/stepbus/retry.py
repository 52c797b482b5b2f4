# SPDX-License-Identifier: MIT
"""How often and when a failed step is tried again. Pure."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Union

from . import _structs as s
from .duration import Seconds, milliseconds
from .errors import InvalidArgument

KINDS = {
    "none": s.RETRY_NONE,
    "fixed": s.RETRY_FIXED,
    "linear": s.RETRY_LINEAR,
    "exponential": s.RETRY_EXPONENTIAL,
    "fibonacci": s.RETRY_FIBONACCI,
}


@dataclass(frozen=True)
class Retry:
    """A retry policy. What is None is left to the handler, and after that to the configuration.

    attempts  attempts in all, the first among them: 1 to 1,000.
    kind      "none", "fixed", "linear", "exponential" or "fibonacci".
    base      the first delay; cap: no delay is longer.
    jitter    by how many percent a delay may vary: 1 to 100. None at all can only be said in the configuration,
              ``Stepbus(…, retry={"jitter_percent": 0})``.
    """

    attempts: Optional[int] = None
    kind: Optional[str] = None
    base: Optional[Seconds] = None
    cap: Optional[Seconds] = None
    jitter: Optional[int] = None

    def fields(self) -> Dict[str, int]:
        """The fields of a handler or step spec that say this."""
        if self.kind is not None and self.kind not in KINDS:
            raise InvalidArgument("retry kind %r: it must be one of %s" % (self.kind, ", ".join(KINDS)))
        if self.jitter is not None and not 1 <= self.jitter <= 100:
            raise InvalidArgument(
                "retry jitter is %r: 1 to 100 is allowed; for none, set it in the app's configuration: "
                'retry={"jitter_percent": 0}' % (self.jitter,)
            )
        said = {
            "attempt_count_max": self.attempts,
            "retry_kind": None if self.kind is None else KINDS[self.kind],
            "retry_base_ms": None if self.base is None else milliseconds(self.base, "retry base"),
            "retry_cap_ms": None if self.cap is None else milliseconds(self.cap, "retry cap"),
            "jitter_percent": self.jitter,
        }
        return {name: value for name, value in said.items() if value is not None}


RetryLike = Union[Retry, int, Mapping[str, Any], None]


def retry_of(value: RetryLike) -> Retry:
    """Reads a policy: a Retry, how many attempts there may be, or a Retry's fields."""
    if value is None:
        return Retry()
    if isinstance(value, Retry):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise InvalidArgument("retry is %d: it is the number of attempts, 1 or more" % value)
        return Retry(attempts=value)
    if isinstance(value, Mapping):
        try:
            return Retry(**value)
        except TypeError as error:
            raise InvalidArgument("retry: %s" % error) from None
    raise InvalidArgument("retry is %r: give a Retry, a number of attempts, or a dict" % (value,))
