# SPDX-License-Identifier: MIT
import ctypes
import ctypes.util
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
import uuid

import pytest

import stepbus
from stepbus import _native as native
from stepbus import _structs as s
from stepbus import errors

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


# Errors


def test_each_status_has_a_class_of_its_own():
    statuses = [code for code in errors.NAMES if code]
    classes = [type(errors.from_status(code)) for code in statuses]
    assert len(statuses) == 25
    assert len(set(classes)) == 25
    assert all(issubclass(cls, stepbus.StepbusError) for cls in classes)


@pytest.mark.parametrize("code", [code for code in errors.NAMES if code])
def test_an_error_has_code_name_and_message(code):
    error = errors.from_status(code, "what could not be done")
    assert (error.code, str(error), error.message) == (code, "what could not be done", "what could not be done")
    assert error.name == native.lib.stepbus_status_name(code).decode()
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.code, str(copy)) == (type(error), code, str(error))


def test_an_unknown_status_is_an_error_too():
    error = errors.from_status(999)
    assert type(error) is stepbus.StepbusError
    assert (error.code, error.name) == (999, "STEPBUS_EUNKNOWN")


@pytest.mark.parametrize(
    "cls, builtin",
    [
        (stepbus.InvalidArgument, ValueError),
        (stepbus.NotFound, KeyError),
        (stepbus.TimedOut, TimeoutError),
        (errors.OutOfMemory, MemoryError),
    ],
)
def test_some_are_what_python_calls_them(cls, builtin):
    with pytest.raises(builtin, match="said so"):
        raise cls("said so")
    assert cls("m").code == cls.default_code


def test_errors_of_the_store_have_one_parent():
    for code in (s.ENOSPACE, s.EREADONLY, s.ECORRUPT, s.EVERSION, s.ENETWORK):
        assert isinstance(errors.from_status(code), stepbus.StoreError)


def test_check_carries_the_message_of_the_library():
    with pytest.raises(stepbus.InvalidArgument, match="line 1, column 2"):
        options = s.Options()
        options.put("config", b"{")
        native.make("stepbus_open", ctypes.byref(options))


def test_failures_of_handlers_have_their_fields():
    error = stepbus.Retryable("m", retry_after=1.5, error_code="E", context={"a": 1})
    assert (error.retryable, error.retry_after, error.error_code, error.context) == (True, 1.5, "E", {"a": 1})
    assert error.error_type == "Retryable"
    assert stepbus.Permanent("m").retryable is False
    assert not isinstance(error, stepbus.StepbusError)
    assert stepbus.RetryableError is stepbus.Retryable and stepbus.PermanentError is stepbus.Permanent


# Texts and ids


def test_texts_are_copied_and_freed_once(monkeypatch):
    freed = []
    free = native.lib.stepbus_text_free
    monkeypatch.setattr(native.lib, "stepbus_text_free", lambda handle: (freed.append(handle), free(handle)))
    assert native.build_info()["discovery"] == "compiled out"
    assert len(freed) == 1 and freed[0]


def test_text_is_str_or_bytes():
    assert native.pair("é") == ("é".encode(), 2)
    assert native.pair(b"a\0b") == (b"a\0b", 3)
    assert native.pair(bytearray(b"x")) == (b"x", 1)
    assert native.pair(None) == (None, 0)
    with pytest.raises(TypeError):
        native.pair(5)


def test_structs_state_their_size_and_keep_their_texts():
    spec = s.StepSpec()
    assert spec.size == ctypes.sizeof(s.StepSpec)
    spec.put("handler_name", b"a" * 10)
    assert spec.handler_name_len == 10
    specs = (s.StepSpec * 3)()
    for i, one in enumerate(specs):
        one.put("input", b"%d" % i * 1000)
    assert [ctypes.string_at(ctypes.c_void_p.from_buffer(one, s.StepSpec.input.offset).value, 3) for one in specs] == [
        b"000", b"111", b"222"
    ]  # fmt: skip
    spec.put("handler_name", None)
    assert spec.handler_name_len == 0


def test_views_copy_texts_without_an_end():
    block = ctypes.create_string_buffer(b"abcdef", 6)
    view = s.StepEvent(handler_name=ctypes.addressof(block), handler_name_len=3)
    assert view.get("handler_name") == b"abc"
    assert view.get("input") == b""


def test_ids():
    made = native.new_id()
    assert isinstance(made, uuid.UUID) and made.version == 7
    for form in (made, str(made), made.bytes, str(made).upper()):
        assert native.id_bytes(form) == made.bytes
    assert native.id_uuid(made.bytes) == made
    assert native.id_uuid(s.Id.from_buffer_copy(made.bytes)) == made


