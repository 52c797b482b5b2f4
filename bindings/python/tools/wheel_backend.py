# SPDX-License-Identifier: MIT
"""Builds the wheel, with the shared library inside, from nothing but the standard library.

A build backend as pip asks for it (``pip install bindings/python``, ``pip wheel``, also editable), and a program:
``python3 tools/wheel_backend.py DIRECTORY``. The library is that of STEPBUS_LIBRARY, or build/release of the source
tree. The same sources give the same bytes.
"""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
LIBRARY = "libstepbus.so.0"
EPOCH = (1980, 1, 1, 0, 0, 0)


def read_project():
    """The tables of pyproject.toml, as far as they are lines of key = "text"."""
    tables, table = {}, {}
    for line in (HERE / "pyproject.toml").read_text().splitlines():
        header = re.match(r"\[([^\]]+)\]$", line)
        entry = re.match(r'([\w-]+) = "([^"]*)"$', line)
        if header:
            table = tables.setdefault(header.group(1).replace('"', ""), {})
        elif entry:
            table[entry.group(1)] = entry.group(2)
    return tables


PROJECT = read_project()
NAME, VERSION = PROJECT["project"]["name"], PROJECT["project"]["version"]
DIST_INFO = "%s-%s.dist-info" % (NAME, VERSION)


def find_library():
    library = pathlib.Path(os.environ.get("STEPBUS_LIBRARY") or ROOT / "build" / "release" / LIBRARY)
    if not library.is_file():
        raise SystemExit("there is no %s: build it with 'make all', or name it in STEPBUS_LIBRARY" % library)
    return without_debug(library)


def without_debug(library):
    """Without what only a debugger reads, where there is a tool for that: a fifth of the size."""
    strip = shutil.which("strip")
    if strip is None:
        return library.read_bytes()
    with tempfile.TemporaryDirectory() as directory:
        stripped = pathlib.Path(directory) / LIBRARY
        subprocess.run([strip, "--strip-debug", "-o", str(stripped), str(library)], check=True)
        return stripped.read_bytes()


def metadata():
    project = PROJECT["project"]
    head = [
        "Metadata-Version: 2.1",
        "Name: " + NAME,
        "Version: " + VERSION,
        "Summary: " + project["description"],
        "License: MIT",
        "Requires-Python: " + project["requires-python"],
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(head) + "\n\n" + (HERE / "README.md").read_text()


def entry_points():
    groups = {name.split(".", 2)[2]: table for name, table in PROJECT.items() if name.startswith("project.entry-points.")}
    lines = []
    for group, table in sorted(groups.items()):
        lines += ["[%s]" % group] + ["%s = %s" % item for item in sorted(table.items())] + [""]
    return "\n".join(lines)


def package_files():
    package = HERE / "src" / NAME
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".pyi", ".typed") or path.name == "py.typed":
            yield path.relative_to(HERE / "src").as_posix(), path.read_bytes()
    yield "%s/%s" % (NAME, LIBRARY), find_library()


def info_files(tag):
    yield DIST_INFO + "/METADATA", metadata().encode()
    yield DIST_INFO + "/licenses/LICENSE", (ROOT / "LICENSE").read_bytes()
    yield DIST_INFO + "/WHEEL", ("Wheel-Version: 1.0\nGenerator: stepbus\nRoot-Is-Purelib: false\nTag: %s\n" % tag).encode()
    if entry_points():
        yield DIST_INFO + "/entry_points.txt", entry_points().encode()


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return "%s,sha256=%s,%d" % (name, digest, len(data))


def write_wheel(directory, tag, files):
    name = "%s-%s-%s.whl" % (NAME, VERSION, tag)
    record = []
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:

        def add(path, data):
            member = zipfile.ZipInfo(path, EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if path.endswith(LIBRARY) else 0o644
            member.external_attr = (stat.S_IFREG | mode) << 16
            wheel.writestr(member, data)

        for path, data in files:
            add(path, data)
            record.append(record_line(path, data))
        record.append(DIST_INFO + "/RECORD,,")
        add(DIST_INFO + "/RECORD", ("\n".join(record) + "\n").encode())
    return name


def platform_tag():
    return "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    tag = platform_tag()
    return write_wheel(wheel_directory, tag, [*package_files(), *info_files(tag)])


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    tag = platform_tag()
    path = (NAME + ".pth", (str(HERE / "src") + "\n").encode())
    return write_wheel(wheel_directory, tag, [path, *info_files(tag)])


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit("stepbus is built from its whole source tree: build a wheel there (python3 -m build --wheel)")


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    print(pathlib.Path(sys.argv[1]) / build_wheel(sys.argv[1]))
