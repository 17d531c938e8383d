// The server gives messages new UIDs: how many × what became of one of them before × where it goes × when it is deleted × was
// it gone for a listing in between (N048, S020). One oracle. Every destination has every message once, and gets only what it
// lacks. What was refused or held stays so. What all have is gone from the server where `delete` says so.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { MessageRecord } from '../../../src/ledger/records.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene, upTo } from '../scene.ts'

/** What a destination does with the one message. */
type Manner = 'takes' | 'waits' | 'refuses' | 'loses'
const STATES = ['delivered', 'lacking', 'waiting', 'refused', 'held'] as const
type State = (typeof STATES)[number]

const ANSWERS = { takes: null, waits: '451 4.7.1 later', refuses: '554 5.7.1 no', loses: 'drop' } as const
const EXITS = { takes: 'true', waits: 'exit 75', refuses: 'exit 65', loses: 'kill -9 $$' } as const

interface Shape {
  readonly deliver: string
  readonly names: readonly string[]
  /** What each does in that state; absent: it cannot come about. */
  readonly manners: Partial<Record<State, readonly Manner[]>>
}

const alone = {
  delivered: ['takes'],
  waiting: ['waits'],
  refused: ['refuses'],
  held: ['loses'],
} as const
const SHAPES: Readonly<Record<string, Shape>> = {
  'a Maildir': { deliver: 'inbox', names: ['inbox'], manners: { delivered: ['takes'] } },
  'an SMTP server': { deliver: 'next', names: ['next'], manners: alone },
  'a command': { deliver: 'agent', names: ['agent'], manners: alone },
  'a Maildir and an SMTP server': {
    deliver: '[inbox, next]',
    names: ['inbox', 'next'],
    manners: {
      delivered: ['takes', 'takes'],
      lacking: ['takes', 'waits'],
      refused: ['takes', 'refuses'],
      held: ['takes', 'loses'],
    },
  },
  'two SMTP servers': {
    deliver: '[next, other]',
    names: ['next', 'other'],
    manners: {
      delivered: ['takes', 'takes'],
      lacking: ['takes', 'waits'],
      waiting: ['waits', 'waits'],
      refused: ['takes', 'refuses'],
      held: ['takes', 'loses'],
    },
  },
  'the first of an SMTP server and a Maildir': {
    deliver: '{ first-of: [next, inbox] }',
    names: ['next', 'inbox'],
    manners: { delivered: ['refuses', 'takes'], waiting: ['waits', 'takes'], held: ['loses', 'takes'] },
  },
  'the first of two SMTP servers': {
    deliver: '{ first-of: [next, other] }',
    names: ['next', 'other'],
    manners: {
      delivered: ['refuses', 'takes'],
      lacking: ['refuses', 'waits'],
      refused: ['refuses', 'refuses'],
      held: ['refuses', 'loses'],
    },
  },
}

interface Case {
  readonly shape: string
  readonly state: State
  /** Only that message, all of a few, or so many that a person is asked. */
  readonly renumbered: 'it' | 'all of a few' | 'many'
  readonly gone: boolean
  readonly remove: 'never' | 'after-delivery' | '30d'
}

function* cases(): Generator<Case> {
  for (const [shape, { manners }] of Object.entries(SHAPES))
    for (const state of STATES) {
      if (manners[state] === undefined) continue
      for (const gone of [false, true]) {
        yield { shape, state, renumbered: 'it', gone, remove: 'never' }
        // What was delivered is gone, then.
        if (state !== 'delivered') yield { shape, state, renumbered: 'it', gone, remove: 'after-delivery' }
      }
      yield { shape, state, renumbered: 'all of a few', gone: false, remove: '30d' }
      yield { shape, state, renumbered: 'many', gone: false, remove: 'never' }
    }
}

/** The one. */
const ONE = 1

class Renumbered implements AsyncDisposable {
  readonly scene: Scene
  readonly #sinks: ReadonlyMap<string, SmtpSink>
  /** Each offer of the one to a server. */
  readonly offers: string[] = []
  #manners: ReadonlyMap<string, Manner> = new Map()

  private constructor(scene: Scene, sinks: ReadonlyMap<string, SmtpSink>) {
    this.scene = scene
    this.#sinks = sinks
  }

  static async make({ shape, remove, renumbered }: Case): Promise<Renumbered> {
    const scene = await Scene.create()
    const sinks = new Map([
      ['next', await SmtpSink.start()],
      ['other', await SmtpSink.start()],
    ])
    mkdirSync(scene.path('agent'))
    const script = `cat > ${scene.path('agent')}/$$.part; grep -q '^Subject: letter ${ONE}[^0-9]*$' ${scene.path('agent')}/$$.part && . ${scene.path('manner')}; mv ${scene.path('agent')}/$$.part ${scene.path('agent')}/$$.mail`
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      `agent: { type: command, run: [/bin/sh, -c, ${JSON.stringify(script)}] }`,
      ...[...sinks].map(
        ([name, { port }]) => `${name}: { type: smtp, host: 127.0.0.1, port: ${port}, to: bob@example.net }`,
      ),
    ]
    scene.deliver = SHAPES[shape]?.deliver ?? ''
    scene.account = [`delete: ${remove}`]
    scene.fill(renumbered === 'many' ? 24 : 6)
    const made = new Renumbered(scene, sinks)
    for (const [name, sink] of sinks)
      sink.faults.dot = ({ bytes }) => {
        if (!isOne(bytes.toString('latin1'))) return null
        made.offers.push(name)
        return ANSWERS[made.#manners.get(name) ?? 'takes']
      }
    return made
  }

