// SPDX-License-Identifier: MIT

// A Go host that runs its steps itself: go run pull.go, with stepbus where pkg-config finds it.
package main

// #cgo pkg-config: stepbus
// #include <string.h>
// #include <stepbus.h>
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

const (
	stepCount  = 1000
	batchCount = 256
)

// Texts that structs point at lie in memory of C, as long as the program runs.
var (
	config    = C.CString(`{"store":"memory:"}`)
	echo      = C.CString("echo")
	hello     = C.CString("hello")
	pulling   = C.CString(`{"pull":true}`)
	completed = C.CString(`{"state":"completed"}`)
)

// run calls with room for a message, and makes an error of it.
func run(call func(e *C.stepbus_error) C.stepbus_status) error {
	e := C.stepbus_error{size: C.sizeof_stepbus_error}
	if status := call(&e); status != C.STEPBUS_OK {
		return fmt.Errorf("%s: %s", C.GoString(C.stepbus_status_name(status)), C.GoString(&e.message[0]))
	}
	return nil
}

func open() (engine *C.stepbus, err error) {
	options := C.stepbus_options{size: C.sizeof_stepbus_options, config: config, config_len: C.strlen(config)}
	err = run(func(e *C.stepbus_error) C.stepbus_status { return C.stepbus_open(&options, &engine, e) })
	return engine, err
}

func enqueue(engine *C.stepbus) error {
	specs := make([]C.stepbus_step_spec, stepCount)
	for i := range specs {
		specs[i] = C.stepbus_step_spec{
			size: C.sizeof_stepbus_step_spec, handler_name: echo, handler_name_len: C.strlen(echo),
			input: unsafe.Pointer(hello), input_len: C.strlen(hello),
		}
	}
	return run(func(e *C.stepbus_error) C.stepbus_status {
		return C.stepbus_step_enqueue(engine, &specs[0], stepCount, nil, e)
	})
}

// pull runs the next steps: each succeeds, and its result is its input.
func pull(engine *C.stepbus, worker *C.stepbus_worker) (int, error) {
	var steps [batchCount]C.stepbus_step_event
	var completions [batchCount]C.stepbus_completion
	var count C.size_t
	steps[0].size = C.sizeof_stepbus_step_event
	if err := run(func(e *C.stepbus_error) C.stepbus_status {
		return C.stepbus_poll(worker, &steps[0], batchCount, -1, &count, e)
	}); err != nil {
		return 0, err
	}
	for i, step := range steps[:count] {
		completions[i] = C.stepbus_completion{
			size: C.sizeof_stepbus_completion, outcome: C.STEPBUS_OUTCOME_SUCCESS, retry_after_ms: -1,
			step_id: step.step_id, token: step.token, result: step.input, result_len: step.input_len,
		}
	}
	return int(count), run(func(e *C.stepbus_error) C.stepbus_status {
		return C.stepbus_complete(engine, &completions[0], count, nil, e)
	})
}

func work(engine *C.stepbus) (count C.uint64_t, err error) {
	var worker *C.stepbus_worker
	handler := C.stepbus_handler_spec{
		size: C.sizeof_stepbus_handler_spec, flags: C.STEPBUS_HANDLER_PULLED, name: echo, name_len: C.strlen(echo),
	}
	if err = run(func(e *C.stepbus_error) C.stepbus_status {
		return C.stepbus_registry_register(C.stepbus_engine_registry(engine), &handler, e)
	}); err != nil {
		return 0, err
	}
	if err = enqueue(engine); err != nil {
		return 0, err
	}
	if err = run(func(e *C.stepbus_error) C.stepbus_status {
		return C.stepbus_worker_start(engine, pulling, C.strlen(pulling), &worker, e)
	}); err != nil {
		return 0, err
	}
	for done, some := 0, 0; done < stepCount; done += some {
		if some, err = pull(engine, worker); err != nil {
			return 0, err
		}
	}
	err = run(func(e *C.stepbus_error) C.stepbus_status {
		return C.stepbus_step_count(engine, completed, C.strlen(completed), &count, e)
	})
	return count, err
}

func main() {
	engine, err := open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	count, err := work(engine)
	C.stepbus_close(engine)
	if err != nil || count != stepCount {
		fmt.Fprintln(os.Stderr, count, "steps are completed:", err)
		os.Exit(1)
	}
	fmt.Println(count, "of", stepCount, "steps are completed")
}
