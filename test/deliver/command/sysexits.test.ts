// What the end of a delivery program means (D090): every code, every way to end.
import { describe, expect, test } from 'vitest'
import type { Ending } from '../../../src/program.ts'
import { failureOf } from '../../../src/deliver/command/sysexits.ts'

function ending(facts: Partial<Ending>, words = ''): Ending {
  return { code: null, signal: null, ended: null, stdout: Buffer.alloc(0), stderr: Buffer.from(words), ...facts }
}

function classOf(code: number): string {
  const failure = failureOf('command x', ending({ code }))
  return failure === null ? 'done' : `${failure.verdict} ${failure.scope}`
}

describe('an exit code', () => {
  test('of 0 is a delivery, and no other', () => {
    const done = Array.from({ length: 256 }, (_, code) => code).filter((code) => classOf(code) === 'done')
    expect(done).toEqual([0])
  })

  test('that says the message will never be taken refuses it: it is parked, not dropped', () => {
    const refused = Array.from({ length: 256 }, (_, code) => code).filter((code) => classOf(code).startsWith('refused'))
    expect(refused).toEqual([65, 67, 68, 69, 76, 77])
  })

  test('that says the next message would fare the same keeps all waiting', () => {
    const broken = Array.from({ length: 256 }, (_, code) => code).filter(
      (code) => classOf(code) === 'temporary destination',
    )
    expect(broken).toEqual([64, 66, 71, 72, 73, 74, 78, 126, 127])
  })

  test('of a shell whose program a signal ended is an answer that was lost', () => {
    const lost = Array.from({ length: 256 }, (_, code) => code).filter((code) => classOf(code) === 'unknown message')
    expect(lost).toEqual(Array.from({ length: 64 }, (_, at) => 129 + at))
  })

  test.each([1, 2, 63, 70, 75, 79, 125, 128, 193, 255])('of %i defers the message', (code) => {
    expect(classOf(code)).toBe('temporary message')
  })
})

test.each([
  [{ signal: 'SIGKILL' } as const, 'was ended by SIGKILL'],
  [{ ended: 'time limit' } as const, 'exceeded its time limit'],
  [{ ended: 'time limit', signal: 'SIGTERM' } as const, 'exceeded its time limit'],
  [{ ended: 'time limit', code: 0 } as const, 'exceeded its time limit'],
  [{ ended: 'abort', signal: 'SIGKILL' } as const, 'was killed, because popfetch was'],
])('%o: it may have delivered, so that is unknown', (facts, says) => {
  const failure = failureOf('command x', ending(facts))
  expect(failure).toMatchObject({ verdict: 'unknown', scope: 'message' })
  expect(failure?.message).toContain(says)
})

test('its last line is quoted, escaped and cut', () => {
  const words = `Traceback\n  line 1\nValueError: \u001b[31m${'x'.repeat(500)}\n\n`
  const message = failureOf('command x', ending({ code: 65 }, words))?.message ?? ''
  expect(message).toMatch(
    /^command x: it exited with 65 \(the message is wrong\) and said "ValueError: \\x1b\[31mx+…": it stays/,
  )
  expect(message.length).toBeLessThan(350)
  expect(failureOf('command x', ending({ code: 75 }))?.message).toBe(
    'command x: it exited with 75 (temporary failure): it will be tried again',
  )
})
