// One message, one fault: each way in which a command about one message can fail × which message × pipelined or not × once or
// always. One judgement: after a few polls all others are delivered and gone from the server.
import { describe, expect, test } from 'vitest'
import type { Action } from '../../support/faults.ts'
import { Patience } from '../patience.ts'
import { Scene, letter, upTo } from '../scene.ts'

const MESSAGES = 4
const POLLS = 4

const half = Buffer.from(`+OK ${letter(9).length} octets\r\n${letter(9).slice(0, 60)}`)

/** What the server does instead of obeying. */
const failures: Readonly<Record<string, Action>> = {
  silence: 'stall',
  'the end of the stream before the status line': 'drop',
  'a reset before the status line': 'reset',
  'half a status line and the end': { answer: Buffer.from('+O'), next: 'drop' },
  'half a status line and a reset': { answer: Buffer.from('+O'), next: 'reset' },
  'the status line and the end': { answer: '+OK', next: 'drop' },
  'the status line and a reset': { answer: '+OK', next: 'reset' },
  'the status line and silence': { answer: '+OK', next: 'stall' },
  'half a body and the end': { answer: half, next: 'drop' },
  'half a body and a reset': { answer: half, next: 'reset' },
  'half a body and silence': { answer: half, next: 'stall' },
  'a refusal': '-ERR no such message',
  'a refusal with SYS/TEMP': '-ERR [SYS/TEMP] later',
  'a refusal with SYS/PERM': '-ERR [SYS/PERM] never',
  'a refusal with IN-USE': '-ERR [IN-USE] locked',
  'a refusal and the end': { answer: '-ERR internal error', next: 'drop' },
  'a refusal with SYS/TEMP and the end': { answer: '-ERR [SYS/TEMP] shutting down', next: 'drop' },
  nonsense: 'what?',
  'an empty line': '',
  'a line that is too long': 'x'.repeat(10_000),
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
  /** How often it failed. */
  failed = 0
  readonly #patience: Patience

  constructor(scene: Scene, { at, pipelining }: Case) {
    this.scene = scene
    this.#patience = new Patience(scene.server)
    this.bad = `uid-${at - 1}`
    scene.account = ['delete: after-delivery', pipelining ? 'pipelining: auto' : 'pipelining: off']
  }

  fail(verb: Verb, action: Action, always: boolean): void {
    const { faults } = this.scene.server
    faults.onCommand = (asked, args, session) => {
      const message = this.scene.server.mailbox('alice').messages[Number(args.split(' ')[0]) - 1]
      if (asked !== verb || message?.uidl !== this.bad || (!always && this.failed > 0)) return 'serve'
      this.failed++
      this.#patience.note(action, session)
      return action
    }
  }

  /** Polls until only what may be left is left. Time passes only while the server hangs. */
  async poll(left: readonly string[]): Promise<void> {
    for (let polls = 0; polls < POLLS; polls++) {
      await this.#patience.wait(() => this.scene.poll())
      if (this.scene.left().length <= left.length) break
    }
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
    },
  )
})
