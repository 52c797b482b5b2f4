# SPDX-License-Identifier: MIT
import pathlib
import subprocess
import sys
import textwrap

import pytest

from stepbus import EventBridge, HandlerRegistry

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def fresh_instances():
    """Each test finds no process-wide bridge and registry, and leaves none."""
    EventBridge.reset_instance()
    HandlerRegistry.reset_instance()
    yield
    EventBridge.reset_instance()
    HandlerRegistry.reset_instance()


@pytest.fixture
def bridge():
    """A bridge that is started."""
    made = EventBridge()
    made.start()
    yield made
    made.stop()


class Ran:
    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr


@pytest.fixture
def run_program():
    """Runs a program in an interpreter of its own."""

    def run(text, timeout=60):
        program = textwrap.dedent(text)
        return Ran(
            subprocess.run([sys.executable, "-X", "faulthandler", "-c", program], capture_output=True, text=True, timeout=timeout)
        )

    return run
