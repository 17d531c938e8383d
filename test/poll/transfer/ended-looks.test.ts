// Every place that looks at a message without delivering it × whether the look always ends its session × which message. One
// judgement, over several polls with new mail before each. All others come and go, nothing comes twice, the bad one stays and is
// named (G0, containment: P110, P160, P167). Also by structure: nobody else asks a session for a message.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { AccountReport, PollOptions } from '../../../src/poll/report.ts'
import { Scene, upTo } from '../scene.ts'

const MESSAGES = 4
const NO_UIDL = ['UIDL', '-ERR not implemented'] as const
const NO_TOP = ['TOP', '-ERR not implemented'] as const
const DELETING = ['delete: after-delivery']

interface Place {
  readonly verb: 'TOP' | 'RETR'
  /** Up to the polls that look. */
  readonly before: (scene: Scene) => Promise<void>
  readonly options?: Partial<PollOptions>
  /** Has the bad one been delivered before? */
  readonly isDelivered: boolean
  /** The others go from the server. */
  readonly removes: boolean
  /** False: another program fetched the others. */
  readonly comes?: boolean
}

async function delivered(scene: Scene): Promise<void> {
  scene.fill(MESSAGES)
  await scene.poll()
}

/** All that popfetch knows of them is what another program knew. */
async function takenOver(scene: Scene): Promise<void> {
  scene.fill(MESSAGES)
  await using ledger = await openLedger(scene.path('state/state.db'))
  await using lease = await ledger.lease(scene.name)
  if (lease === null) throw new Error('somebody polls')
  const { host, port } = scene.server
  await ledger.admit(lease, { host, port, user: scene.user })
  const seen = upTo(MESSAGES).map((at) => ({ key: { uidl: `uid-${at}`, copy: 0 }, listedBytes: null, delivered: true }))
  await ledger.start(lease, seen)
}

const PLACES: Readonly<Record<string, Place>> = {
  'before the deletion of what was delivered': {
    verb: 'RETR',
    before: async (scene) => {
      await delivered(scene)
      scene.account = DELETING
      scene.server.faults.reply.set(...NO_TOP)
    },
    isDelivered: true,
    removes: true,
  },
  'before the deletion of what another program delivered': {
    verb: 'RETR',
    before: async (scene) => {
      await takenOver(scene)
      scene.account = DELETING
      scene.server.faults.reply.set(...NO_TOP)
    },
    isDelivered: false,
    removes: true,
    comes: false,
  },
  'before the deletion of what stands in the Maildir by its name': {
    verb: 'RETR',
    before: async (scene) => {
      await delivered(scene)
      rmSync(scene.path('state'), { recursive: true })
      scene.account = DELETING
    },
    isDelivered: true,
    removes: true,
  },
  'at what is listed with another size': {
    verb: 'RETR',
    before: async (scene) => {
      await delivered(scene)
      scene.server.faults.reply.set(...NO_TOP)
      scene.server.faults.listSize = ({ sizeBytes }) => sizeBytes + 5
    },
    isDelivered: true,
    removes: false,
  },
  'at what was gone and is back': {
    verb: 'RETR',
    before: async (scene) => {
      await delivered(scene)
      scene.server.faults.reply.set(...NO_TOP)
      const { messages } = scene.server.mailbox('alice')
      const away = messages.splice(0, 2)
      await scene.poll()
      messages.unshift(...away)
    },
    isDelivered: true,
    removes: false,
  },
  'at what was deleted and is listed again': {
    verb: 'RETR',
    before: async (scene) => {
      scene.account = DELETING
      scene.server.faults.ignoreDeletes = true
      await delivered(scene)
      scene.server.faults.ignoreDeletes = false
      scene.server.faults.reply.set(...NO_TOP)
    },
    isDelivered: true,
    removes: true,
  },
  'at what stands under a new UID': {
    verb: 'RETR',
    before: async (scene) => {
      await delivered(scene)
      scene.server.faults.reply.set(...NO_TOP)
      for (const message of scene.server.mailbox('alice').messages) message.uidl += '-new'
    },
    isDelivered: true,
    removes: false,
  },
  'at the headers of what a person says to have new UIDs': {
    verb: 'TOP',
    before: async (scene) => {
      await delivered(scene)
      for (const message of scene.server.mailbox('alice').messages) message.uidl += '-new'
    },
    options: { acceptNewIds: true },
    // Nothing else tells what it is.
    isDelivered: false,
    removes: false,
  },
  'at the headers for first: since': {
    verb: 'TOP',
    before: (scene) => {
      scene.account = ['first: since:2020-01-01']
      scene.fill(MESSAGES)
      return Promise.resolve()
    },
    isDelivered: false,
    removes: false,
  },
  'at the headers of what was skipped': {
    verb: 'TOP',
    before: takenOver,
    isDelivered: true,
    removes: false,
    comes: false,
  },
  'at the header of what has no UIDL': {
    verb: 'TOP',
    before: (scene) => {
      scene.server.faults.reply.set(...NO_UIDL)
      scene.account = DELETING
      scene.fill(MESSAGES)
      return Promise.resolve()
    },
    isDelivered: false,
    removes: true,
  },
  'at all of what has neither UIDL nor TOP': {
    verb: 'RETR',
    before: (scene) => {
      scene.server.faults.reply.set(...NO_UIDL).set(...NO_TOP)
      scene.account = DELETING
      scene.fill(MESSAGES)
      return Promise.resolve()
    },
    isDelivered: false,
    removes: true,
  },
}

