import { describe, expect, test } from 'vitest'
import { assert, array, constantFrom, integer, property } from 'fast-check'
import { wrapped, wrappedLine } from '../../../src/cli/terminal/wrapped.ts'
import { cellsOf } from '../../../src/cli/terminal/width.ts'

test('text is broken between words, and a word that is too long has a line of its own', () => {
  expect(wrapped('one two three', 7)).toEqual(['one two', 'three'])
  expect(wrapped('a incomprehensible b', 5)).toEqual(['a', 'incomprehensible', 'b'])
  expect(wrapped('', 7)).toEqual([])
})

describe('a line for a terminal', () => {
  test('stays as it is where it fits', () => {
    expect(wrappedLine('work: 12 messages', 20)).toEqual(['work: 12 messages'])
  })

  test('goes on below, set in', () => {
    expect(wrappedLine('work: one two three four five six', 20)).toEqual(['work: one two three', '  four five six'])
  })

  test('that is set in goes on two cells further', () => {
    expect(wrappedLine('  warning: one two three', 20)).toEqual(['  warning: one two', '    three'])
  })

  test('in columns goes on in its column', () => {
    expect(wrappedLine('  likely   the server is busy or away', 24)).toEqual([
      '  likely   the server is',
      '           busy or away',
    ])
  })

  test('does not break a command that fits into one line', () => {
    expect(wrappedLine('work: message 1 was refused: see popfetch state list work --refused', 40)).toEqual([
      'work: message 1 was refused: see',
      '  popfetch state list work --refused',
    ])
    const text = 'the server is away: "popfetch check --verbose work" shows more, or wait'
    expect(wrappedLine(text, 40)).toEqual([
      'the server is away:',
      '  "popfetch check --verbose work" shows',
      '  more, or wait',
    ])
  })

  test('counts cells, not characters', () => {
    expect(wrappedLine('Subject 发票已到 发票已到 发票已到', 24)).toEqual(['Subject 发票已到', '  发票已到 发票已到'])
  })

  test('on a terminal that is hardly one stays as it is', () => {
    expect(wrappedLine('work: one two three four five six', 10)).toHaveLength(1)
  })

  test('has no part wider than the terminal where words allow it, and loses no word', () => {
    const words = constantFrom('work:', 'popfetch', 'check', '发票', 'a', '--verbose', 'see', '"no"', '(x)', 'end,')
    assert(
      property(array(words, { minLength: 1, maxLength: 40 }), integer({ min: 20, max: 90 }), (parts, width) => {
        const lines = wrappedLine(parts.join(' '), width)
        for (const line of lines) expect(cellsOf(line)).toBeLessThanOrEqual(width)
        expect(lines.map((line) => line.trim()).join(' ')).toBe(parts.join(' '))
      }),
    )
  })
})
