# SPDX-License-Identifier: MIT
import gc
import logging
import threading
import weakref

import pytest

import stepbus
from stepbus import EventBridge, EventNames, HandlerDefinition, HandlerFailed, HandlerRegistry, StepHandler, StepHandlerResult


def handler_of(name, version="1.0.0", **members):
    def call(self, context):
        return StepHandlerResult.success({})

    return type("Made", (StepHandler,), {"handler_name": name, "handler_version": version, "call": call, **members})


@pytest.fixture
def registry():
    return HandlerRegistry()


def test_instance_is_one_for_the_process_until_it_is_reset():
    first = HandlerRegistry.instance()
    assert HandlerRegistry.instance(skip_bootstrap=True) is first
    HandlerRegistry.reset_instance()
    assert HandlerRegistry.instance() is not first


def test_registered_is_resolved_to_a_new_instance(registry):
    made = handler_of("one")
    assert not registry.is_registered("one")
    registry.register("one", made)
    assert registry.is_registered("one")
    first, second = registry.resolve("one"), registry.resolve("one")
    assert type(first) is made
    assert first is not second


def test_the_name_of_the_registration_counts_and_not_that_of_the_class(registry):
    registry.register("alias", handler_of("one"))
    assert registry.resolve("alias").name == "one"
    assert registry.resolve("one") is None


def test_unknown_is_none_and_a_warning(registry, caplog):
    registry.register("charge_card", handler_of("charge_card"))
    assert registry.resolve("charge_cart") is None
    assert "Handler not found" in caplog.text
    assert "charge_card" in caplog.text  # what there is instead
    with pytest.raises(stepbus.NotFound):
        registry.create("charge_cart")


def test_list_and_count(registry):
    assert registry.handler_count() == 0
    registry.register("one", handler_of("one"))
    registry.register("two", handler_of("two"))
    assert registry.list_handlers() == ["one", "two"]
    assert registry.handler_count() == 2
    registry.clear()
    assert registry.list_handlers() == []
    assert registry.handler_count() == 0
    assert registry.resolve("one") is None


def test_unregister_tells_whether_there_was_one(registry):
    registry.register("one", handler_of("one"))
    registry.register("one", handler_of("one", "2.0.0"))
    assert registry.unregister("one") is True
    assert registry.unregister("one") is False
    assert not registry.is_registered("one")
    assert registry.unregister("never a name") is False


def test_overwriting_warns_and_the_last_one_counts(registry, caplog):
    first, second = handler_of("one"), handler_of("one")
    registry.register("one", first)
    assert "Overwriting" not in caplog.text
    registry.register("one", second)
    assert "Overwriting existing handler: one" in caplog.text
    assert registry.get_handler_class("one") is second
    assert registry.handler_count() == 1


@pytest.mark.parametrize("versions", [("1.0.0", "2.0.0"), ("2.0.0", "1.0.0"), ("2.0.0", "1.0.0", "2.0.0")])
def test_the_last_registered_version_runs_steps_that_name_none(registry, versions):
    for version in versions:
        registry.register("one", handler_of("one", version))
    assert registry.resolve("one").version == versions[-1]


def test_a_step_that_names_a_version_gets_that_one_or_the_highest_below(registry):
    for version in ("1.0.0", "2.0.0", "10.0.0"):
        registry.register("one", handler_of("one", version))
    assert registry.resolve("one", "2.0.0").version == "2.0.0"
    assert registry.resolve("one", "9").version == "2.0.0"
    assert registry.resolve(HandlerDefinition("one", version="1.5")).version == "1.0.0"
    assert registry.resolve("one", "0.1") is None


def test_get_handler_class_makes_no_instance(registry):
    def __init__(self):
        raise AssertionError("an instance was made")

    made = handler_of("one", __init__=__init__)
    registry.register("one", made)
    assert registry.get_handler_class("one") is made
    assert registry.get_handler_class("two") is None


class NotAHandler:
    def call(self, context):
        pass


class Incomplete(StepHandler):
    pass


@pytest.mark.parametrize("wrong", [NotAHandler, Incomplete, NotAHandler(), None, "one", StepHandler, print])
def test_what_is_no_handler_is_refused_when_it_is_registered(registry, wrong):
    with pytest.raises(ValueError):
        registry.register("one", wrong)
    assert registry.handler_count() == 0


@pytest.mark.parametrize("name", ["", "with space", "x" * 129, "ümlaut", "nul\0"])
def test_a_name_that_is_none_is_refused(registry, name):
    with pytest.raises(ValueError):
        registry.register(name, handler_of("one"))
    assert registry.resolve(name) is None
    assert registry.is_registered(name) is False
    assert registry.unregister(name) is False
    assert registry.list_handlers() == []
    assert registry._classes == {}


def test_a_version_that_is_none_is_refused(registry):
    with pytest.raises(ValueError, match="version"):
        registry.register("one", handler_of("one", "no version at all"))


def test_a_constructor_that_fails_is_not_a_missing_handler(registry, caplog):
    def __init__(self):
        raise RuntimeError("the database is away")

    registry.register("one", handler_of("one", __init__=__init__))
    with pytest.raises(HandlerFailed, match="the database is away") as caught:
        registry.create("one")
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value.name == "STEPBUS_EHANDLER"
    assert registry.resolve("one") is None
    assert "Failed to instantiate handler" in caplog.text
    assert "Handler not found" not in caplog.text


