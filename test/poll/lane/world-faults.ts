// What can go wrong with a poll. What exactly does follows from the dice.
import { rmSync } from 'node:fs'
import type { PollOptions } from '../../../src/poll/report.ts'
import type { Call, FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import type { Answer, Faults, ServedSession } from '../../support/faults.ts'
import { stuff } from '../../support/mailbox.ts'
import type { Scene } from '../scene.ts'
import { failing, withLease } from './faulty-ledgers.ts'
import type { Dice, Letter } from './letters.ts'

/** How far two roads are to agree about a poll. `all`: in all that they tell and do. `end`: only in what has become of the mailbox when
 *  all is well again, since the moment at which it happens is not the same. */
export type Agreement = 'all' | 'end'

/** What is between a poll and the world. */
export interface Stage {
  readonly scene: Scene
  readonly files: FaultyFileSystems
  readonly stop: AbortController
}

export interface Step {
  readonly what: string
  readonly agreement: Agreement
  /** Before the poll. */
  prepare(stage: Stage): void
  readonly options?: Partial<PollOptions>
}

/** Once for that message: what follows its status line. */
function body(faults: Faults, uidl: string, make: (bytes: Buffer) => Buffer | string, times = 1): void {
  let left = times
  faults.rawBody = (message) => {
    if (message.uidl !== uidl || left-- <= 0) return null
    const made = make(message.bytes)
    return typeof made === 'string' ? Buffer.from(made, 'latin1') : made
  }
}

function onRetr(faults: Faults, number: number, act: () => Answer): void {
  faults.onCommand = (verb, args) => (verb === 'RETR' && args === String(number) ? act() : 'serve')
}

/** As it is on the wire, without its end. */
function wire(bytes: Buffer): string {
  return stuff(bytes).toString('latin1')
}

/** The answer to RETR as it is on the wire. */
function answerOf({ bytes }: Letter): Buffer {
  return Buffer.from(`+OK ${bytes.length} octets\r\n${wire(bytes)}.\r\n`, 'latin1')
}

/** By how much a size that is announced may be off. */
export const MOST_OFF_BYTES = 40_000

/** Longer than a session waits for a byte (60 s), and shorter. */
const DRIP_MS = 50_000
const REST_MS = 40_000
const MOST_DRIPS = 200

/** Bytes one by one, until the session is over. */
function drip(session: ServedSession, bytes: Buffer, at = 0): void {
  if (at >= Math.min(bytes.length, MOST_DRIPS)) return
  setTimeout(() => {
    session.write(bytes.subarray(at, at + 1))
    drip(session, bytes, at + 1)
  }, DRIP_MS)
}

const SILENCES: readonly (readonly [number, Maker])[] = [
  [
    2,
    (letters, die) => {
      const at = die.below(letters.length)
      const answer = answerOf(letters[at]!)
      const cut = die.one([0, 1, 4, answer.length - 1, answer.length - 3, die.below(answer.length)])
      const times = die.one([1, 1, 99])
      return step(`the server is silent behind byte ${cut} of uid-${at}, ${times} times`, 'end', ({ scene }) => {
        let left = times
        scene.server.faults.onCommand = (verb, args) => {
          if (verb !== 'RETR' || args !== String(at + 1) || left-- <= 0) return 'serve'
          return { answer: answer.subarray(0, cut), next: 'stall' }
        }
      })
    },
  ],
  [
    1,
    (letters, die) => {
      const at = die.below(letters.length)
      const answer = answerOf(letters[at]!)
      const cut = die.below(answer.length)
      return step(`from byte ${cut} of uid-${at} on a byte comes now and then`, 'end', ({ scene }) => {
        let left = 1
        scene.server.faults.onCommand = (verb, args, session) => {
          if (verb !== 'RETR' || args !== String(at + 1) || left-- <= 0) return 'serve'
          drip(session, answer.subarray(cut))
          return { answer: answer.subarray(0, cut), next: 'stall' }
        }
      })
    },
  ],
  [
    2,
    (letters, die) => {
      const at = die.below(letters.length)
      const answer = answerOf(letters[at]!)
      const cut = die.one([0, 1, answer.length - 1, answer.length - 4, die.below(answer.length)])
      return step(`the server rests behind byte ${cut} of uid-${at}, and goes on`, 'all', ({ scene }) => {
        scene.server.faults.onCommand = (verb, args, session) => {
          if (verb !== 'RETR' || args !== String(at + 1)) return 'serve'
          session.write(answer.subarray(0, cut))
          return new Promise((resolve) => {
            setTimeout(() => resolve(answer.subarray(cut)), REST_MS)
          })
        }
      })
    },
  ],
]

const REFUSALS = [
  '-ERR no such message',
  '-ERR',
  '-ERR [SYS/TEMP] not now',
  '-ERR [IN-USE] locked',
  '-ERR [SYS/PERM] damaged',
  '-err lower',
  '-ERROR what',
]
const STATUSES = [
  '+OK',
  '+OK ',
  '+ok fine',
  '+OK\tfine',
  '+OKAY',
  '+OK\rfine',
  `+OK ${'s'.repeat(700)}`,
  '+OK a\nb',
  '+',
]
const GARBAGE = ['', 'garbage', '*', '\u0000\u0000', '+ go on', `x${'y'.repeat(9000)}`, '.', 'OK']
const ERRNOS = ['ENOSPC', 'EIO', 'EROFS', 'EMFILE', 'EDQUOT', 'EACCES', 'ENOENT'] as const
const CALLS = ['open', 'write', 'futimes', 'fsync', 'close', 'link', 'unlink'] as const satisfies readonly Call[]

export type Maker = (letters: readonly Letter[], die: Dice) => Step

export function step(what: string, agreement: Agreement, prepare: Step['prepare'], options?: Step['options']): Step {
  return { what, agreement, prepare, ...(options === undefined ? {} : { options }) }
}

function failedCalls(forGood: boolean): Maker {
  return (_, die) => {
    const call = die.one(CALLS)
    const errno = die.one(ERRNOS)
    const nth = 1 + die.below(60)
    const what = `${call} number ${nth} fails with ${errno}${forGood ? ', and all after it' : ''}`
    return step(what, 'end', ({ files }) => {
      let count = 0
      files.before = (made) => {
        if (made !== call || ++count < nth || (!forGood && count > nth)) return
        throw Object.assign(new Error(`${errno}: made up, ${call}`), { code: errno })
      }
    })
  }
}

/** Each `[weight, maker]`. */
const FAULTS: readonly (readonly [number, Maker])[] = [
  ...SILENCES,
  [
    2,
    (letters, die) => {
      const at = die.below(letters.length)
      return step(`from uid-${at} on each answer is the one that was due before it`, 'all', ({ scene }) => {
        scene.server.faults.onCommand = (verb, args) => {
          const number = Number(args)
          const other = letters[number - 2]
          return verb === 'RETR' && number > at + 1 && other !== undefined ? answerOf(other) : 'serve'
        }
      })
    },
  ],
  [
    1,
    (letters, die) => {
      const at = die.below(letters.length)
      const other = letters[die.below(letters.length)]!
      return step(`the answer to uid-${at} comes with that of another behind it`, 'all', ({ scene }) => {
        const both = Buffer.concat([answerOf(letters[at]!), answerOf(other)])
        onRetr(scene.server.faults, at + 1, () => both)
      })
    },
  ],
  [
    3,
    ({ length }, die) => {
      const at = die.below(length)
      // Announced as too large for the lane, it would be alone on the line, where what is too short is judged otherwise.
      const by = die.one([-3, -2, -1, 1, 2, 5, 100, 5000, MOST_OFF_BYTES])
      return step(`uid-${at} is announced ${by} bytes off`, 'all', ({ scene }) => {
        scene.server.faults.listSize = ({ uidl, sizeBytes }) =>
          uidl === `uid-${at}` ? Math.max(0, sizeBytes + by) : sizeBytes
      })
    },
  ],
  [
    1,
    (_, die) => {
      const by = die.one([-2, -1, 1, 17])
      return step(`all sizes are ${by} off`, 'all', ({ scene }) => {
        scene.server.faults.listSize = ({ sizeBytes }) => Math.max(0, sizeBytes + by)
      })
    },
  ],
  [
    1,
    (_, die) => {
      const every = 2 + die.below(9)
      return step(`each size of ${every} is one off`, 'all', ({ scene }) => {
        scene.server.faults.listSize = ({ uidl, sizeBytes }) =>
          Number(uidl.slice(4)) % every === 0 ? sizeBytes + 1 : sizeBytes
      })
    },
  ],
  [
    3,
    ({ length }, die) => {
      const number = 1 + die.below(length)
      const text = die.one(REFUSALS)
      return step(`RETR ${number} is refused: ${text}`, 'all', ({ scene }) => {
        scene.server.faults.reply.set(`RETR ${number}`, text)
      })
    },
  ],
  [
    1,
    ({ length }, die) => {
      const from = 1 + die.below(length)
      const count = 1 + die.below(6)
      const text = die.one(REFUSALS)
      return step(`RETR ${from} and ${count} more are refused: ${text}`, 'all', ({ scene }) => {
        for (let at = 0; at <= count; at++) scene.server.faults.reply.set(`RETR ${from + at}`, text)
      })
    },
  ],
  [
    2,
    (letters, die) => {
      const at = die.below(letters.length)
      const status = die.one(STATUSES)
      return step(`uid-${at} comes behind the status ${JSON.stringify(status.slice(0, 12))}`, 'all', ({ scene }) => {
        const bytes = letters[at]!.bytes
        onRetr(scene.server.faults, at + 1, () => Buffer.from(`${status}\r\n${wire(bytes)}.\r\n`, 'latin1'))
      })
    },
  ],
  [
    1,
    ({ length }, die) => {
      const number = 1 + die.below(length)
      const text = die.one(GARBAGE)
      return step(`RETR ${number} is answered ${JSON.stringify(text.slice(0, 12))}`, 'all', ({ scene }) => {
        onRetr(scene.server.faults, number, () => text)
      })
    },
  ],
  [
    4,
    ({ length }, die) => {
      const at = die.below(length)
      const [what, make] = die.one<readonly [string, (bytes: Buffer) => string]>([
        ['more behind its end', (bytes) => `${wire(bytes)}.\r\nmore\r\n.\r\n`],
        ['+OK behind its end', (bytes) => `${wire(bytes)}.\r\n+OK\r\n`],
        ['-ERR behind its end', (bytes) => `${wire(bytes)}.\r\n-ERR gone\r\n`],
        ['half of it', (bytes) => `${wire(bytes.subarray(0, bytes.length >> 1))}\r\n.\r\n`],
        ['nothing', () => '.\r\n'],
        ['an end with bare LF first', (bytes) => `${wire(bytes)}.\n\r\n.\r\n`],
        ['a dot that is not doubled', (bytes) => `.alone\r\n${wire(bytes)}.\r\n`],
        ['an end of CR alone', (bytes) => `${wire(bytes)}.\r\r\n.\r\n`],
        ['two ends', (bytes) => `${wire(bytes)}.\r\n.\r\n`],
        ['another answer instead', () => 'Subject: forged\r\n\r\n.\r\n'],
        ['a whole answer inside', (bytes) => `${wire(bytes)}.\r\n+OK 3 octets\r\nx\r\n.\r\n`],
      ])
      return step(`uid-${at} comes with ${what}`, 'all', ({ scene }) => body(scene.server.faults, `uid-${at}`, make))
    },
  ],
  [
    2,
    (letters, die) => {
      const at = die.below(letters.length - 1)
      return step(`the answers of uid-${at} and the next one change places`, 'all', ({ scene }) => {
        scene.server.faults.rawBody = ({ uidl }) => {
          const other = uidl === `uid-${at}` ? letters[at + 1] : uidl === `uid-${at + 1}` ? letters[at] : undefined
          return other === undefined ? null : Buffer.from(`${wire(other.bytes)}.\r\n`, 'latin1')
        }
      })
    },
  ],
  [
    4,
    (letters, die) => {
      const total = letters.reduce((sum, { bytes }) => sum + bytes.length + 20, 0)
      const at = die.below(total)
      const mode = die.one(['fin', 'rst'] as const)
      return step(`the connection is cut (${mode}) at byte ${at}`, 'end', ({ scene }) => {
        Object.assign(scene.server.faults, { cutAfterBytes: at, cutMode: mode, cutTimes: 1 })
      })
    },
  ],
  [
    2,
    ({ length }, die) => {
      const number = 1 + die.below(length)
      const how = die.one(['drop', 'reset'] as const)
      const times = die.one([1, 1, 99])
      return step(`RETR ${number} ends the session (${how}), ${times} times`, 'end', ({ scene }) => {
        let left = times
        scene.server.faults.onCommand = (verb, args) =>
          verb === 'RETR' && args === String(number) && left-- > 0 ? how : 'serve'
      })
    },
  ],
  [
    1,
    (_, die) => {
      const verb = die.one(['DELE', 'QUIT', 'STAT', 'UIDL', 'LIST', 'PASS'])
      const how = die.one(['drop', '-ERR no', '-ERR [SYS/TEMP] no', 'reset'])
      return step(`${verb}: ${how}`, 'end', ({ scene }) => {
        scene.server.faults.onCommand = (said) => (said === verb ? how : 'serve')
      })
    },
  ],
  [2, failedCalls(false)],
  [2, failedCalls(true)],
  [
    1,
    (_, die) => {
      const freeBytes = 100_000_000 + die.below(200_000)
      return step(`${freeBytes} bytes are free`, 'end', ({ files }) => void (files.freeBytes = freeBytes))
    },
  ],
  [
    1,
    ({ length }, die) => {
      const number = 1 + die.below(length)
      return step(`tmp/ is gone at RETR ${number}`, 'end', ({ scene }) => {
        onRetr(scene.server.faults, number, () => {
          rmSync(scene.path('inbox/tmp'), { recursive: true, force: true })
          return 'serve'
        })
      })
    },
  ],
  [
    2,
    ({ length }, die) => {
      const number = 1 + die.below(length)
      return step(`it is stopped at RETR ${number}`, 'end', ({ scene, stop }) => {
        onRetr(scene.server.faults, number, () => {
          stop.abort()
          return 'serve'
        })
      })
    },
  ],
  [
    2,
    ({ length }, die) => {
      const number = 1 + die.below(length)
      return step(`the lease is lost at RETR ${number}`, 'end', ({ scene }) => {
        let isLost = false
        scene.ledgerOf = (ledger) => withLease(ledger, () => isLost)
        onRetr(scene.server.faults, number, () => {
          isLost = true
          return 'serve'
        })
      })
    },
  ],
  [
    2,
    ({ length }, die) => {
      const at = die.below(length)
      const change = die.one(['begin', 'settle'] as const)
      return step(`the ledger cannot ${change} uid-${at}`, 'end', ({ scene }) => {
        scene.ledgerOf = (ledger) => failing(ledger, change, `uid-${at}`)
      })
    },
  ],
  [
    1,
    (_, die) => {
      const limit = 1 + die.below(70)
      return step(`no more than ${limit}`, 'all', () => {}, { limit })
    },
  ],
  [
    1,
    (letters, die) => {
      const from = die.below(letters.length)
      return step(`LIST and RETR number them otherwise from uid-${from} on`, 'all', ({ scene }) => {
        scene.server.faults.uidlLine = (number, { uidl }) => {
          const at = Number(uidl.slice(4))
          const next = at < from ? uidl : `uid-${at + 1 < letters.length ? at + 1 : from}`
          return `${number} ${next}`
        }
      })
    },
  ],
  [
    1,
    ({ length }, die) => {
      const at = die.below(length)
      const line = die.one<(number: number, uidl: string) => string | null>([
        () => null,
        (number) => `${number} uid-0`,
        (number) => `${number}`,
        (number, uidl) => `${number}  ${uidl}`,
        (number, uidl) => `0${number} ${uidl}`,
        (_, uidl) => `x ${uidl}`,
        (number) => `${number} ${'u'.repeat(100)}`,
      ])
      return step(`UIDL says ${line(at + 1, 'U')} of uid-${at}`, 'all', ({ scene }) => {
        scene.server.faults.uidlLine = (number, { uidl }) =>
          uidl === `uid-${at}` ? line(number, uidl) : `${number} ${uidl}`
      })
    },
  ],
  [
    1,
    ({ length }, die) => {
      const at = die.below(length)
      const line = die.one<(number: number, size: number) => string | null>([
        () => null,
        (number) => `${number}`,
        (number) => `${number} -1`,
        (number) => `${number} 99999999999999999999`,
        (number, size) => `${number} ${size}x`,
        (number) => `${number} 0`,
      ])
      return step(`LIST says ${line(at + 1, 1)} of uid-${at}`, 'all', ({ scene }) => {
        scene.server.faults.listLine = (number, { uidl, sizeBytes }) =>
          uidl === `uid-${at}` ? line(number, sizeBytes) : `${number} ${sizeBytes}`
      })
    },
  ],
  [1, () => step('an empty listing', 'all', ({ scene }) => void (scene.server.faults.window = 0))],
  [
    1,
    ({ length }, die) => {
      const window = die.below(length)
      const windowEnd = die.one(['oldest', 'newest'] as const)
      return step(`only the ${windowEnd} ${window} are listed`, 'all', ({ scene }) => {
        Object.assign(scene.server.faults, { window, windowEnd })
      })
    },
  ],
  [1, () => step('QUIT removes nothing', 'all', ({ scene }) => void (scene.server.faults.ignoreDeletes = true))],
  [1, () => step('QUIT is refused', 'all', ({ scene }) => void (scene.server.faults.quitError = '-ERR some remain'))],
]

export const WEIGHED = FAULTS.flatMap(([weight, maker]) => Array.from({ length: weight }, () => maker))
