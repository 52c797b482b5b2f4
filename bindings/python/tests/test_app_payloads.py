# SPDX-License-Identifier: MIT
"""The pure parts: durations, payloads, retry policies, the pace."""
import datetime as dt
import math

import pytest

from stepbus import InvalidArgument, Retry, payload
from stepbus import _structs as s
from stepbus.duration import microseconds, milliseconds, timeout_ms
from stepbus.layout import picker
from stepbus.memory import _Reader, window
from stepbus.pace import Pace
from stepbus.retry import retry_of


@pytest.mark.parametrize(
    "value, ms",
    [(0, 0), (1, 1000), (0.5, 500), (0.0001, 1), (1.0001, 1001), (2.3, 2300), (dt.timedelta(minutes=2), 120000)],
)
def test_durations_become_milliseconds_and_never_nothing(value, ms):
    assert milliseconds(value, "delay") == ms


@pytest.mark.parametrize("value", [-1, math.inf, math.nan, True, "5", None, dt.timedelta(seconds=-1)])
def test_what_is_no_duration_is_refused_by_its_name(value):
    with pytest.raises(InvalidArgument, match="delay"):
        milliseconds(value, "delay")


def test_no_timeout_waits_for_ever():
    assert timeout_ms(None) == -1
    assert timeout_ms(0) == 0


def test_a_time_needs_a_zone():
    assert microseconds(dt.datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=dt.timezone.utc), "run_at") == 1000005
    with pytest.raises(InvalidArgument, match="time zone"):
        microseconds(dt.datetime(2026, 1, 1), "run_at")


@pytest.mark.parametrize("value", [None, True, 0, 2**70, 1.5, "ü€\u0000", [], {"a": [1, {"b": None}]}])
def test_values_come_back_as_they_went(value):
    data, kind = payload.encode(value)
    assert kind == b"application/json"
    assert payload.decode(data, kind) == value


@pytest.mark.parametrize("value", [b"", b"\x00\xff", bytearray(b"x"), memoryview(b"yz")])
def test_bytes_stay_bytes(value):
    data, kind = payload.encode(value)
    assert kind == b"application/octet-stream"
    assert payload.decode(data, kind) == bytes(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object(), "\ud800", dt.datetime.now()])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        payload.encode(value)


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b"{", b"", b"\xff", b"1 2", b"\xef\xbb\xbf1"])
def test_what_is_no_json_is_refused(data):
    with pytest.raises(ValueError):
        payload.loads(data)


def test_white_space_around_json_is_allowed():
    assert payload.loads(b" \n[1] \t") == [1]


@pytest.mark.parametrize("kind", [b"application/json", b"", b"application/json; charset=utf-8", b"application/ld+json"])
def test_kinds_of_json(kind):
    assert payload.decode(b"[1]", kind) == [1]


def test_text_is_not_json():
    assert payload.decode(b"[1]", b"text/plain") == b"[1]"


@pytest.mark.parametrize(
    "value, fields",
    [
        (None, {}),
        (3, {"attempt_count_max": 3}),
        (Retry(kind="fixed", base=0.5), {"retry_kind": s.RETRY_FIXED, "retry_base_ms": 500}),
        ({"attempts": 2, "cap": 60, "jitter": 5}, {"attempt_count_max": 2, "retry_cap_ms": 60000, "jitter_percent": 5}),
    ],
)
def test_retry_policies(value, fields):
    assert retry_of(value).fields() == fields


@pytest.mark.parametrize("value", [0, -1, True, "3", {"atempts": 3}, Retry(kind="cubic"), Retry(jitter=0), Retry(jitter=101), 2.5])
def test_bad_retry_policies_are_refused(value):
    with pytest.raises(InvalidArgument):
        retry_of(value).fields()


def test_fast_handlers_are_given_whole_batches_and_slow_ones_few():
    pace = Pace(4)
    assert pace.count == 4
    pace.took(4, 0.0001)
    assert pace.count == 256
    pace.took(256, 2.56)
    assert pace.count == 4
    pace.took(10, 0.001)
    assert pace.count == 100
    pace.slow_down()
    assert pace.count == 4


def test_picked_fields_lie_where_ctypes_puts_them():
    event = s.StepEvent(token=7, attempt_timeout_ms=-5, input=99, input_len=3)
    made = picker(s.StepEvent, "token", "input", "input_len", "attempt_timeout_ms")
    assert made.unpack(bytes(event)) == (7, 99, 3, -5)
    back = s.StepEvent.from_buffer_copy(made.pack(1, 2, 3, 4))
    assert (back.token, back.input, back.attempt_timeout_ms, back.retry_count) == (1, 2, 4, 0)


def test_memory_is_read_in_both_ways():
    import ctypes

    kept = ctypes.create_string_buffer(b"\x00abc")
    at = ctypes.addressof(kept)
    assert window[at : at + 4] == _Reader()[at : at + 4] == b"\x00abc"
    assert window[0:0] == b""
