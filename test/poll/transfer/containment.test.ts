// One message, one fault. Each way in which a command about one message can fail × which message × pipelined or not × once or
// always (HAZARDS G0, containment). One judgement: after a few polls all others are delivered and gone from the server. The bad
// one is named, and asked for alone once it has ended a session.
import { describe, expect, test } from 'vitest'
import type { AccountReport } from '../../../src/poll/report.ts'
import type { Action } from '../../support/faults.ts'
import { patiently } from '../patience.ts'
import { Scene, letter, upTo } from '../scene.ts'

const MESSAGES = 4
const POLLS = 4
/** Where answers get out of step, one session does not tell which message it was. */
const UNTOLD = 2

const body = (text: string): Buffer => Buffer.from(`+OK ${text.length} octets\r\n${text}`)
const half = body(letter(9).slice(0, 60))
/** Without its end. */
const whole = body(letter(9).replace(/^\./gm, '..'))

/** What the server does instead of obeying. */
const failures: Readonly<Record<string, Action>> = {
  silence: 'stall',
  'the end of the stream before the status line': 'drop',
  'a reset before the status line': 'reset',
  'half a status line and the end': { answer: Buffer.from('+O'), next: 'drop' },
  'half a status line and a reset': { answer: Buffer.from('+O'), next: 'reset' },
  'half a status line and silence': { answer: Buffer.from('+O'), next: 'stall' },
  'the status line and the end': { answer: '+OK', next: 'drop' },
  'the status line and a reset': { answer: '+OK', next: 'reset' },
  'the status line and silence': { answer: '+OK', next: 'stall' },
  'half a body and the end': { answer: half, next: 'drop' },
  'half a body and a reset': { answer: half, next: 'reset' },
  'half a body and silence': { answer: half, next: 'stall' },
  'a body without its end, and the end': { answer: whole, next: 'drop' },
  'a body without its end, and silence': { answer: whole, next: 'stall' },
  'a refusal': '-ERR no such message',
  'a refusal with SYS/TEMP': '-ERR [SYS/TEMP] later',
  'a refusal with SYS/PERM': '-ERR [SYS/PERM] never',
  'a refusal with IN-USE': '-ERR [IN-USE] locked',
  'a refusal with a code of its own': '-ERR [X-BROKEN] index is damaged',
  'a refusal and the end': { answer: '-ERR internal error', next: 'drop' },
  'a refusal and a reset': { answer: '-ERR internal error', next: 'reset' },
  'a refusal and silence': { answer: '-ERR internal error', next: 'stall' },
  'a refusal with SYS/TEMP and the end': { answer: '-ERR [SYS/TEMP] shutting down', next: 'drop' },
  nonsense: 'what?',
  'an empty line': '',
  'a line that is too long': 'x'.repeat(10_000),
  'a refusal and bytes too many': '-ERR no such message\r\nwho asked?',
}

type Verb = 'RETR' | 'DELE' | 'TOP'

interface Case {
  readonly at: number
  readonly pipelining: boolean
  readonly always: boolean
}

function* cases(): Generator<Case> {
  for (const at of [1, 2, MESSAGES])
    for (const pipelining of [true, false]) for (const always of [true, false]) yield { at, pipelining, always }
}

/** The mailbox and the polls of one case. */
class Mishap {
  readonly scene: Scene
  readonly bad: string
  readonly reports: AccountReport[] = []
  /** How often it failed. */
  failed = 0
  readonly #subject: string
  /** By session: which messages the verb was asked of, and whether the bad one failed. */
  readonly #asked = new Map<number, { readonly of: string[]; failed: boolean }>()

  constructor(scene: Scene, { at, pipelining }: Case) {
    this.scene = scene
    this.bad = `uid-${at - 1}`
    this.#subject = `letter ${at - 1}`
    scene.account = ['delete: after-delivery', pipelining ? 'pipelining: auto' : 'pipelining: off']
  }

  fail(verb: Verb, action: Action, always: boolean): void {
    const { faults } = this.scene.server
    faults.onCommand = (command, args, session) => {
      const message = this.scene.server.mailbox('alice').messages[Number(args.split(' ')[0]) - 1]
      if (command !== verb || message === undefined) return 'serve'
      const asked = this.#asked.get(session.id) ?? { of: [], failed: false }
      this.#asked.set(session.id, asked)
      asked.of.push(message.uidl)
      if (message.uidl !== this.bad || (!always && this.failed > 0)) return 'serve'
      this.failed++
      asked.failed = true
      return action
    }
  }

