// The messages of made-up worlds (worlds.ts), and the dice by which they are made.
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

export function numbered(count: number, from: number, die: Dice): readonly Letter[] {
  return Array.from({ length: count }, (_, at) => letterOf(from + at, die))
}

export function put(scene: Scene, letters: readonly Letter[]): void {
  for (const { uidl, bytes } of letters) scene.server.mailbox('alice').add(bytes, { uidl })
}

/** Each lone LF becomes a letter. */
export function mendLineEnds(bytes: Buffer): void {
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) if (bytes[at - 1] !== 13) bytes[at] = 0x6e
}
