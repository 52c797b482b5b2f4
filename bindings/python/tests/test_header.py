# SPDX-License-Identifier: MIT
"""That the package says of the C interface what the header says, by a C compiler and by reading it."""
import ctypes
import re
import shutil
import subprocess

import pytest

from stepbus import _functions, _structs

from conftest import ROOT

HEADER = ROOT / "include" / "stepbus.h"
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

TEXT = re.sub(r"/\*.*?\*/", " ", HEADER.read_text(), flags=re.S) if HEADER.is_file() else ""
STRUCTS = re.findall(r"typedef struct (stepbus_\w+) \{", TEXT)
CONSTANTS = re.findall(r"^\s*(STEPBUS_\w+)\s*=\s*\d+,", TEXT, flags=re.M)
FUNCTIONS = re.findall(r"STEPBUS_API\s+([^;(]*?)\b(stepbus_\w+)\(([^;]*?)\);", TEXT, flags=re.S)

pytestmark = pytest.mark.skipif(not TEXT, reason="the header is not here")


def class_of(struct):
    return getattr(_structs, "".join(word.capitalize() for word in struct.split("_")[1:]))


def run_c(tmp_path, body):
    source, program = tmp_path / "layout.c", tmp_path / "layout"
    lines = "\n".join(body)
    source.write_text(
        '#include "stepbus.h"\n#include <stdio.h>\nint main(void)\n{\n%s\nreturn 0;\n}\n' % lines
    )
    subprocess.run([COMPILER, "-I", str(HEADER.parent), "-o", str(program), str(source)], check=True)
    out = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return dict(line.split("=") for line in out.splitlines())


def layouts():
    """Each struct with the classes that stand for it."""
    for struct in STRUCTS:
        yield struct, class_of(struct)
    yield "stepbus_completion", _structs.CompletionView


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_structs_have_the_layout_of_the_compiler(tmp_path):
    body = []
    for struct, cls in layouts():
        body.append('printf("%s=%%zu\\n", sizeof(%s));' % (struct, struct))
        for field in cls._fields_:
            place = "%s.%s" % (struct, field[0])
            body.append('printf("%s=%%zu,%%zu\\n", offsetof(%s, %s), sizeof(((%s *)0)->%s));' % (
                place, struct, field[0], struct, field[0]
            ))
    measured = run_c(tmp_path, body)
    assert len(STRUCTS) >= 20
    for struct, cls in layouts():
        assert ctypes.sizeof(cls) == int(measured[struct]), struct
        for field in cls._fields_:
            there = getattr(cls, field[0])
            assert "%d,%d" % (there.offset, there.size) == measured["%s.%s" % (struct, field[0])], (struct, field[0])


def test_structs_have_all_fields_of_the_header():
    for struct in STRUCTS:
        body = re.search(r"typedef struct %s \{(.*?)\} %s;" % (struct, struct), TEXT, flags=re.S).group(1)
        named = [re.search(r"(\w+)(\[\d+\])?$|\(\*(\w+)\)", line.strip()) for line in body.split(";") if line.strip()]
        fields = [match.group(3) or match.group(1) for match in named]
        assert [field[0] for field in class_of(struct)._fields_] == fields, struct


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_constants_have_the_values_of_the_compiler(tmp_path):
    body = ['printf("%s=%%ld\\n", (long)%s);' % (name, name) for name in CONSTANTS]
    body.append('printf("ABI=%d\\n", STEPBUS_ABI_VERSION);')
    body.append('printf("VERSION=%s\\n", STEPBUS_VERSION);')
    measured = run_c(tmp_path, body)
    assert len(CONSTANTS) >= 70
    for name in CONSTANTS:
        assert getattr(_structs, name[len("STEPBUS_"):]) == int(measured[name]), name
    assert _structs.ABI_VERSION == int(measured["ABI"])
    assert _structs.HEADER_VERSION == measured["VERSION"]


NUMBERS = {
    "stepbus_status": ctypes.c_int32,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "void": None,
}
CALLBACKS = {"stepbus_handler_each_fn": _structs.HandlerEachFn, "stepbus_enqueued_fn": _structs.EnqueuedFn}
# Read, not written, so that their texts must not be taken for NUL-terminated.
VIEWS = {"stepbus_payload_completion", "stepbus_outcome_completion"}


def expected(c_type, function, is_result):
    """The ctypes type for a C type."""
    words = c_type.replace("struct ", "").split()
    is_const = "const" in words
    stars = c_type.count("*")
    base = next(word.strip("*") for word in words if word not in ("const", "*"))
    if stars == 0:
        return CALLBACKS.get(base) or NUMBERS[base]
    if base in STRUCTS:
        is_view = base == "stepbus_completion" and function in VIEWS
        cls = _structs.CompletionView if is_view else class_of(base)
        return ctypes.POINTER(cls) if stars == 1 else ctypes.POINTER(ctypes.POINTER(cls))
    if stars == 2:
        return ctypes.POINTER(ctypes.c_void_p)
    if base == "uint8_t":
        return ctypes.c_char_p if is_const else ctypes.POINTER(ctypes.c_uint8)
    if base == "char":
        return ctypes.c_void_p if is_result and function == "stepbus_text_data" else ctypes.c_char_p
    return ctypes.POINTER(NUMBERS[base]) if NUMBERS.get(base) else ctypes.c_void_p


def test_functions_are_those_of_the_header():
    assert len(FUNCTIONS) >= 110
    assert set(_functions.FUNCTIONS) == {name for _, name, _ in FUNCTIONS}


@pytest.mark.parametrize("result, name, parameters", FUNCTIONS, ids=[name for _, name, _ in FUNCTIONS])
def test_a_function_takes_and_returns_what_the_header_says(result, name, parameters):
    types = [] if parameters.strip() == "void" else [re.sub(r"\w+$", "", " ".join(p.split())) for p in parameters.split(",")]
    wanted = [expected(result, name, True)] + [expected(c_type, name, False) for c_type in types]
    assert list(_functions.FUNCTIONS[name]) == wanted
