-- SPDX-License-Identifier: MIT
-- Reads a cdef with LuaJIT and says its numbers: luajit read.lua CDEF LIBRARY < names
local ffi = require("ffi")
local file = assert(io.open(arg[1]))
ffi.cdef(file:read("*a"))
file:close()
local library = ffi.load(arg[2])

for line in io.lines() do
	local kind, name = line:match("^(%a+) (%S+)$")
	if kind == "size" then
		print(line, tonumber(ffi.sizeof(name)))
	elseif kind == "offset" then
		print(line, tonumber(ffi.offsetof(name:match("^([^.]+)%.(.+)$"))))
	elseif kind == "value" then
		print(line, tonumber(ffi.C[name]))
	else
		assert(library[name] ~= nil)
		print(line)
	end
end
assert(ffi.string(library.stepbus_status_name(ffi.C.STEPBUS_EBUSY)) == "STEPBUS_EBUSY")
