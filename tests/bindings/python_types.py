# SPDX-License-Identifier: MIT
"""A typed program of somebody who has installed the wheel: it is checked, and never run."""
from typing import Any, List, Optional

import stepbus
from stepbus import EventBridge, EventNames, HandlerRegistry, StepContext, StepExecutionResult, StepExecutionSubscriber
from stepbus import StepHandler, StepHandlerResult


class Greet(StepHandler):
    handler_name = "greet"

    def call(self, context: StepContext) -> StepHandlerResult:
        return StepHandlerResult.success({"greeting": context.get_input("name")})


class Later(StepHandler):
    async def call(self, context: StepContext) -> StepHandlerResult:
        return StepHandlerResult.failure("not now", retry_after=30)


def take(event: Any, result: StepExecutionResult) -> None:
    error: Optional[stepbus.StepError] = result.error
    print(result.output if error is None else error.message)


made: StepHandlerResult = StepHandlerResult.success({})
has_succeeded: bool = made.success
bridge: EventBridge = EventBridge.instance()
bridge.subscribe(EventNames.STEP_COMPLETION_SENT, print)
registry = HandlerRegistry(bridge)
registry.register("greet", Greet)
registry.register("later", Later)
names: List[str] = registry.list_handlers()
StepExecutionSubscriber(bridge, registry, "worker-1", complete=take).start()
try:
    registry.create("unheard_of")
except stepbus.NotFound as error:
    code: int = error.code
