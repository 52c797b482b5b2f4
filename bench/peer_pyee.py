#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pyee's EventEmitter.

Arguments: id or name, subscribers of each event, events in rotation, measurements. Prints the
nanoseconds of one emit, once a measurement. Tuned: small integers as ids, the garbage collector off
while it measures, each subscriber a closure of its own.
"""

import gc
import sys
import time

try:
    from pyee.base import EventEmitter
except ImportError:
    from pyee import BaseEventEmitter as EventEmitter

EVENT_COUNT = 64
SLICE_NS = 8e6


def make_subscriber(counter):
    def deliver(payload):
        counter[0] += payload

    return deliver


def run(emitter, names, mask, iterations):
    emit = emitter.emit
    start = time.perf_counter_ns()
    for i in range(iterations):
        emit(names[i & mask], 1)
    return time.perf_counter_ns() - start


def main():
    mode = sys.argv[1]
    subscriber_count, rotation, sample_count = (int(text) for text in sys.argv[2:5])
    emitter = EventEmitter()
    counters = [[0] for _ in range(subscriber_count)]
    names = [f"bench.rotation.event_{i:02}" if mode == "name" else i for i in range(EVENT_COUNT)]
    for name in names:
        for counter in counters:
            emitter.on(name, make_subscriber(counter))
    gc.disable()
    mask = rotation - 1
    warm = 2000
    iterations = max(100, int(warm * SLICE_NS / run(emitter, names, mask, warm)))
    samples = [run(emitter, names, mask, iterations) / iterations for _ in range(sample_count)]
    emit_count = warm + iterations * sample_count
    if sum(counter[0] for counter in counters) != emit_count * subscriber_count:
        sys.exit(1)
    for sample in samples:
        print(f"{sample:.3f}")


main()
