# SPDX-License-Identifier: MIT
"""A program of somebody who has installed the wheel and nothing else."""
import ctypes
import pathlib
import sys

import stepbus
from stepbus import _native as native

HERE = pathlib.Path(stepbus.__file__).parent
assert pathlib.Path(sys.prefix) in HERE.parents, "stepbus comes from %s" % HERE
assert pathlib.Path(native.lib.path).parent == HERE, "the library comes from %s" % native.lib.path
assert native.build_info()["discovery"] == "compiled out"


class Greet(stepbus.StepHandler):
    handler_name = "greet"

    def call(self, context):
        return stepbus.StepHandlerResult.success({"greeting": "hello, " + context.get_input("name")})


bridge = stepbus.EventBridge.instance()
bridge.start()
stepbus.HandlerRegistry.instance().register("greet", Greet)
results = []
subscriber = stepbus.StepExecutionSubscriber(bridge, stepbus.HandlerRegistry.instance(), "smoke")
subscriber.start()
bridge.subscribe(stepbus.EventNames.STEP_COMPLETION_SENT, results.append)
bridge.publish(
    stepbus.EventNames.STEP_EXECUTION_RECEIVED,
    stepbus.FfiStepEvent(
        event_id="1",
        step_uuid=native.new_id(),
        execution_event=stepbus.ExecutionEvent("greet", {"name": "wheel"}),
    ),
)
assert [result.output for result in results] == [{"greeting": "hello, wheel"}], results

options = stepbus._native.Options()
options.put("config", b'{"store":"memory:"}')
engine = native.make("stepbus_open", ctypes.byref(options))
assert native.ask_json("stepbus_engine_stats", engine)["workers"] is not None
native.lib.stepbus_close(engine)
print("smoke: the wheel works alone")
