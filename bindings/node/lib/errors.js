// SPDX-License-Identifier: MIT
// The errors that stepbus throws, and those that a handler throws to say what is to happen to its step.
'use strict'

// In the order of stepbus.h.
const NAMES = [
  'OK', 'EINVAL', 'ENOMEM', 'ENOTFOUND', 'EEXISTS', 'EINACTIVE', 'EFULL', 'EDELIVERY', 'EREENTRANT', 'ESEALED',
  'ELIMIT', 'EFORKED', 'ESHUTDOWN', 'ETIMEDOUT', 'EBUSY', 'EALREADY', 'ESTALE', 'EHANDLER', 'ESYSTEM', 'ESTORE',
  'ENOSPACE', 'EREADONLY', 'ECORRUPT', 'EVERSION', 'ENETWORK', 'ECANCELLED',
].map((name) => `STEPBUS_${name}`)
const statuses = new Map(NAMES.map((name, status) => [name, status]))

/** The name of a status: 3 is "STEPBUS_ENOTFOUND". */
const nameOf = (status) => NAMES[status] ?? 'STEPBUS_EUNKNOWN'

/** Something that stepbus could not do. `code` is the name of a status of stepbus.h, `status` its number. */
class StepbusError extends Error {
  constructor(code, message, options) {
    super(message, options)
    this.code = code
    this.status = statuses.get(code) ?? -1
  }

  /** What the addon rejected with, with the stack of who asked. */
  static from(error) {
    if (error instanceof StepbusError || !statuses.has(error?.code)) return error
    return new StepbusError(error.code, error.message)
  }
}

/** A step ended otherwise than with success; thrown by result(). */
class StepFailure extends StepbusError {
  constructor(code, message, details) {
    super(code, message)
    Object.assign(this, details)
  }
}

/** What a handler throws: with `retryAfter` in ms, and `type`, `code` and `metadata` as they are to be kept. */
class HandlerError extends Error {
  constructor(message, { retryAfter, type, code, metadata, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.retryAfter = retryAfter
    this.type = type
    this.metadata = metadata
    if (code !== undefined) this.code = code
  }
}

/** The attempt failed, and another may succeed. */
class Retryable extends HandlerError {}

/** The step failed for good. */
class Permanent extends HandlerError {}

/** Not now: run the step again after `delay` ms, without charging an attempt. */
class Snooze extends Error {
  constructor(delay, message = 'not now') {
    super(message)
    this.delay = delay
  }
}

for (const each of [StepbusError, StepFailure, Retryable, Permanent, Snooze]) {
  Object.defineProperty(each.prototype, 'name', { value: each.name, configurable: true, writable: true })
}

/** Refuses an argument. */
function invalid(message) {
  return new StepbusError('STEPBUS_EINVAL', message)
}

module.exports = { StepbusError, StepFailure, Retryable, Permanent, Snooze, NAMES, nameOf, invalid }
