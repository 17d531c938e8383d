import { expect, test } from 'vitest'
import { hashOf } from '../../../src/pop3/listing/uidl-table.ts'

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
