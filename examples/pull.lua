-- SPDX-License-Identifier: MIT
-- A LuaJIT host that runs its steps itself. The declarations are read as they are installed.
local ffi = require("ffi")

local here = arg[0]:match("^(.*/)") or "./"
local file = assert(io.open(here .. "../include/stepbus.cdef.h"))
ffi.cdef(file:read("*a"))
file:close()
local C = ffi.load("stepbus")

-- Calls with an error as the last argument, and raises what it says.
local err = ffi.new("stepbus_error", { size = ffi.sizeof("stepbus_error") })
local function call(name, ...)
	local arguments, count = { ... }, select("#", ...)
	arguments[count + 1] = err
	local status = C[name](unpack(arguments, 1, count + 1))
	if status ~= C.STEPBUS_OK then
		error(ffi.string(C.stepbus_status_name(status)) .. ": " .. ffi.string(err.message), 2)
	end
end

-- count structs, with their sizes set, and what fields says in each of them.
local function structs(name, count, fields)
	local array = ffi.new(name .. "[?]", count)
	for i = 0, count - 1 do
		array[i].size = ffi.sizeof(name)
		for field, value in pairs(fields or {}) do
			array[i][field] = value
			if type(value) == "string" then
				array[i][field .. "_len"] = #value
			end
		end
	end
	return array
end

-- Strings are kept here as long as structs point at them.
local config, handler, input = '{"store":"memory:"}', "echo", "hello"
local step_count, batch_count = 1000, 256

local out = ffi.new("stepbus *[1]")
call("stepbus_open", structs("stepbus_options", 1, { config = config }), out)
local engine = ffi.gc(out[0], C.stepbus_close)

local flags = C.STEPBUS_HANDLER_PULLED
local registry = C.stepbus_engine_registry(engine)
call("stepbus_registry_register", registry, structs("stepbus_handler_spec", 1, { name = handler, flags = flags }))
local specs = structs("stepbus_step_spec", step_count, { handler_name = handler, input = input })
call("stepbus_step_enqueue", engine, specs, step_count, nil)

local worker, pull = ffi.new("stepbus_worker *[1]"), '{"pull":true}'
call("stepbus_worker_start", engine, pull, #pull, worker)

local steps = structs("stepbus_step_event", batch_count)
local completions = structs("stepbus_completion", batch_count, { outcome = C.STEPBUS_OUTCOME_SUCCESS, retry_after_ms = -1 })
local count = ffi.new("size_t[1]")
local done = 0
while done < step_count do
	call("stepbus_poll", worker[0], steps, batch_count, -1, count)
	for i = 0, tonumber(count[0]) - 1 do
		-- Each step succeeds, and its result is its input.
		ffi.copy(completions[i].step_id, steps[i].step_id, 16)
		completions[i].token = steps[i].token
		completions[i].result, completions[i].result_len = steps[i].input, steps[i].input_len
	end
	call("stepbus_complete", engine, completions, count[0], nil)
	done = done + tonumber(count[0])
end

local completed, filter = ffi.new("uint64_t[1]"), '{"state":"completed"}'
call("stepbus_step_count", engine, filter, #filter, completed)
print(("%d of %d steps are completed"):format(tonumber(completed[0]), step_count))
os.exit(completed[0] == step_count and 0 or 1, true)