  /** Polls until only what may be left is left. */
  async poll(left: readonly string[]): Promise<void> {
    for (let polls = 0; polls < POLLS; polls++) {
      this.reports.push(await patiently(this.scene.server, () => this.scene.poll()))
      if (this.scene.left().length <= left.length && this.reports.length > 1) break
    }
  }

  /** Is it reported by From and Subject, in the poll in which it began to fail? */
  get isNamed(): boolean {
    const problem = this.reports.flatMap(({ problems }) => problems).find(({ uidl }) => uidl === this.bad)
    return problem?.from === 'Ada <ada@example.org>' && problem.subject === this.#subject
  }

  /** In how many sessions that it ended others were asked for, too? */
  get shared(): number {
    const quits = new Set(
      this.scene.server.journal.of('command').flatMap(({ session, text }) => (text === 'QUIT' ? [session] : [])),
    )
    return [...this.#asked].filter(([session, { of, failed }]) => failed && of.length > 1 && !quits.has(session)).length
  }
}

describe.each(Object.entries(failures))('a message whose RETR is answered by %s', (_how, action) => {
  test.each([...cases()])(
    'costs the others nothing: message $at, pipelined: $pipelining, always: $always (P160)',
    async (one) => {
      await using scene = await Scene.create()
      scene.fill(MESSAGES)
      const mishap = new Mishap(scene, one)
      mishap.fail('RETR', action, one.always)
      const left = one.always ? [mishap.bad] : []
      await mishap.poll(left)
      expect(mishap.failed).toBeGreaterThan(0)
      expect(scene.subjects()).toEqual(upTo(MESSAGES).filter((at) => !left.includes(`uid-${at}`)))
      expect(scene.left()).toEqual(left)
      if (one.always) expect(mishap.isNamed).toBe(true)
      expect(mishap.shared).toBeLessThanOrEqual(UNTOLD)
    },
  )
})

describe.each(Object.entries(failures))('a message whose DELE is answered by %s', (_how, action) => {
  test.each([...cases()])(
    'keeps no other from going: message $at, pipelined: $pipelining, always: $always (P159)',
    async (one) => {
      await using scene = await Scene.create()
      scene.fill(MESSAGES)
      const mishap = new Mishap(scene, one)
      mishap.fail('DELE', action, one.always)
      const left = one.always ? [mishap.bad] : []
      await mishap.poll(left)
      expect(mishap.failed).toBeGreaterThan(0)
      expect(scene.subjects()).toEqual(upTo(MESSAGES))
      expect(scene.left()).toEqual(left)
      expect(await scene.undeleted()).toEqual(left)
      if (one.always) expect(mishap.isNamed).toBe(true)
      expect(mishap.shared).toBeLessThanOrEqual(UNTOLD)
    },
  )
})

describe.each(Object.entries(failures))('a message whose TOP is answered by %s', (_how, action) => {
  test.each([...cases()])(
    'keeps none from going: message $at, pipelined: $pipelining, always: $always (P159, P168)',
    async (one) => {
      await using scene = await Scene.create()
      scene.fill(MESSAGES)
      await scene.poll()
      const mishap = new Mishap(scene, one)
      mishap.fail('TOP', action, one.always)
      await mishap.poll([])
      expect(mishap.failed).toBeGreaterThan(0)
      expect(scene.subjects()).toEqual(upTo(MESSAGES))
      expect(scene.left()).toEqual([])
      expect(mishap.shared).toBeLessThanOrEqual(1)
    },
  )
})

test('a message that ended a session is tried alone though another one is refused every time (P106, P160)', async () => {
  await using scene = await Scene.create()
  scene.fill(MESSAGES)
  scene.account = ['delete: after-delivery']
  let ends = 1
  scene.server.faults.onCommand = (verb, args) => {
    const uidl = scene.server.mailbox('alice').messages[Number(args) - 1]?.uidl
    if (verb !== 'RETR') return 'serve'
    if (uidl === 'uid-0') return '-ERR no such message'
    return uidl === 'uid-1' && ends-- > 0 ? 'drop' : 'serve'
  }
  expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: MESSAGES - 1, deferred: 1 })
  expect(scene.left()).toEqual(['uid-0'])
})

test('messages that a destination cannot take bring no session after session (P160)', async () => {
  await using scene = await Scene.create()
  scene.fill(MESSAGES)
  scene.server.faults.onCommand = (verb, args) => (verb === 'RETR' && args === '1' ? 'drop' : 'serve')
  await scene.poll()
  scene.destinations = ['inbox: { type: smtp, host: 127.0.0.1, port: 1, to: bob@example.net }']
  scene.fill(1, MESSAGES)
  const before = scene.server.journal.of('connect').length
  await scene.poll()
  expect(scene.server.journal.of('connect').length - before).toBeLessThanOrEqual(3)
})
