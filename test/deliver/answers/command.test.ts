// Every way in which a delivery program can end: all 256 codes, signals, and what never began.
import { describe, expect, it } from 'vitest'
import { concludeProgram, type ProgramEnd } from '../../../src/deliver/answers/command.ts'

const usual: ProgramEnd = { code: 0, signal: null, ended: false, missing: false }
const codes = Array.from({ length: 256 }, (_, code) => code)

function told(end: Partial<ProgramEnd>): string {
  const answer = concludeProgram({ ...usual, ...end })
  return answer === null ? 'taken' : `${answer.conclusion} ${answer.scope} ${answer.exit}`
}

const ROWS: Readonly<Record<string, readonly number[]>> = {
  taken: [0],
  'BAD message 75': [65, 67, 68, 69, 76, 77],
  'ACT destination 73': [64, 66, 71, 72, 73, 74, 78, 126, 127],
  // 128 + n, of a shell whose program signal n ended.
  'LOST message 75': codes.filter((code) => code > 128 && code <= 192),
}

describe('a delivery program', () => {
  it.each(Object.entries(ROWS))('%s, of the codes %j', (leads, wanted) => {
    expect(codes.filter((code) => told({ code }) === leads)).toEqual(wanted)
  })

  it('defers the message with every other code, and equal ones count like answers', () => {
    const known = new Set(Object.values(ROWS).flat())
    const others = codes.filter((code) => !known.has(code))
    expect(new Set(others.map((code) => told({ code })))).toEqual(new Set(['TEMP message 75']))
    const answers = others.map((code) => concludeProgram({ ...usual, code }))
    expect(answers.every((answer) => answer?.counts)).toBe(true)
    expect(new Set(answers.map((answer) => answer?.same)).size).toBe(others.length)
  })

  it.each([
    ['that a signal ended may have delivered', { code: null, signal: 'SIGKILL' }, 'LOST message 75'],
    ['that we ended may have delivered, whatever its code', { code: 0, ended: true }, 'LOST message 75'],
    ['that we ended may have delivered, also where it says no', { code: 65, ended: true }, 'LOST message 75'],
    ['that nobody saw end may have delivered', { code: null }, 'LOST message 75'],
    ['that is not there has delivered nothing', { code: null, missing: true }, 'ACT destination 73'],
  ] as const)('%s', (_, end, leads) => {
    expect(told(end)).toBe(leads)
  })
})
