// SPDX-License-Identifier: MIT
// What tests share: an engine that is closed when its test ends, records of its log, and programs in
// processes of their own.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL, fileURLToPath } from 'node:url'
import { Stepbus } from '../lib/index.mjs'

export const library = pathToFileURL(fileURLToPath(new URL('../lib/index.mjs', import.meta.url))).href

/** An engine in memory, and what it logs. */
export async function open(t, options = {}) {
  const log = []
  const app = await Stepbus.open({ store: 'memory:', log: (record) => log.push(record), logLevel: 'debug', ...options })
  t.after(() => app.close({ timeout: 200 }))
  return { app, log }
}

/** A folder that goes away with its test. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'stepbus-node-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Runs a program; resolves to {code, signal, out, err}. `control` gets the process. */
export function run(t, source, { args = [], flags = [], env = {}, control } = {}) {
  const file = join(folder(t), 'program.mjs')
  writeFileSync(file, `import { Stepbus } from ${JSON.stringify(library)}\n${source}`)
  const child = spawn(process.execPath, [...flags, file, ...args], { env: { ...process.env, ...env } })
  const found = { out: '', err: '' }
  child.stdout.on('data', (data) => { found.out += data })
  child.stderr.on('data', (data) => { found.err += data })
  control?.(child, found)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`the program did not end\n${found.out}\n${found.err}`))
    }, 30000)
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      child.stdout.destroyed ? resolve({ ...found, code, signal }) : setImmediate(() => resolve({ ...found, code, signal }))
    })
  })
}

/** Waits until something is so; the clock of the test runner ends what never becomes so. */
export async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}

/** A promise with its ends. */
export function deferred() {
  const out = {}
  out.promise = new Promise((resolve, reject) => Object.assign(out, { resolve, reject }))
  return out
}
