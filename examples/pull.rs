// SPDX-License-Identifier: MIT
//! A Rust host that runs its steps itself, without a crate. A struct says its size, so that a declaration
//! may end where its use ends; only elements of arrays are as long as those of stepbus.h.
use std::ffi::CStr;
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::ptr::{null_mut, NonNull};
use std::{error::Error, process::ExitCode};

#[repr(C)]
#[derive(Clone, Copy)]
struct Bytes {
    at: *const u8,
    len: usize,
}

impl From<&'static str> for Bytes {
    fn from(text: &'static str) -> Self {
        Bytes { at: text.as_ptr(), len: text.len() }
    }
}

/// A struct of the interface: the size first, then what is zero where it is not said.
macro_rules! declare {
    ($name:ident { $($field:ident: $type:ty),* }) => {
        #[repr(C)]
        #[derive(Clone, Copy)]
        struct $name { size: u32, $($field: $type),* }
        impl $name {
            fn new() -> Self {
                // Zero is a value of every field: they are numbers, pointers and arrays of these.
                let zero: Self = unsafe { std::mem::zeroed() };
                $name { size: size_of::<$name>() as u32, ..zero }
            }
        }
    };
}
declare!(Failure { code: i32, message: [c_char; 1016] });
declare!(Options { flags: u32, config: Bytes });
declare!(HandlerSpec { flags: u32, name: Bytes });
declare!(StepSpec { flags: u32, handler: Bytes, names: [usize; 6], input: Bytes, rest: [usize; 31] });
declare!(StepEvent { flags: u32, step_id: [u8; 16], task_id: [u8; 16], token: u64, retries: [u32; 2],
    names: [usize; 10], input: Bytes, rest: [usize; 16] });
declare!(Completion { outcome: i32, step_id: [u8; 16], task_id: [u8; 16], token: u64, time_us: i64,
    retry_after_ms: i64, is_retryable: u64, names: [usize; 8], result: Bytes, rest: [usize; 15] });

const HANDLER_PULLED: u32 = 8;
const OUTCOME_SUCCESS: i32 = 1;

#[link(name = "stepbus")]
extern "C" {
    fn stepbus_status_name(code: i32) -> *const c_char;
    fn stepbus_open(options: &Options, out: &mut *mut c_void, err: &mut Failure) -> i32;
    fn stepbus_close(engine: *mut c_void);
    fn stepbus_engine_registry(engine: *mut c_void) -> *mut c_void;
    fn stepbus_registry_register(registry: *mut c_void, spec: &HandlerSpec, err: &mut Failure) -> i32;
    fn stepbus_step_enqueue(engine: *mut c_void, specs: *const StepSpec, count: usize, out: *mut c_void,
        err: &mut Failure) -> i32;
    fn stepbus_worker_start(engine: *mut c_void, config: *const u8, len: usize, out: &mut *mut c_void,
        err: &mut Failure) -> i32;
    fn stepbus_poll(worker: *mut c_void, events: *mut StepEvent, count_max: usize, timeout_ms: i64,
        count: &mut usize, err: &mut Failure) -> i32;
    fn stepbus_complete(engine: *mut c_void, completions: *const Completion, count: usize, each: *mut i32,
        err: &mut Failure) -> i32;
    fn stepbus_step_count(engine: *mut c_void, filter: *const u8, len: usize, count: &mut u64,
        err: &mut Failure) -> i32;
}

/// Calls with room for a message, and makes an error of it.
fn call(function: impl FnOnce(&mut Failure) -> i32) -> Result<(), Box<dyn Error>> {
    let mut failure = Failure::new();
    let status = function(&mut failure);
    if status == 0 {
        return Ok(());
    }
    let text = |at| unsafe { CStr::from_ptr(at) }.to_string_lossy();
    Err(format!("{}: {}", text(unsafe { stepbus_status_name(status) }), text(failure.message.as_ptr())).into())
}

/// Closed with the last of its uses, and its workers with it.
struct Engine(NonNull<c_void>);

impl Engine {
    fn open(config: &'static str) -> Result<Engine, Box<dyn Error>> {
        let (options, mut out) = (Options { config: config.into(), ..Options::new() }, null_mut());
        call(|err| unsafe { stepbus_open(&options, &mut out, err) })?;
        Ok(Engine(NonNull::new(out).ok_or("there is no engine")?))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        unsafe { stepbus_close(self.0.as_ptr()) }
    }
}

/// Each step succeeds, and its result is its input.
fn run(step: &StepEvent) -> Completion {
    let StepEvent { step_id, token, input, .. } = *step;
    Completion { outcome: OUTCOME_SUCCESS, step_id, token, result: input, retry_after_ms: -1, ..Completion::new() }
}

fn pull(step_count: usize) -> Result<u64, Box<dyn Error>> {
    let owner = Engine::open(r#"{"store":"memory:"}"#)?;
    let engine = owner.0.as_ptr();
    let echo = HandlerSpec { flags: HANDLER_PULLED, name: "echo".into(), ..HandlerSpec::new() };
    call(|err| unsafe { stepbus_registry_register(stepbus_engine_registry(engine), &echo, err) })?;
    let specs = vec![StepSpec { handler: "echo".into(), input: "hello".into(), ..StepSpec::new() }; step_count];
    call(|err| unsafe { stepbus_step_enqueue(engine, specs.as_ptr(), specs.len(), null_mut(), err) })?;

    let (mut worker, config) = (null_mut(), r#"{"pull":true}"#);
    call(|err| unsafe { stepbus_worker_start(engine, config.as_ptr(), config.len(), &mut worker, err) })?;
    let mut steps = vec![StepEvent::new(); 256];
    let mut done = 0;
    while done < step_count {
        let mut count = 0;
        call(|err| unsafe { stepbus_poll(worker, steps.as_mut_ptr(), steps.len(), -1, &mut count, err) })?;
        let completions: Vec<_> = steps[..count].iter().map(run).collect();
        call(|err| unsafe { stepbus_complete(engine, completions.as_ptr(), count, null_mut(), err) })?;
        done += count;
    }

    let (mut count, filter) = (0, r#"{"state":"completed"}"#);
    call(|err| unsafe { stepbus_step_count(engine, filter.as_ptr(), filter.len(), &mut count, err) })?;
    Ok(count)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let step_count = 1000;
    let count = pull(step_count)?;
    println!("{count} of {step_count} steps are completed");
    Ok(if count == step_count as u64 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