  behave({ names }: Shape, manners: readonly Manner[]): void {
    this.#manners = new Map(names.map((name, at) => [name, manners[at] ?? 'takes']))
    writeFileSync(this.scene.path('manner'), EXITS[this.#manners.get('agent') ?? 'takes'])
  }

  /** The numbers of the messages that it has. */
  at(name: string): number[] {
    const sink = this.#sinks.get(name)
    if (sink !== undefined) return sorted(sink.messages.map(({ bytes }) => numberOf(bytes.toString('latin1'))))
    if (name === 'inbox') return this.scene.subjects()
    const files = readdirSync(this.scene.path('agent')).filter((file) => file.endsWith('.mail'))
    return sorted(files.map((file) => numberOf(readFileSync(this.scene.path(`agent/${file}`), 'latin1'))))
  }

  renumber(only: boolean): void {
    for (const message of this.scene.server.mailbox('alice').messages)
      if (!only || message.uidl === `uid-${ONE}`) message.uidl = `new-${message.uidl}`
  }

  /** The one, as the ledger has it now. */
  async record(): Promise<MessageRecord | undefined> {
    await using ledger = await openLedger(this.scene.path('state/state.db'))
    const found: MessageRecord[] = []
    for await (const slice of ledger.records.list(this.scene.name, 'all')) found.push(...slice)
    return found.find(({ key }) => key.uidl === `new-uid-${ONE}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]()
    for (const sink of this.#sinks.values()) await sink[Symbol.asyncDispose]()
  }
}

const isOne = (text: string): boolean => numberOf(text) === ONE
const numberOf = (text: string): number => Number(/^Subject: letter (\d+)\r?$/m.exec(text)?.[1])
const sorted = (numbers: number[]): number[] => numbers.toSorted((a, b) => a - b)

describe('under a new UID a message stays what it is', () => {
  test.each([...cases()])(
    '$renumbered, $state, to $shape, delete: $remove, gone for a listing: $gone (N048)',
    async (one) => {
      const shape = SHAPES[one.shape]
      const manners = shape?.manners[one.state]
      if (shape === undefined || manners === undefined) throw new Error('no such case')
      await using at = await Renumbered.make(one)
      const { scene } = at
      at.behave(shape, manners)
      for (let polls = one.state === 'held' ? 4 : 1; polls > 0; polls--) await scene.poll()
      const mailbox = scene.server.mailbox('alice')
      if (one.gone) {
        const away = mailbox.messages.splice(
          mailbox.messages.findIndex(({ uidl }) => uidl === `uid-${ONE}`),
          1,
        )
        await scene.poll()
        mailbox.messages.push(...away)
      }
      at.renumber(one.renumbered === 'it')
      const before = [...at.offers]
      // Well again: what was lost would be taken, too.
      at.behave(shape, [])
      const reports = [await scene.poll({ acceptNewIds: one.renumbered === 'many' }), await scene.poll()]
      const all = upTo(one.renumbered === 'many' ? 24 : 6)
      const others = all.filter((number) => number !== ONE)
      const stays = one.state === 'refused' || one.state === 'held'
      if (shape.deliver.includes('first-of')) {
        const [first, second] = shape.names.map((name) => at.at(name))
        expect(sorted([...(first ?? []), ...(second ?? [])])).toEqual(stays ? others : all)
      } else
        for (const [place, name] of shape.names.entries())
          expect([name, at.at(name)]).toEqual([name, stays && manners[place] !== 'takes' ? others : all])
      // Where it was delivered, refused or held it is not even offered.
      const offered = at.offers.slice(before.length)
      const lacks = shape.names.filter((_, place) => manners[place] === 'waits')
      if (stays || one.state === 'delivered') expect(offered).toEqual([])
      else if (!shape.deliver.includes('first-of'))
        expect(new Set(offered)).toEqual(new Set(lacks.filter((name) => name !== 'agent')))
      expect(reports.flatMap(({ problems }) => problems)).toEqual([])
      expect(reports.map(({ new: count }) => count)).toEqual([0, 0])
      expect(await at.record()).toMatchObject(
        one.state === 'refused' ? { state: 'open' } : { state: one.state === 'held' ? 'held' : 'delivered' },
      )
      if (one.remove !== 'after-delivery') expect(scene.left()).toHaveLength(all.length)
      else expect(scene.left()).toEqual(stays ? [`new-uid-${ONE}`] : [])
    },
  )
})
