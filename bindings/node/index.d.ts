// SPDX-License-Identifier: MIT
/// <reference types="node" />

/** The names of the statuses of stepbus.h. */
export type StatusCode =
  | 'STEPBUS_EINVAL' | 'STEPBUS_ENOMEM' | 'STEPBUS_ENOTFOUND' | 'STEPBUS_EEXISTS' | 'STEPBUS_EINACTIVE'
  | 'STEPBUS_EFULL' | 'STEPBUS_EDELIVERY' | 'STEPBUS_EREENTRANT' | 'STEPBUS_ESEALED' | 'STEPBUS_ELIMIT'
  | 'STEPBUS_EFORKED' | 'STEPBUS_ESHUTDOWN' | 'STEPBUS_ETIMEDOUT' | 'STEPBUS_EBUSY' | 'STEPBUS_EALREADY'
  | 'STEPBUS_ESTALE' | 'STEPBUS_EHANDLER' | 'STEPBUS_ESYSTEM' | 'STEPBUS_ESTORE' | 'STEPBUS_ENOSPACE'
  | 'STEPBUS_EREADONLY' | 'STEPBUS_ECORRUPT' | 'STEPBUS_EVERSION' | 'STEPBUS_ENETWORK' | 'STEPBUS_ECANCELLED'

/** Something that stepbus could not do. */
export class StepbusError extends Error {
  constructor(code: StatusCode, message: string, options?: { cause?: unknown })
  readonly code: StatusCode
  readonly status: number
}

/** A step ended otherwise than with success; what result() rejects with. */
export class StepFailure extends StepbusError {
  readonly id: string
  readonly outcome: 'failure' | 'cancelled' | 'quarantined'
  /** The error's type, of an Error its name. */
  readonly type?: string
  readonly reason?: string
  readonly errorCode?: string
  readonly isRetryable: boolean
  readonly metadata?: Record<string, unknown>
}

export interface HandlerErrorOptions {
  /** How long to wait before the next attempt, in ms. */
  retryAfter?: number
  /** What the error is called; else its name. */
  type?: string
  code?: string | number
  metadata?: object
  cause?: unknown
}

/** Thrown by a handler: the attempt failed, and another may succeed. So does any other error. */
export class Retryable extends Error {
  constructor(message?: string, options?: HandlerErrorOptions)
}

/** Thrown by a handler: the step failed for good. */
export class Permanent extends Error {
  constructor(message?: string, options?: HandlerErrorOptions)
}

/** Thrown by a handler: run the step again after `delay` ms, without charging an attempt. */
export class Snooze extends Error {
  constructor(delay: number, message?: string)
  readonly delay: number
}

export type RetryKind = 'none' | 'fixed' | 'linear' | 'exponential' | 'fibonacci'
export type StepState =
  | 'waiting' | 'scheduled' | 'ready' | 'parked' | 'running' | 'completed' | 'failed' | 'cancelled' | 'quarantined'

/** All in milliseconds. */
export interface Timeouts {
  wait?: number
  attempt?: number
  total?: number
}

export interface RetryOptions {
  kind?: RetryKind
  base?: number
  cap?: number
  /** In percent. */
  jitter?: number
  attempts?: number
}

export interface UniqueOptions {
  key: string
  period?: number
  scope?: 'queue' | 'handler' | Array<'queue' | 'handler'>
  states?: StepState | StepState[]
}

export interface HandlerOptions {
  namespace?: string
  version?: string
  domain?: string
  description?: string
  capabilities?: string | string[]
  configSchema?: object
  /** The queues that may run it; else all. */
  queues?: string | string[]
  /** Who may enqueue it; else everybody. */
  callers?: string | string[]
  /** A number is the time of one attempt, in ms. */
  timeout?: number | Timeouts
  retry?: RetryOptions
  concurrency?: number
  ratePerMinute?: number
  override?: boolean
  default?: boolean
  versionFromInput?: boolean
}

