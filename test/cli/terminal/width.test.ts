import { describe, expect, test } from 'vitest'
import { array, assert, integer, property, string } from 'fast-check'
import { cellsOf, padded, shortened, shortenedInside } from '../../../src/cli/terminal/width.ts'

test.each([
  ['nothing', '', 0],
  ['ASCII', 'work', 4],
  ['letters with accents of their own', 'Müller', 6],
  ['an accent that stands on another letter', 'Mu\u0308ller', 6],
  ['Chinese', '发票', 4],
  ['Korean', '청구서', 6],
  ['wide forms of Latin letters', '\uff21\uff22', 4],
  ['an emoji', '🎉', 2],
  ['Arabic', 'فاتورة', 6],
  ['an arrow', '→…', 2],
])('%s has its cells', (_, text, cells) => {
  expect(cellsOf(text)).toBe(cells)
})

test('a text is filled up to its cells, on either side, and never cut by that', () => {
  expect([padded('发票', 6), padded('发票', 6, 'right'), padded('work', 2)]).toEqual(['发票  ', '  发票', 'work'])
})

describe('a text that is too wide is cut', () => {
  test('at its end', () => {
    expect([shortened('work', 4), shortened('work', 3), shortened('发票已到', 5), shortened('work', 0)]).toEqual([
      'work',
      'wo…',
      '发票…',
      '',
    ])
  })

  test('in its middle, where names differ at their ends', () => {
    expect(shortenedInside('customer-mail-0001', 11)).toBe('custo…-0001')
    expect([shortenedInside('work', 4), shortenedInside('work', 0)]).toEqual(['work', ''])
  })

  test('and fits then, whatever it is', () => {
    assert(
      property(array(string({ unit: 'grapheme' }), { maxLength: 20 }), integer({ min: 1, max: 30 }), (parts, most) => {
        for (const cut of [shortened, shortenedInside])
          expect(cellsOf(cut(parts.join(''), most))).toBeLessThanOrEqual(most)
      }),
    )
  })
})
