// Made-up mailboxes and what goes wrong with them: a server that lies, breaks or mixes up, a disk that fails, a ledger that cannot be
// written, a lease that is lost, an end in the middle. All of a world follows from its seed, so that it can be played twice.
import type { Scene } from '../scene.ts'
import { Dice, mendLineEnds, numbered, put } from './letters.ts'
import { CHANGES } from './world-changes.ts'
import { type Maker, step, type Step, WEIGHED } from './world-faults.ts'

export interface World {
  readonly seed: number
  readonly what: string
  begin(scene: Scene): void
  readonly steps: readonly Step[]
}

const NOTHING: Maker = () => step('nothing', 'all', () => {})

export function worldOf(seed: number): World {
  const die = new Dice(seed)
  const letters = numbered(die.one([31, 32, 33, 40, 70, 130]), 0, die)
  const account: string[] = []
  if (die.chance(0.6)) account.push(`delete: ${die.one(['after-delivery', 'after-delivery', '2d'])}`)
  if (die.chance(0.2)) account.push(`maxSize: ${die.one(['1KB', '2KB'])}`)
  const pace = die.chance(0.4) ? { chunkBytes: die.one([7, 50, 700, 1400]), pauseMs: 0 } : null
  const makers: Maker[] = []
  // A fault of the first poll, or of a later one; then what happens, or another fault.
  if (die.chance(0.2)) makers.push(NOTHING)
  makers.push(die.one(WEIGHED))
  if (die.chance(0.3)) makers.push(die.one(WEIGHED))
  makers.push(NOTHING, NOTHING)
  if (die.chance(0.7)) makers.push(NOTHING, die.one(CHANGES), NOTHING)
  makers.push(NOTHING)
  const isLarge = letters.some(({ bytes }) => bytes.length > 60_000)
  // One that is too large for the lane is alone on the line, where a size that is somewhat off is believed.
  const made = makers.map((make) => make(letters, die))
  const steps = isLarge ? made.map((each): Step => ({ ...each, agreement: 'end' })) : made
  // One that was found in the Maildir has CRLF for each LF, and a digest of that: it stays on the server.
  if (steps.some(({ agreement }) => agreement === 'end')) for (const { bytes } of letters) mendLineEnds(bytes)
  const what = `${letters.length} messages, ${[...account, pace === null ? '' : `in pieces of ${pace.chunkBytes}`].filter(Boolean).join(', ')}`
  return {
    seed,
    what: `${what}: ${steps.map((each) => each.what).join('; ')}`,
    begin(scene) {
      scene.account = account
      scene.server.faults.pace = pace
      put(scene, letters)
    },
    steps,
  }
}
