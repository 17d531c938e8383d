import { expect, test } from 'vitest'
import type { Column } from '../../../src/pop3/listing/column.ts'
import { hashOf, UidlTable } from '../../../src/pop3/listing/uidl-table.ts'

/** Of FNV-1a: four bytes that differ by these leave the same behind, whatever the upper bits were before. */
const DIFFERENCES = [54, -172, 69, 27]
const BLOCKS = 8
const START = 0x41

/** Two UIDLs' worth of bytes that FNV-1a cannot tell apart after a state with this lowest byte, and the lowest byte then. */
function pair(lowest: number): { readonly blocks: readonly Buffer[]; readonly after: number } {
  const states = [lowest, lowest]
  const blocks = [Buffer.alloc(4), Buffer.alloc(4)]
  DIFFERENCES.forEach((difference, at) => {
    const apart = difference + (states[1] ?? 0) - (states[0] ?? 0)
    const base = Math.max(0, -apart)
    ;[base, base + apart].forEach((wanted, which) => {
      const state = states[which] ?? 0
      blocks[which]?.writeUInt8(state ^ wanted, at)
      states[which] = (wanted * 0x93) & 0xff
    })
  })
  return { blocks, after: states[0] ?? 0 }
}

function family(): Buffer[] {
  let uidls = [Buffer.alloc(0)]
  let lowest = START
  for (let count = 0; count < BLOCKS; count++) {
    const { blocks, after } = pair(lowest)
    uidls = uidls.flatMap((uidl) => blocks.map((block) => Buffer.concat([uidl, block])))
    lowest = after
  }
  return uidls
}

test('UIDLs are not made to collide by who guesses one byte of the seed (P096)', () => {
  const uidls = family()
  for (let upper = 0; upper < 64; upper++) {
    const seed = upper * 0x1ff_ff00 + START
    const hashes = new Set(uidls.map((uidl) => hashOf(uidl, 0, uidl.length, seed)))
    expect(hashes.size).toBeGreaterThan(uidls.length * 0.9)
  }
})

/** Rows that count upwards, but for one. */
function columnBut(rows: number, odd: number, uidl: string): Column {
  const uidls = Array.from({ length: rows }, (_, row) => (row === odd ? uidl : textOf(row)))
  const edges = new Uint32Array(rows + 1)
  for (const [row, text] of uidls.entries()) edges[row + 1] = (edges[row] ?? 0) + text.length + 1
  const texts = Buffer.from(uidls.map((text) => `${text}\n`).join(''), 'latin1')
  return { numbers: Uint32Array.from(uidls.keys(), (row) => row + 1), edges, texts }
}

function textOf(row: number): string {
  return (1000 + row).toString(16)
}

function tableOf(column: Column, rowsPerTurn: number): UidlTable {
  const steps = UidlTable.of(column, rowsPerTurn)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

test('a UIDL that one before it has is told wherever it stands among those that count upwards (P095)', () => {
  for (let odd = 1; odd < 520; odd++) {
    for (const rowsPerTurn of [20_000, 300]) {
      const table = tableOf(columnBut(520, odd, textOf(odd - 1)), rowsPerTurn)
      expect([...table.copies]).toEqual([[odd, 1]])
      expect([...table.firsts]).toEqual([odd - 1])
    }
  }
})

test('each row is found by its UIDL, and an odd one too, wherever it stands among those that count upwards', () => {
  for (const uidl of ['', 'odd', 'an odd one that is longer', '\xff'])
    for (const odd of [0, 1, 249, 250, 251, 252, 499, 500, 501, 519]) {
      const table = tableOf(columnBut(520, odd, uidl), 300)
      expect(table.copies.size).toBe(0)
      const found = Array.from({ length: 520 }, (_, row) =>
        table.find(Buffer.from(row === odd ? uidl : textOf(row), 'latin1')),
      )
      expect(found).toEqual(Array.from(found.keys(), (row) => (row === odd && uidl === '' ? -1 : row)))
      expect(table.find(Buffer.from('nobody has it'))).toBe(-1)
    }
})
