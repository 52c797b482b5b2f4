// SPDX-License-Identifier: MIT
// A library that does not fit, put beside the addon in a copy of the package.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { folder } from './box.mjs'

const home = fileURLToPath(new URL('..', import.meta.url))
const header = fileURLToPath(new URL('../../../include/stepbus.h', import.meta.url))
const build = process.env.STEPBUS_NODE_BUILD || 'build'

/** A copy of the package with a library that was built from this source. */
function copyWith(t, source, { versions = true } = {}) {
  const path = folder(t)
  mkdirSync(join(path, build), { recursive: true })
  cpSync(join(home, 'lib'), join(path, 'lib'), { recursive: true })
  cpSync(join(home, build, 'stepbus.node'), join(path, build, 'stepbus.node'))
  const [c, map, library] = [join(path, 'fake.c'), join(path, 'fake.map'), join(path, build, 'libstepbus.so.0')]
  writeFileSync(c, source)
  writeFileSync(map, 'STEPBUS_0.1 { global: stepbus_*; local: *; };\n')
  execFileSync('cc', ['-shared', '-fPIC', '-Wl,-soname,libstepbus.so.0', ...(versions ? [`-Wl,--version-script,${map}`] : []), '-o', library, c])
  return path
}

/** What comes of loading it, as JSON {name, code, status, message}. */
function load(path) {
  const program = `try { require(${JSON.stringify(join(path, 'lib/index.js'))}); console.log('{}') } catch (e) { console.log(JSON.stringify({ name: e.name, code: e.code, status: e.status, message: e.message })) }`
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8', env: { ...process.env, LD_PRELOAD: '' } }))
}

const names = [...new Set([...readFileSync(header, 'utf8').matchAll(/^STEPBUS_API [^;]*?\b(stepbus_[a-z_]+)\(/gm)].map(([, name]) => name))]
const stubs = (left) => names.filter((name) => !left.includes(name)).map((name) => `int ${name}(void) { __builtin_trap(); }`).join('\n')

test('a library of another ABI is refused before anything is asked of it', { skip: build !== 'build' }, (t) => {
  const path = copyWith(t, `${stubs(['stepbus_abi_version', 'stepbus_version'])}\nunsigned stepbus_abi_version(void) { return 99; }\nconst char *stepbus_version(void) { return "9.9.9"; }\n`)
  const { name, code, status, message } = load(path)
  assert.deepEqual([name, code, status], ['StepbusError', 'STEPBUS_EVERSION', 23])
  assert.match(message, /built for version 0\.1\.0 .*ABI 0.* is version 9\.9\.9 \(ABI 99\): install the package anew/)
})

test('a library that lacks a function is refused when it is loaded', { skip: build !== 'build' }, (t) => {
  const path = copyWith(t, `${stubs(['stepbus_abi_version', 'stepbus_version', 'stepbus_poll'])}\nunsigned stepbus_abi_version(void) { return 0; }\nconst char *stepbus_version(void) { return "0.0.1"; }\n`)
  const { name, code, message } = load(path)
  assert.deepEqual([name, code], ['StepbusError', 'STEPBUS_EVERSION'])
  assert.match(message, /stepbus_poll/)
})

test('a library that is none of ours is refused', { skip: build !== 'build' }, (t) => {
  const { name, code } = load(copyWith(t, 'int nothing(void) { return 0; }\n', { versions: false }))
  assert.deepEqual([name, code], ['StepbusError', 'STEPBUS_EVERSION'])
})

test('a package without its native part says so', (t) => {
  const path = folder(t)
  cpSync(join(home, 'lib'), join(path, 'lib'), { recursive: true })
  const { name, code, message } = load(path)
  assert.deepEqual([name, code], ['StepbusError', 'STEPBUS_ENOTFOUND'])
  assert.match(message, /install the package anew/)
})
