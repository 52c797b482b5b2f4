// SPDX-License-Identifier: MIT
// What inputs, results and cursors are as bytes: a Buffer stays what it is, nothing (undefined) is no
// bytes, and everything else is JSON.
'use strict'

const BINARY = 'application/octet-stream'

/** A string (JSON), a Uint8Array, or undefined. Throws a TypeError where a value is neither. */
function encode(value) {
  if (value === undefined) return undefined
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Uint8Array) return value
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    if (value instanceof ArrayBuffer) return new Uint8Array(value)
  }
  const json = JSON.stringify(value)
  if (json === undefined) throw new TypeError(`a ${typeof value} cannot be kept as JSON`)
  return json
}

/** What JSON.stringify makes of a value that was made elsewhere: text; else undefined. */
const isJson = (type) => type === '' || type === 'application/json' || type.endsWith('+json')

/** The value that bytes with this type stand for. */
function decode(buffer, start, length, type) {
  if (length === 0) return isJson(type) ? undefined : Buffer.alloc(0)
  if (isJson(type)) return JSON.parse(buffer.toString('utf8', start, start + length))
  return buffer.subarray(start, start + length)
}

/** The same of bytes of which nobody said what they are: JSON where they can be read as such. */
function guess(buffer, start, length) {
  if (length === 0) return undefined
  try {
    return JSON.parse(buffer.toString('utf8', start, start + length))
  } catch {
    return buffer.subarray(start, start + length)
  }
}

module.exports = { encode, decode, guess, isJson, BINARY }