def test_capabilities_version_and_schema_reach_the_library(registry):
    schema = {"type": "object", "properties": {"limit": {"type": "integer"}}}
    made = handler_of(
        "one", "2.1.0", capabilities=property(lambda self: ["process", "batch"]), config_schema=lambda self: schema
    )
    registry.register("one", made)
    [described] = registry.describe()
    assert described["name"] == "one"
    assert described["version"] == "2.1.0"
    assert described["capabilities"] == ["process", "batch"]
    assert described["config_schema"] == schema
    assert len(registry.describe("batch")) == 1
    assert registry.describe("http") == []


def test_capabilities_that_need_a_constructor_are_the_usual_ones(registry):
    made = handler_of("one", capabilities=property(lambda self: self.words))
    registry.register("one", made)
    assert registry.describe()[0]["capabilities"] == ["process"]


def test_there_is_no_discovery(registry):
    with pytest.raises(AttributeError):
        registry.discover_handlers("package")
    with pytest.raises(AttributeError):
        HandlerRegistry.discover_handlers
    assert not hasattr(registry, "bootstrap_handlers")


# Definitions


class Payments(StepHandler):
    handler_name = "payments"

    def call(self, context):
        return "call"

    def refund(self, context):
        return "refund"

    secret = 5


def test_a_definition_may_name_another_method(registry):
    registry.register("payments", Payments)
    handler = registry.resolve(HandlerDefinition("payments", handler_method="refund"))
    assert handler.call(None) == "refund"
    assert handler.name == "payments"
    assert registry.resolve({"callable": "payments", "method": "refund"}).call(None) == "refund"
    assert registry.resolve(HandlerDefinition("payments", handler_method="call")).call(None) == "call"


@pytest.mark.parametrize("method", ["chargeback", "secret"])
def test_a_method_that_is_not_there_is_not_found(registry, method):
    registry.register("payments", Payments)
    assert registry.resolve(HandlerDefinition("payments", method)) is None
    with pytest.raises(stepbus.NotFound, match=method):
        registry.create(HandlerDefinition("payments", method))


def test_a_resolver_that_is_not_here_is_said_so(registry):
    registry.register("payments", Payments)
    assert registry.resolve(HandlerDefinition("payments", resolver="explicit_mapping")) is not None
    with pytest.raises(stepbus.NotFound, match="class_lookup"):
        registry.create(HandlerDefinition("payments", resolver="class_lookup"))


@pytest.mark.parametrize("spec", [None, 5, {}, {"callable": 5}])
def test_what_names_no_handler_is_refused(registry, spec):
    assert registry.resolve(spec) is None
    with pytest.raises(ValueError):
        registry.create(spec)


# Events


def test_registering_is_published(bridge):
    heard = []
    registry = HandlerRegistry(bridge)
    bridge.subscribe(EventNames.HANDLER_REGISTERED, heard.append)
    bridge.subscribe(EventNames.HANDLER_UNREGISTERED, lambda name, cls: heard.append((name, cls, "gone")))
    made = handler_of("one")
    registry.register("one", made)
    registry.unregister("one")
    assert heard == [("one", made), ("one", made, "gone")]


def test_the_process_wide_registry_publishes_on_the_process_wide_bridge():
    bridge = EventBridge.instance()
    bridge.start()
    heard = []
    bridge.subscribe(EventNames.HANDLER_REGISTERED, lambda name, cls: heard.append(name))
    HandlerRegistry.instance().register("one", handler_of("one"))
    assert heard == ["one"]


def test_registering_without_a_started_bridge_warns_of_nothing(caplog):
    HandlerRegistry(EventBridge()).register("one", handler_of("one"))
    HandlerRegistry.instance().register("one", handler_of("one"))
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_a_subscriber_may_register_in_turn(bridge):
    registry = HandlerRegistry(bridge)

    def also(name, cls):
        if name == "one":
            registry.register("two", cls)

    bridge.subscribe(EventNames.HANDLER_REGISTERED, also)
    registry.register("one", handler_of("one"))
    assert registry.list_handlers() == ["one", "two"]


# What lives how long, and threads


def test_classes_that_nobody_else_holds_are_not_collected(registry):
    for i in range(50):
        registry.register("h%d" % i, handler_of("h%d" % i))
    gc.collect()
    assert [registry.resolve("h%d" % i).name for i in range(50)] == ["h%d" % i for i in range(50)]


def test_unregistered_and_overwritten_classes_are_let_go_of(registry):
    watches = []
    for name in ("one", "two"):
        made = handler_of(name)
        watches.append(weakref.ref(made))
        registry.register(name, made)
    del made
    registry.unregister("one")
    registry.register("two", handler_of("two"))
    gc.collect()
    assert [watch() for watch in watches] == [None, None]
    assert len(registry._classes) == 1


def test_a_registry_that_nobody_holds_is_freed():
    registry = HandlerRegistry()
    registry.register("one", handler_of("one"))
    watch = weakref.ref(registry)
    del registry
    gc.collect()
    assert watch() is None


def test_threads_register_resolve_and_unregister_at_once(registry):
    errors = []
    classes = [handler_of("shared", "1.0.%d" % (i % 3)) for i in range(6)]
    registry.register("shared", classes[0])

    def churn(own):
        try:
            for i in range(200):
                registry.register("shared", classes[(own + i) % 6])
                registry.register("own%d" % own, classes[own])
                assert registry.resolve("shared") is not None
                assert registry.unregister("own%d" % own)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=churn, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert registry.list_handlers() == ["shared"]
    assert len(registry._classes) == 3