@pytest.mark.parametrize("wrong", [b"", b"short", b"x" * 17, "", "no id", None, 5, object()])
def test_what_is_no_id_is_refused(wrong):
    with pytest.raises(ValueError):
        native.id_bytes(wrong)


# The library


def test_a_function_that_is_not_in_the_header_is_an_attribute_error():
    with pytest.raises(AttributeError):
        native.lib.stepbus_discover
    assert native.lib.has("stepbus_version")
    assert not native.lib.has("stepbus_discover")


def test_the_versions_of_package_library_and_header_are_one():
    assert native.version() == s.HEADER_VERSION == stepbus.__version__
    assert pathlib.Path(native.lib.path).exists()


def test_what_lies_near_is_found_before_the_system_is_asked(monkeypatch, tmp_path):
    def fail(name):
        raise AssertionError("the system was asked")

    monkeypatch.setattr(ctypes.util, "find_library", fail)
    inside = native.candidates()
    monkeypatch.setenv("STEPBUS_LIBRARY", str(tmp_path / "own.so"))
    named = native.candidates()
    in_package = str(pathlib.Path(native.__file__).parent / native.FILE_NAME)
    assert inside
    assert [path for path in named if path != in_package][0] == str(tmp_path / "own.so")
    assert (named[0] == in_package) == pathlib.Path(in_package).exists()


FAKE = """
#include <stdint.h>
const char *stepbus_version(void) { return "%s"; }
uint32_t stepbus_abi_version(void) { return %d; }
"""


def import_with(library, program="import stepbus; stepbus.EventBridge()", **environment):
    """Runs a program against another library, from a copy of the package that has none inside."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "STEPBUS_LIBRARY": str(library), **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package somewhere else, with no library beside it."""
    source = pathlib.Path(stepbus.__file__).parent
    shutil.copytree(source, tmp_path / "packages" / "stepbus", ignore=shutil.ignore_patterns("*.so*", "__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    return tmp_path


@pytest.fixture
def fake_library(package):
    def build(source):
        file, library = package / "fake.c", package / "libfake.so"
        file.write_text(source)
        subprocess.run([COMPILER, "-shared", "-fPIC", "-o", str(library), str(file)], check=True)
        return library

    if COMPILER is None:
        pytest.skip("there is no C compiler")
    return build


@pytest.mark.parametrize("version, abi", [("0.1.0", 7), ("0.0.9", 0), ("0.1.0", 1)])
def test_a_library_of_another_version_is_refused_by_name(fake_library, version, abi):
    library = fake_library(FAKE % (version, abi))
    ran = import_with(library)
    assert ran.returncode == 1
    said = ran.stderr.splitlines()[-1]
    assert said == (
        "stepbus.errors.LibraryError: the library %s is of version %s (ABI %d), this package needs 0.1.0 or later of "
        "ABI 0: install the two together" % (library, version, abi)
    )


def test_a_newer_library_of_the_same_abi_is_used(fake_library):
    ran = import_with(fake_library(FAKE % ("0.2.0-rc1", 0)), "from stepbus import _native; print(_native.version())")
    assert ran.stdout.strip() == "0.2.0-rc1"


def test_a_library_that_lacks_a_function_says_so(fake_library):
    ran = import_with(fake_library(FAKE % ("0.1.0", 0)))
    assert "has no stepbus_bridge_new: it is older than this package" in ran.stderr.splitlines()[-1]


def test_another_library_is_refused(fake_library):
    ran = import_with(fake_library("int unrelated(void) { return 0; }"))
    assert "is no stepbus library" in ran.stderr.splitlines()[-1]


def test_a_file_that_is_no_library_is_refused(package):
    wrong = package / "wrong.so"
    wrong.write_text("this is no library")
    ran = import_with(wrong)
    assert "cannot be loaded" in ran.stderr.splitlines()[-1]
    assert "stepbus.errors.LibraryError" in ran.stderr


def test_a_file_that_is_not_there_is_said_so_and_nothing_else_is_tried(package):
    ran = import_with(package / "nowhere.so")
    assert "nowhere.so cannot be loaded" in ran.stderr.splitlines()[-1]


def test_the_package_can_be_imported_without_a_library(package):
    ran = import_with("", "import stepbus; print(stepbus.StepHandlerResult.success(1).success)", PATH="/nowhere")
    assert ran.stdout.strip() == "True", ran.stderr


def test_without_a_library_an_error_says_what_to_do(package):
    ran = import_with("", PATH="/nowhere")
    said = ran.stderr.splitlines()[-1]
    if "LibraryError" not in said:
        pytest.skip("the system has the library")
    assert "name its file in STEPBUS_LIBRARY" in said
