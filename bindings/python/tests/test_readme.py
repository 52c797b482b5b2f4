# SPDX-License-Identifier: MIT
import re

from conftest import ROOT

README = ROOT / "bindings" / "python" / "README.md"


def test_the_program_of_the_readme_runs(run_program):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)
    [program] = [block for block in blocks if "StepExecutionSubscriber" in block]
    ran = run_program(program)
    assert (ran.status, ran.out) == (0, "{'greeting': 'hello, you'}\n"), ran.err


def test_the_readme_names_each_error_that_the_package_offers():
    import stepbus

    offered = {
        name
        for name, value in vars(stepbus).items()
        if isinstance(value, type) and issubclass(value, stepbus.StepbusError) and value is not stepbus.StepbusError
    }
    rows = re.findall(r"^\| ([\w, ]+) \|", README.read_text(), flags=re.M)
    assert offered <= {name for row in rows for name in row.split(", ")}
