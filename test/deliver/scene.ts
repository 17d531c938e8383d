// A directory of its own for each test, messages to put into it, and the failure of a delivery.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { DeliveryError } from '../../src/errors.ts'

export * from './letters.ts'

export function directory(): string {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'popfetch-'))
  onTestFinished(() => fs.rmSync(made, { recursive: true, force: true }))
  return made
}

/** The DeliveryError that `work` rejects with. */
export async function failure(work: Promise<unknown>): Promise<DeliveryError> {
  const error: unknown = await work.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof DeliveryError)) throw error
  return error
}

/** Stops the clock of time limits until it is disposed of: time passes only as a test says. */
export function stoppedClock(): Disposable & { pass(ms: number): void } {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  return {
    pass: (ms) => void vi.advanceTimersByTime(ms),
    [Symbol.dispose]: () => void vi.useRealTimers(),
  }
}