const ENDS = {
  'the end of the stream': 'drop',
  'a refusal and the end': { answer: '-ERR internal error', next: 'drop' },
  'half an answer and the end': { answer: Buffer.from('+OK\r\nFrom: Ada'), next: 'drop' },
  nonsense: 'what?',
} as const

const isBad = (text: string): boolean => /^Subject: letter [01]\r?$/m.test(text)

/** The first two: one bad message hides behind another. */
function breakAt(scene: Scene, verb: string, action: (typeof ENDS)[keyof typeof ENDS]): void {
  scene.server.faults.onCommand = (asked, args) => {
    const message = scene.server.mailbox('alice').messages[Number(args.split(' ')[0]) - 1]
    return asked === verb && message !== undefined && isBad(message.bytes.toString('latin1')) ? action : 'serve'
  }
}

describe.each(Object.entries(PLACES))('a look %s', (_where, place) => {
  const { verb, before, options, isDelivered, removes, comes = true } = place

  test.each(Object.entries(ENDS))('that ends its session each time by %s stops no other mail', async (_how, action) => {
    await using scene = await Scene.create()
    await before(scene)
    breakAt(scene, verb, action)
    const reports: AccountReport[] = []
    const polls = 5
    for (let poll = 0; poll < polls; poll++) {
      scene.fill(1, 10 + poll)
      const before = scene.server.journal.of('connect').length
      reports.push(await scene.poll(poll === 0 ? options : {}))
      const first = scene.server.journal.of('connect')[before]?.session
      const quits = scene.server.journal.of('command').filter(({ text }) => text === 'QUIT')
      // It is never asked for in the same place again: the others are safe before it.
      if (poll >= 2) expect([poll, quits.some(({ session }) => session === first)]).toEqual([poll, true])
    }
    const came = scene.subjects()
    const later = upTo(polls).map((poll) => 10 + poll)
    // What came once, by whomever, does not come again; all else does.
    for (const number of [2, 3]) expect(came.filter((one) => one === number)).toEqual(comes ? [number] : [])
    expect(came.filter((one) => later.includes(one))).toEqual(later)
    if (isDelivered) for (const bad of [0, 1]) expect(came.filter((one) => one === bad).length).toBeLessThanOrEqual(1)
    if (removes) {
      const left = scene.server.mailbox('alice').messages.filter(({ bytes }) => !isBad(bytes.toString('latin1')))
      expect(left).toEqual([])
    }
    // It costs a session or two, and never the poll for good.
    expect(reports.at(-1)?.outcome).not.toBe('failed')
    const told = reports.flatMap(({ problems }) => problems)
    if (verb === 'RETR') expect(told.length).toBeGreaterThan(0)
  })
})

test('a message without a UIDL that ended a session is tried when the others are safe, and comes once it can (P167)', async () => {
  await using scene = await Scene.create()
  scene.server.faults.reply.set(...NO_UIDL).set(...NO_TOP)
  scene.account = DELETING
  scene.fill(MESSAGES)
  breakAt(scene, 'RETR', 'drop')
  for (const _ of upTo(2)) await scene.poll()
  expect(scene.subjects()).toEqual([2, 3])
  scene.server.faults.onCommand = null
  scene.fill(1, 9)
  expect(await scene.poll()).toMatchObject({ delivered: 3, deleted: 3, error: null })
  expect(scene.subjects()).toEqual([0, 1, 2, 3, 9])
  expect(scene.left()).toEqual([])
})

test('more of them than a poll has sessions for are got over in a few polls', async () => {
  await using scene = await Scene.create()
  scene.account = ['first: since:2020-01-01']
  scene.fill(12)
  scene.server.faults.onCommand = (verb, args) => (verb === 'TOP' && Number(args.split(' ')[0]) <= 7 ? 'drop' : 'serve')
  const outcomes: string[] = []
  for (const _ of upTo(5)) outcomes.push((await scene.poll()).outcome)
  expect(outcomes).toEqual(['failed', 'failed', 'ok', 'ok', 'ok'])
  expect(scene.subjects()).toEqual(upTo(12))
})

test('a dry run, which remembers nothing, looks at it twice at most', async () => {
  await using scene = await Scene.create()
  scene.account = ['first: since:2020-01-01']
  scene.fill(MESSAGES)
  breakAt(scene, 'TOP', 'drop')
  const report = await scene.poll({ dryRun: true })
  expect(report).toMatchObject({ outcome: 'ok', new: MESSAGES, error: null })
  expect(scene.count('TOP 1 0')).toBe(2)
})

test('nobody asks a session for a message but those who note its end', () => {
  const root = path.resolve('src')
  const callers = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('pop3'))
    .filter((file) => /session\??\.(retrieve|header)\(/i.test(readFileSync(path.join(root, file), 'utf8')))
  expect(callers.toSorted()).toEqual([
    'poll/compare/looks.ts',
    // Transfer#blame notes the ends of both.
    'poll/transfer/introduction.ts',
    'poll/transfer/transfer.ts',
  ])
})
