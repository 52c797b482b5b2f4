# SPDX-License-Identifier: MIT
"""The examples run as they stand, and the short one is short."""
import os
import pathlib
import subprocess
import sys

import pytest

import stepbus

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
SOURCE = str(pathlib.Path(stepbus.__file__).parents[1])


@pytest.mark.parametrize("name, says", [("hello.py", "Hello, Ada!\n"), ("loop.py", "[0, 1, 4, 9, 16]\n")])
def test_an_example_runs(tmp_path, name, says):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name], cwd=tmp_path, text=True, capture_output=True, timeout=60,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, says, "")


def test_a_durable_step_takes_twelve_lines_at_most():
    lines = [line for line in (EXAMPLES / "hello.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 12