export interface EnqueueOptions {
  namespace?: string
  version?: string
  queue?: string
  /** 1 to 10,000, the lowest first; 100 when not said. */
  priority?: number
  delay?: number
  /** A Date, or milliseconds since 1970. */
  runAt?: Date | number
  contentType?: string
  stepName?: string
  config?: object
  correlationId?: string
  traceparent?: string
  caller?: string
  tags?: string | string[]
  concurrencyKey?: string
  idempotencyKey?: string
  unique?: string | UniqueOptions
  timeout?: number | Timeouts
  retry?: RetryOptions
}

export interface NewStep {
  name: string
  input?: unknown
  options?: EnqueueOptions
}

export interface CompleteOptions {
  metadata?: object
  contentType?: string
}

export interface FailOptions {
  retryable?: boolean
  retryAfter?: number
  type?: string
  code?: string
  metadata?: object
}

export interface Checkpoint {
  /** Where to go on; JSON, or bytes. */
  cursor?: unknown
  partialResult?: unknown
  itemsProcessed?: number
}

/** One attempt of one step. */
export interface Step<Input = any> {
  readonly id: string
  readonly token: number
  readonly name: string
  readonly namespace: string
  readonly version: string
  readonly stepName: string
  readonly queue: string
  readonly correlationId: string
  readonly traceparent: string
  readonly config: any
  readonly contentType: string
  readonly input: Input
  readonly inputBuffer: Buffer
  /** What the last checkpoint said. */
  readonly cursor: any
  readonly cursorBuffer: Buffer
  readonly partialResult: any
  readonly partialResultBuffer: Buffer
  readonly itemsProcessed: number
  /** How long this attempt may take, in ms; 0: as long as it likes. */
  readonly timeout: number
  /** 1 for the first. */
  readonly attempt: number
  readonly retryCount: number
  readonly maxRetries: number
  readonly isAnswered: boolean
  /** Aborted when the step is cancelled, its time is over, its lease was lost or the worker is closed. */
  readonly signal: AbortSignal

  /** The step succeeded. Each answer resolves when it is durable, and rejects when it is refused. */
  complete(value?: unknown, options?: CompleteOptions): Promise<void>
  fail(error?: unknown, options?: FailOptions): Promise<void>
  /** Again after `delay` ms, without charging an attempt. */
  snooze(delay: number): Promise<void>
  /** Gives it back, as if it had not been handed out. */
  release(): Promise<void>
  /** Keeps what is done so far and ends the attempt; the next one goes on from there. */
  checkpoint(progress?: Checkpoint): Promise<void>
  /** Puts off silenceTimeoutMs; throws where the result would be refused, or may be (STEPBUS_EBUSY). */
  heartbeat(): void
}

export type Handler<Input = any, Output = unknown> = (input: Input, step: Step<Input>) => Output | Promise<Output>

export interface WorkerOptions {
  id?: string
  strategy?: 'fifo' | 'lifo' | 'priority' | 'weighted_random'
  /** Those to take steps from; else all. */
  queues?: string[]
  capabilities?: string[]
  blockSize?: number
  ageSharePercent?: number
  silenceTimeoutMs?: number
  starvationMs?: number
  metricsPeriodMs?: number
  /** How many steps may be out at once: 16. */
  concurrency?: number
  /** How many steps a loop takes at a time: 1. */
  prefetch?: number
}

export interface CloseOptions {
  /** How long to wait for the steps that run, in ms: 30,000. */
  timeout?: number
}

export interface WorkerMetrics {
  isStarving: number
  pendingCount: number
  waitingCount: number
  polledCount: number
  starvingCount: number
  oldestAgeMs: number
  newestAgeMs: number
  oldestStepId: string
}

