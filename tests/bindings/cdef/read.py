# SPDX-License-Identifier: MIT
"""Reads a cdef with cffi and says its numbers: python3 read.py CDEF LIBRARY < names"""
import sys

from cffi import FFI

ffi = FFI()
with open(sys.argv[1], encoding="utf-8") as cdef:
    ffi.cdef(cdef.read())
library = ffi.dlopen(sys.argv[2])

for line in sys.stdin:
    kind, name = line.split()
    if kind == "size":
        print(kind, name, ffi.sizeof(name))
    elif kind == "offset":
        print(kind, name, ffi.offsetof(*name.split(".")))
    elif kind == "value":
        print(kind, name, getattr(library, name))
    else:
        getattr(library, name)
        print(kind, name)
assert ffi.string(library.stepbus_status_name(library.STEPBUS_EBUSY)) == b"STEPBUS_EBUSY"
