// Made-up mailboxes and what goes wrong with them: a server that lies, breaks or mixes up, a disk that fails, a ledger that cannot be
// written, a lease that is lost, an end in the middle. All of a world follows from its seed, so that it can be played twice.
import { MOST_PLAIN_BYTES } from '../../../src/poll/lane/batch.ts'
import type { Scene } from '../scene.ts'
import { Dice, mailboxOf, mendLineEnds, put } from './letters.ts'
import { CHANGES } from './world-changes.ts'
import { type Maker, MOST_OFF_BYTES, step, type Step, WEIGHED } from './world-faults.ts'

export interface World {
  readonly seed: number
  readonly what: string
  begin(scene: Scene): void
  readonly steps: readonly Step[]
}

/** Of all messages of a mailbox. */
const MOST_PIECES = 10_000

const NOTHING: Maker = () => step('nothing', 'all', () => {})

export function worldOf(seed: number): World {
  const die = new Dice(seed)
  const letters = mailboxOf(seed, die)
  const account: string[] = []
  if (die.chance(0.6)) account.push(`delete: ${die.one(['after-delivery', 'after-delivery', '2d'])}`)
  const maxSize = die.chance(0.2) ? die.one(['1KB', '2KB']) : null
  // Not where nothing would be fetched.
  if (maxSize !== null && letters.some(({ bytes }) => bytes.length < 1000)) account.push(`maxSize: ${maxSize}`)
  const totalBytes = letters.reduce((sum, { bytes }) => sum + bytes.length, 0)
  // Each piece takes a turn of the event loop.
  const pace = die.chance(0.4)
    ? { chunkBytes: Math.max(die.one([7, 50, 700, 1400]), Math.ceil(totalBytes / MOST_PIECES)), pauseMs: 0 }
    : null
  const makers: Maker[] = []
  // A fault of the first poll, or of a later one; then what happens, or another fault.
  if (die.chance(0.2)) makers.push(NOTHING)
  makers.push(die.one(WEIGHED))
  if (die.chance(0.3)) makers.push(die.one(WEIGHED))
  makers.push(NOTHING, NOTHING)
  if (die.chance(0.7)) makers.push(NOTHING, die.one(CHANGES), NOTHING)
  makers.push(NOTHING)
  const isLarge = letters.some(({ bytes }) => bytes.length + MOST_OFF_BYTES > MOST_PLAIN_BYTES)
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
