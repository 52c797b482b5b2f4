// SPDX-License-Identifier: MIT
// What a handler threw, as the library keeps it. Handlers throw anything, so nothing here may throw.
'use strict'

const { inspect } = require('node:util')
const { Permanent, Retryable } = require('./errors.js')

const CAUSE_COUNT_MAX = 8
const BACKTRACE_MAX = 65536
const MESSAGE_MAX = 65536

/** Reads a property that may be anything, a getter that throws included. */
function read(object, name) {
  try {
    return object[name]
  } catch {
    return undefined
  }
}

/** instanceof, of what may be a proxy that throws. */
function isA(value, type) {
  try {
    return value instanceof type
  } catch {
    return false
  }
}

function show(value) {
  try {
    return typeof value === 'string' ? value : inspect(value, { depth: 1, breakLength: Infinity })
  } catch {
    return `a ${typeof value} that cannot be shown`
  }
}

/** The stack of an error, and those of what caused it. */
function backtraceOf(error) {
  const stacks = []
  let at = error
  while (isA(at, Error) && stacks.length < CAUSE_COUNT_MAX) {
    const stack = read(at, 'stack')
    stacks.push(typeof stack === 'string' ? stack : show(at))
    at = read(at, 'cause')
  }
  if (at !== undefined && !isA(at, Error)) stacks.push(show(at))
  return stacks.join('\nCaused by: ').slice(0, BACKTRACE_MAX)
}

function jsonOf(metadata) {
  if (typeof metadata !== 'object' || metadata === null) return undefined
  try {
    const json = JSON.stringify(metadata)
    return json?.startsWith('{') ? json : undefined // the library takes objects only
  } catch {
    return undefined
  }
}

const nonEmpty = (value) => (typeof value === 'string' && value !== '' ? value : undefined)

/** {type, message, code, backtrace, metadata, isRetryable, retryAfter} of anything that was thrown. */
function describeFailure(thrown, options = {}) {
  const isError = isA(thrown, Error)
  const code = isError ? read(thrown, 'code') : undefined
  const retryAfter = options.retryAfter ?? (isA(thrown, Retryable) ? read(thrown, 'retryAfter') : undefined)
  return {
    type: options.type ?? (isError ? nonEmpty(read(thrown, 'type')) ?? nonEmpty(read(thrown, 'name')) ?? 'Error' : `thrown_${typeof thrown}`),
    message: (isError ? show(read(thrown, 'message')) : show(thrown)).slice(0, MESSAGE_MAX),
    code: options.code ?? (typeof code === 'string' || typeof code === 'number' ? String(code) : undefined),
    backtrace: isError ? backtraceOf(thrown) : undefined,
    metadata: jsonOf(options.metadata ?? (isError ? read(thrown, 'metadata') : undefined)),
    isRetryable: options.retryable ?? !isA(thrown, Permanent),
    retryAfter: Number.isSafeInteger(retryAfter) && retryAfter >= 0 ? retryAfter : -1,
  }
}

module.exports = { describeFailure, isA, read }
