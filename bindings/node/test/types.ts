// SPDX-License-Identifier: MIT
// Never run: the compiler checks it against index.d.ts. What is marked must not compile.
import { Stepbus, StepbusError, StepFailure, Retryable, Permanent, Snooze, version, type Step } from 'stepbus'

async function main(): Promise<void> {
  const app = await Stepbus.open({ store: 'jobs.db', durability: 'process', queues: { mail: { concurrencyMax: 2 } }, log: ({ level, message }) => console.log(level, message) })
  app
    .step('sync', (input: { n: number }) => input.n)
    .step('async', { retry: { kind: 'fixed', base: 10 }, timeout: { total: 1000 } }, async ({ n }: { n: number }, step) => {
      const signal: AbortSignal = step.signal
      if (signal.aborted) throw new Retryable('again', { retryAfter: 10, cause: signal.reason })
      await step.checkpoint({ cursor: n })
      throw n > 1 ? new Permanent('never') : new Snooze(10)
    })
    .step('loop')
  const id: string = await app.enqueue('sync', { n: 1 }, { runAt: new Date(), unique: { key: 'k', scope: ['queue'] }, tags: ['a'] })
  const ids: string[] = await app.enqueueMany([{ name: 'sync', input: { n: 1 }, options: { delay: 5 } }])
  const result = await app.result<number>(id, { timeout: 5, signal: AbortSignal.timeout(5) })
  const { steps, cursor } = await app.list({ state: ['failed'], limit: 3 })
  for await (const step of app.worker({ queues: ['mail'], concurrency: 3 })) {
    const each: Step = step
    await each.complete({ done: true })
    await each.fail(new Error('x'), { retryable: false })
  }
  try {
    await app.run({ signals: true, drainMs: 1000 })
  } catch (error) {
    if (error instanceof StepFailure) console.log(error.outcome, error.type)
    else if (error instanceof StepbusError && error.code === 'STEPBUS_EBUSY') console.log(error.status)
  }
  console.log(result.toFixed(), ids.length, steps[0]?.stepId, cursor, version, (await app.attempts(id))[0]?.backtrace, app.clock.now().getTime())
  // @ts-expect-error the option is called queue
  await app.enqueue('sync', 1, { qeue: 'x' })
  // @ts-expect-error there is no such strategy
  app.worker({ strategy: 'chaos' })
  // @ts-expect-error a handler is a function
  app.step('x', {}, 7)
  // @ts-expect-error it is made by open
  new Stepbus()
  await app.close({ timeout: 5 })
}

void main()