export interface Worker extends AsyncIterable<Step> {
  readonly runningCount: number
  readonly isClosing: boolean
  /** Runs the registered handlers until the worker is closed. */
  run(): Promise<void>
  metrics(): WorkerMetrics
  close(options?: CloseOptions): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface LogRecord {
  level: 'debug' | 'info' | 'warn' | 'error'
  message: string
  [key: string]: unknown
}

/** The configuration of docs/CONFIGURATION.md, with keys as JavaScript writes them. */
export interface Config {
  /** "memory:", or the path of a file. */
  store: string
  durability?: 'memory' | 'process' | 'disk'
  leaseMs?: number
  heartbeatMs?: number
  pollMs?: number
  payloadLenMax?: number
  strictHandlers?: boolean
  retry?: { kind?: RetryKind; baseMs?: number; capMs?: number; jitterPercent?: number; attemptCountMax?: number }
  retention?: { completedMs?: number | null; failedMs?: number | null; cancelledMs?: number | null; sweepCountMax?: number }
  queues?: Record<string, QueueSettings>
  /** Gets what the library and this binding log; false: nobody does. Warnings go to stderr when not said. */
  log?: ((record: LogRecord) => void) | false
  logLevel?: LogRecord['level']
  /** A clock that stands still until clock.advance, from now on or from a time. */
  testClock?: boolean | Date | number
  [key: string]: unknown
}

export interface QueueSettings {
  concurrencyMax?: number
  keyConcurrencyMax?: number
  rateCount?: number
  ratePeriodMs?: number
  paused?: boolean
}

export interface StepFilter {
  state?: StepState | StepState[]
  queue?: string
  handler?: string
  handlerNamespace?: string
  tag?: string
  correlationId?: string
  createdFrom?: string | number
  createdTo?: string | number
  order?: 'newest' | 'oldest'
  limit?: number
  cursor?: string
}

export interface StepSummary {
  stepId: string
  state: StepState
  handler: string
  queue: string
  priority: number
  tags: string[]
  attemptCount: number
  createdAt: string
  [key: string]: unknown
}

export interface StepInfo extends StepSummary {
  /** As text, or as base64 where it is none. */
  input?: string
  result?: string
}

export interface Attempt {
  number: number
  token: string
  outcome: string
  errorType: string | null
  message: string | null
  errorCode: string | null
  backtrace: string | null
  [key: string]: unknown
}

export interface CronEntry {
  name: string
  expression: string
  zone?: string
  catchUp?: 'none' | 'one' | 'all'
  paused?: boolean
  step: { handler: string; input?: unknown; queue?: string; [key: string]: unknown }
}

export class Stepbus {
  private constructor()
  /** Opens a store, which is made where there is none. */
  static open(target: string | Config): Promise<Stepbus>

  /** Registers a handler; without one, the steps of this name are for a loop over a worker. */
  step<Input = any, Output = unknown>(name: string, handler: Handler<Input, Output>): this
  step<Input = any, Output = unknown>(name: string, options: HandlerOptions, handler?: Handler<Input, Output>): this
  step(name: string): this

  /** Resolves to the id of the step when it is durable. */
  enqueue(name: string, input?: unknown, options?: EnqueueOptions): Promise<string>
  /** All or none of them. */
  enqueueMany(steps: NewStep[]): Promise<string[]>
  /** Waits until a step is final: its result, or a StepFailure. */
  result<Output = any>(id: string, options?: { timeout?: number; signal?: AbortSignal }): Promise<Output>

  cancel(id: string): Promise<void>
  redrive(id: string): Promise<void>
  redriveAll(filter?: StepFilter): Promise<number>
  info(id: string): Promise<StepInfo>
  attempts(id: string): Promise<Attempt[]>
  list(filter?: StepFilter): Promise<{ steps: StepSummary[]; cursor: string | null }>
  count(filter?: StepFilter): Promise<number>
  stats(): Promise<any>
  handlers(): Promise<any[]>
  workers(): Promise<any[]>
  wake(): Promise<void>

  readonly queues: {
    list(): Promise<any[]>
    set(name: string, settings: QueueSettings): Promise<void>
    pause(name: string): Promise<void>
    resume(name: string): Promise<void>
  }
  readonly cron: {
    list(): Promise<any[]>
    set(entry: CronEntry): Promise<void>
    remove(name: string): Promise<void>
  }
  /** Only with testClock. */
  readonly clock: { advance(ms: number): Promise<void>; now(): Date }

  worker(options?: WorkerOptions): Worker
  /** Runs the registered handlers until stepbus is closed, with `signals` by SIGTERM or SIGINT. */
  run(options?: WorkerOptions & { signals?: boolean; drainMs?: number }): Promise<void>

  readonly isClosed: boolean
  close(options?: CloseOptions): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export const version: string
export function buildInfo(): any
