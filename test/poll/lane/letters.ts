// The messages of made-up worlds (worlds.ts), and the dice by which they are made.
import { FULL_BYTES, MOST_PLAIN_BYTES } from '../../../src/poll/lane/batch.ts'
import { dice } from '../../crash/sizes.ts'
import type { Scene } from '../scene.ts'

export interface Letter {
  readonly uidl: string
  readonly bytes: Buffer
}

export class Dice {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = dice(seed + 7)
    for (let warm = 0; warm < 5; warm++) this.#random()
  }

  /** From 0 up to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.#random() * count)
  }

  one<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('nothing to choose from')
    return item
  }

  chance(share: number): boolean {
    return this.#random() < share
  }
}

/** What a letter consists of, besides its number. The lane takes at most 64 KiB. */
const BODIES: readonly ((number: number, die: Dice) => string)[] = [
  (number) => `line ${number}\r\n`,
  () => '',
  () => '.\r\n',
  () => '..\r\n.\r\n...\r\n',
  (_, die) => `${'.'.repeat(die.below(5))}\r\n`.repeat(die.below(40)),
  () => 'a\r.\rb\n.\nc\n.\r\n',
  () => '\r\n\r\n\r\n',
  () => '\r\r\n.\r\r\n',
  (_, die) => `${'x'.repeat(die.below(3000))}\r\n`,
  (_, die) => `${'y'.repeat(76)}\r\n`.repeat(die.below(200)),
  () => 'Größe\u0000\u00ff\r\n',
]

function letterOf(number: number, die: Dice): Letter {
  const uidl = `uid-${number}`
  // Some begin with a dot, some are nothing but a line, some have no header.
  if (die.chance(0.04)) return { uidl, bytes: Buffer.from(die.one(['\r\n', '.\r\n', '.', 'x\r\n', '\r\n.\r\n'])) }
  const received = `Received: from a by b; Tue, ${10 + (number % 15)} Nov 2026 10:00:00 +0000`
  const head = [
    ...(die.chance(0.5) ? [received] : []),
    'From: Ada <ada@example.org>',
    `Subject: letter ${number}`,
    ...(die.chance(0.8) ? [`Message-ID: <${number}@example.org>`] : []),
    ...(die.chance(0.1) ? ['.dotted: yes'] : []),
    '',
    '',
  ].join('\r\n')
  const text = head + die.one(BODIES)(number, die)
  if (!die.chance(0.02)) return { uidl, bytes: Buffer.from(text, 'latin1') }
  const size = (64 << 10) + die.one([-2, 0, 2, 4000])
  return { uidl, bytes: Buffer.from(`${text}${'z'.repeat(size - text.length - 2)}\r\n`, 'latin1') }
}

/** Of all kinds, numbered from `from` on. */
export function numbered(count: number, from: number, die: Dice): readonly Letter[] {
  return Array.from({ length: count }, (_, at) => letterOf(from + at, die))
}

/** `sizeBytes`: at least 100. */
function sized(number: number, sizeBytes: number): Letter {
  const head = `From: Ada <ada@example.org>\r\nSubject: letter ${number}\r\n\r\n`
  return { uidl: `uid-${number}`, bytes: Buffer.from(`${head}${'w'.repeat(sizeBytes - head.length - 2)}\r\n`) }
}

/** As large as the lane takes, a byte less, or a byte more. */
function large(die: Dice): readonly Letter[] {
  return Array.from({ length: 34 }, (_, at) => sized(at, MOST_PLAIN_BYTES + die.one([-1, 0, 0, 1])))
}

/** A batch has 128 at most. */
const TOGETHER = [9, 16, 64, 127, 128, 129]

/** The answers to `together` of them fill a batch to its last byte, or are a byte shorter or longer; so do those to the next ones. */
function fitting(die: Dice, together: number): readonly Letter[] {
  const eachBytes = Math.floor(FULL_BYTES / together)
  const firstBytes = FULL_BYTES + die.one([-1, 0, 0, 1]) - eachBytes * (together - 1)
  return Array.from({ length: together * 3 }, (_, at) =>
    sized(at, sizeOfAnswer(at % together === 0 ? firstBytes : eachBytes)),
  )
}

/** How large the message is whose answer takes so many bytes on the wire. */
function sizeOfAnswer(bytes: number): number {
  const around = `+OK ${bytes - 20} octets\r\n.\r\n`.length
  return bytes - around
}

/** Most mailboxes have letters of all kinds. */
export function mailboxOf(seed: number, die: Dice): readonly Letter[] {
  const kind = seed % 10
  if (kind === 1) return fitting(die, TOGETHER[Math.floor(seed / 10) % TOGETHER.length] ?? 0)
  if (kind === 6) return large(die)
  return numbered(die.one([31, 32, 33, 40, 70, 130]), 0, die)
}

export function put(scene: Scene, letters: readonly Letter[]): void {
  for (const { uidl, bytes } of letters) scene.server.mailbox('alice').add(bytes, { uidl })
}

/** Each lone LF becomes a letter. */
export function mendLineEnds(bytes: Buffer): void {
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) if (bytes[at - 1] !== 13) bytes[at] = 0x6e
}
