// SPDX-License-Identifier: MIT
// Records: the JavaScript side of src/record.h. A Pack writes them, in the order that the addon says;
// positions tell where the fields of one are.
'use strict'

const native = require('./native.js')

const WORDS = [2, 2, 1, 4] // of a text, a 64-bit and a 32-bit number, an id
const TEXT = 0
const TWO32 = 4294967296
const SHORT = 32

/** Where each field of a record begins, in words; `stride` is the length of a record. */
function positionsOf(layout) {
  const at = {}
  let stride = 0
  for (const [name, kind] of layout) {
    at[name] = stride
    stride += WORDS[kind]
  }
  return { at, stride, texts: layout.filter(([, kind]) => kind === TEXT).map(([name]) => at[name]) }
}

const layouts = {}
for (const name of Object.keys(native.layouts)) layouts[name] = positionsOf(native.layouts[name])

/** Records that are written one after the other, to be sent in one call. */
class Pack {
  constructor(layout) {
    this.stride = layout.stride
    this.texts = layout.texts
    this.words = new Uint32Array(layout.stride * 16)
    this.bytes = Buffer.allocUnsafe(4096)
    this.count = 0
    this.used = 0
  }

  /** Begins a record, all of it zero, and says where it is. */
  begin() {
    const base = this.count * this.stride
    if (base + this.stride > this.words.length) {
      const words = new Uint32Array(this.words.length * 2)
      words.set(this.words)
      this.words = words
    } else {
      this.words.fill(0, base, base + this.stride)
    }
    this.count++
    return base
  }

  #reserve(length) {
    if (this.used + length <= this.bytes.length) return
    const bytes = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.used + length))
    this.bytes.copy(bytes, 0, 0, this.used)
    this.bytes = bytes
  }

  /** Short texts are written here: a call into Node costs more than that. */
  #writeShort(text) {
    const { bytes, used } = this
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127) return bytes.write(text, used)
      bytes[used + i] = code
    }
    return text.length
  }

  text(at, text) {
    if (typeof text !== 'string') throw new TypeError(`a text is needed, not a ${typeof text}`)
    this.#reserve(text.length * 3)
    const length = text.length <= SHORT ? this.#writeShort(text) : this.bytes.write(text, this.used)
    this.words[at] = this.used
    this.words[at + 1] = length
    this.used += length
  }

  raw(at, bytes) {
    this.#reserve(bytes.length)
    this.bytes.set(bytes, this.used)
    this.words[at] = this.used
    this.words[at + 1] = bytes.length
    this.used += bytes.length
  }

  int64(at, number) {
    this.words[at] = number >>> 0
    this.words[at + 1] = Math.floor(number / TWO32) >>> 0
  }

  /** Copies the record with this number out of another pack. */
  take(other, number) {
    const from = number * this.stride
    const base = this.begin()
    this.words.set(other.words.subarray(from, from + this.stride), base)
    for (const at of this.texts) {
      const offset = other.words[from + at]
      const length = other.words[from + at + 1]
      if (length > 0) this.raw(base + at, other.bytes.subarray(offset, offset + length))
    }
  }

  /** What the addon wants. */
  get records() {
    return this.words.subarray(0, this.count * this.stride)
  }

  get texts8() {
    return this.bytes.subarray(0, this.used)
  }

  clear() {
    this.count = 0
    this.used = 0
  }
}

/** Reads a 64-bit number; above 2^53 it is not exact. */
const readInt64 = (words, at) => (words[at + 1] | 0) * TWO32 + words[at]

module.exports = { Pack, layouts, readInt64 }
