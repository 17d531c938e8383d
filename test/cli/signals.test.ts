import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { watchInterruptions } from '../../src/cli/signals.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  process.removeAllListeners('SIGINT')
  process.removeAllListeners('SIGTERM')
  vi.useRealTimers()
})

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('the first %s aborts, and ends the process only after ten seconds', (name, code) => {
  const exits: number[] = []
  const interruptions = watchInterruptions((exit) => exits.push(exit))
  expect([interruptions.signal.aborted, interruptions.code()]).toEqual([false, null])
  process.emit(name, name)
  expect([interruptions.signal.aborted, interruptions.code()]).toEqual([true, code])
  expect(interruptions.signal.reason).toMatchObject({ code: 'ERR_ABORTED', message: `stopped by ${name}` })
  vi.advanceTimersByTime(9_999)
  expect(exits).toEqual([])
  vi.advanceTimersByTime(1)
  expect(exits).toEqual([code])
})

test('a second signal ends the process at once, with the code of the first', () => {
  const exits: number[] = []
  watchInterruptions((exit) => exits.push(exit))
  process.emit('SIGTERM', 'SIGTERM')
  process.emit('SIGINT', 'SIGINT')
  expect(exits).toEqual([143])
})
