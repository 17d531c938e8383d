// A poll that finds a mailbox as the last one left it. Each case is polled twice: by the short road where it may be taken, and by the
// usual road always. What both report and do must be the same; only LIST is sent or not.
import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Ledger, Lease } from '../../../src/ledger/ledger.ts'
import { backup } from '../../../src/ledger/sqlite/backup.ts'
import { repairLedger } from '../../../src/ledger/sqlite/mend/repair.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { restoreLedger } from '../../../src/ledger/sqlite/restore.ts'
import type { AccountReport, PollOptions } from '../../../src/poll/report.ts'
import { letter, Scene } from '../scene.ts'
import { markless } from './markless.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

/** What happens between two polls. */
type Step = (scene: Scene) => unknown

interface Case {
  readonly what: string
  /** Before the first poll. */
  readonly begin?: Step
  /** Each is followed by a poll; the last of which is looked at. */
  readonly steps: readonly Step[]
  /** Of the last poll. */
  readonly options?: Partial<PollOptions>
  readonly road: 'short' | 'usual'
}

const nothing: Step = () => {}
const idle = [nothing, nothing, nothing] as const
const letters: Step = (scene) => scene.fill(3)

function replaced(uidl: string, text: string): Step {
  return (scene) => {
    const mailbox = scene.server.mailbox('alice')
    mailbox.remove(new Set(mailbox.messages.filter((message) => message.uidl === uidl)))
    mailbox.add(text, { uidl })
  }
}

/** Keeps a copy of the ledger, as `state backup` makes one. */
const keep: Step = async (scene) => {
  rmSync(scene.path('copy.db'), { force: true })
  await backup(scene.path('state/state.db'), scene.path('copy.db'))
}

const putBack: Step = (scene) => restoreLedger(scene.path('state/state.db'), scene.path('copy.db'))

/** One row says what no ledger says; all messages are known all the same. */
const damaged: Step = async (scene) => {
  const database = new DatabaseSync(scene.path('state/state.db'))
  database.exec('UPDATE account SET known = known + 1')
  database.close()
  expect(await repairLedger(scene.path('state/state.db'))).not.toBeNull()
}

async function inLedger(scene: Scene, change: (ledger: Ledger, lease: Lease) => Promise<unknown>): Promise<void> {
  await using ledger = await scene.ledger()
  await using lease = await ledger.lease(scene.name)
  if (lease === null) throw new Error('somebody polls')
  await change(ledger, lease)
}

const CASES: readonly Case[] = [
  { what: 'nothing', begin: letters, steps: idle, road: 'short' },
  { what: 'nothing, in an empty mailbox', begin: (scene) => scene.fill(0), steps: idle, road: 'short' },
  { what: 'nothing, with many messages', begin: (scene) => scene.fill(700), steps: idle, road: 'short' },
  {
    what: 'nothing, where UIDL comes in many small pieces',
    begin: (scene) => {
      scene.fill(40)
      scene.server.faults.pace = { chunkBytes: 7, pauseMs: 0 }
    },
    steps: idle,
    road: 'short',
  },
  {
    what: 'nothing, where UIDL comes in other pieces than before',
    begin: letters,
    steps: [...idle, (scene) => void (scene.server.faults.pace = { chunkBytes: 3, pauseMs: 0 })],
    road: 'short',
  },
  {
    what: 'nothing, where the server does not pipeline',
    begin: (scene) => {
      scene.fill(3)
      scene.account = ['pipelining: off']
    },
    steps: idle,
    road: 'short',
  },
  {
    what: 'nothing, where STAT is refused',
    begin: (scene) => {
      scene.fill(3)
      scene.server.faults.reply.set('STAT', '-ERR what is that?')
    },
    steps: [...idle, nothing],
    road: 'short',
  },
  {
    what: 'nothing, where STAT says another size than LIST',
    begin: (scene) => {
      scene.fill(3)
      scene.server.faults.reply.set('STAT', '+OK 3 77 (virus-free)')
    },
    steps: [...idle, nothing],
    road: 'short',
  },
  {
    what: 'nothing, where what `first` skipped is there',
    begin: (scene) => {
      scene.fill(3)
      scene.account = ['first: new']
    },
    steps: [...idle, nothing],
    road: 'short',
  },
  {
    what: 'nothing, where a message is held',
    begin: (scene) => {
      scene.fill(2)
      scene.server.mailbox('alice').add(`${letter(2)}${'x'.repeat(3000)}\r\n`, { uidl: 'large' })
      scene.account = ['maxSize: 2KB']
    },
    steps: idle,
    road: 'short',
  },
  { what: 'an hour', begin: letters, steps: [...idle, () => pass(HOUR), nothing], road: 'short' },
  { what: 'a day, after which all is looked at', begin: letters, steps: [...idle, () => pass(DAY)], road: 'usual' },
  { what: 'a clock that is set back', begin: letters, steps: [...idle, () => pass(-2 * MINUTE)], road: 'usual' },
  { what: 'a new message', begin: letters, steps: [...idle, (scene) => scene.fill(1, 3)], road: 'usual' },
  {
    what: 'a new message, and then nothing',
    begin: letters,
    steps: [...idle, (scene) => scene.fill(1, 3), nothing, nothing],
    road: 'short',
  },
  {
    what: 'a message that is deleted elsewhere',
    begin: letters,
    steps: [...idle, (scene) => void scene.server.mailbox('alice').messages.pop()],
    road: 'usual',
  },
  {
    what: 'another message under the last UIDL',
    begin: letters,
    steps: [...idle, replaced('uid-2', `${letter(2)}and more\r\n`)],
    road: 'usual',
  },
  {
    what: 'an empty listing of a mailbox that is not',
    begin: letters,
    steps: [...idle, (scene) => void (scene.server.faults.window = 0)],
    road: 'usual',
  },
  {
    // Shorter by more than half: it may be there nevertheless, and is not to be forgotten (P083, P099).
    what: 'a listing that lacks most messages, again and again',
    begin: (scene) => scene.fill(5),
    steps: [...idle, (scene) => void (scene.server.faults.window = 1), nothing, nothing],
    road: 'usual',
  },
  {
    what: 'a ledger that was put back to a copy, which knows all that is there',
    begin: letters,
    steps: [...idle, keep, putBack],
    road: 'usual',
  },
  {
    what: 'a ledger that was put back to a copy, which lacks the last message, and all is looked at again',
    begin: letters,
    steps: [...idle, keep, (scene) => scene.fill(1, 3), nothing, nothing, putBack, nothing, nothing],
    road: 'short',
  },
  {
    what: 'a ledger that was put back to a copy, when the mailbox is as it was then, with another message of that name',
    begin: letters,
    steps: [
      ...idle,
      keep,
      (scene) => scene.server.mailbox('alice').remove(new Set(scene.server.mailbox('alice').messages)),
      (scene) => scene.fill(3),
      putBack,
    ],
    road: 'usual',
  },
  {
    what: 'a ledger that was repaired',
    begin: letters,
    steps: [...idle, damaged],
    road: 'usual',
  },
  {
    what: 'a message that a person has forgotten',
    begin: letters,
    steps: [...idle, (scene) => scene.forget(['uid-1'])],
    road: 'usual',
  },
  { what: 'all of them forgotten', begin: letters, steps: [...idle, (scene) => scene.forget('all')], road: 'usual' },
  {
    what: 'a held message that a person wants now',
    begin: (scene) => {
      scene.fill(2)
      scene.server.mailbox('alice').add(`${letter(2)}${'x'.repeat(3000)}\r\n`, { uidl: 'large' })
      scene.account = ['maxSize: 2KB']
    },
    steps: [...idle, (scene) => inLedger(scene, (ledger, lease) => ledger.records.retry(lease, ['held']))],
    road: 'usual',
  },
  {
    what: 'a larger maxSize, into which a held message fits',
    begin: (scene) => {
      scene.fill(2)
      scene.server.mailbox('alice').add(`${letter(2)}${'x'.repeat(3000)}\r\n`, { uidl: 'large' })
      scene.account = ['maxSize: 2KB']
    },
    steps: [...idle, (scene) => void (scene.account = ['maxSize: 9KB'])],
    road: 'usual',
  },
  {
    what: 'another delete',
    begin: letters,
    steps: [...idle, (scene) => void (scene.account = ['delete: after-delivery'])],
    road: 'usual',
  },
  {
    what: 'another destination',
    begin: (scene) => {
      scene.fill(3)
      scene.destinations = ['inbox: { type: maildir, path: inbox }', 'other: { type: maildir, path: other }']
    },
    steps: [...idle, (scene) => void (scene.deliver = '[inbox, other]')],
    road: 'usual',
  },
  {
    what: 'another password',
    begin: letters,
    steps: [
      ...idle,
      (scene) => {
        scene.password = 'another'
        scene.server.mailbox('alice', 'another')
      },
    ],
    road: 'usual',
  },
  {
    what: 'another name of the account',
    begin: letters,
    steps: [
      ...idle,
      async (scene) => {
        await inLedger(scene, async (ledger, from) => {
          await using to = await ledger.lease('new-isp')
          if (to !== null) await ledger.records.rename(from, to)
        })
        scene.name = 'new-isp'
      },
    ],
    road: 'usual',
  },
  {
    what: 'a message that is old enough to be deleted now',
    begin: (scene) => {
      scene.fill(3)
      scene.account = ['delete: 3d']
    },
    steps: [
      ...idle,
      () => pass(20 * HOUR),
      () => pass(20 * HOUR),
      () => pass(20 * HOUR),
      nothing,
      () => pass(14 * HOUR),
    ],
    road: 'usual',
  },
  {
    what: 'messages of which none is old enough yet',
    begin: (scene) => {
      scene.fill(700)
      scene.account = ['delete: 3d']
    },
    steps: [...idle, () => pass(2 * HOUR), () => pass(MINUTE), () => pass(MINUTE)],
    road: 'short',
  },
  {
    what: 'two messages of one UIDL',
    begin: (scene) => {
      scene.fill(2)
      scene.server.mailbox('alice').add(letter(7), { uidl: 'uid-1' })
    },
    steps: idle,
    road: 'usual',
  },
  {
    what: 'a message without a UIDL',
    begin: (scene) => {
      scene.fill(2)
      scene.server.faults.uidlLine = (number, { uidl }) => (number === 2 ? null : `${number} ${uidl}`)
    },
    steps: idle,
    road: 'usual',
  },
  {
    what: 'a server without UIDL',
    begin: (scene) => {
      scene.fill(2)
      scene.server.faults.reply.set('UIDL', '-ERR unknown command')
    },
    steps: idle,
    road: 'usual',
  },
  {
    what: 'a server that refuses UIDL for once',
    begin: letters,
    steps: [...idle, (scene) => void scene.server.faults.reply.set('UIDL', '-ERR [SYS/TEMP] try again later')],
    road: 'usual',
  },
  {
    what: 'a message that its destination does not take',
    begin: (scene) => {
      scene.fill(2)
      scene.destinations = ['inbox: { type: command, run: [/bin/sh, -c, "exit 75"] }']
    },
    steps: idle,
    road: 'usual',
  },
  {
    what: 'a server that keeps what it was told to delete',
    begin: (scene) => {
      scene.fill(2)
      scene.account = ['delete: after-delivery']
      scene.server.faults.ignoreDeletes = true
    },
    steps: [...idle, nothing, nothing, nothing, nothing],
    road: 'usual',
  },
  {
    what: 'a server that drops what was shown',
    begin: (scene) => {
      scene.fill(2)
      scene.server.capabilities?.afterLogin.push('EXPIRE 0')
    },
    steps: idle,
    road: 'usual',
  },
  ...(['all', 'yes', 'dryRun', 'acceptNewIds', 'markSeen'] as const).map((option) => ({
    what: `a poll with ${option}`,
    begin: letters,
    steps: idle,
    options: { [option]: true },
    road: 'usual' as const,
  })),
  { what: 'a poll with limit', begin: letters, steps: idle, options: { limit: 1 }, road: 'usual' },
  { what: 'a poll that nobody asks for', begin: letters, steps: idle, options: { eager: false }, road: 'short' },
]

interface Told extends Omit<AccountReport, 'durationMs' | 'problems' | 'plan'> {}

async function polled(road: 'short' | 'usual', { begin, steps, options }: Case) {
  vi.setSystemTime(new Date('2026-11-29T12:00:00Z'))
  await using scene = await Scene.create()
  if (road === 'usual') scene.ledgerOf = markless
  await begin?.(scene)
  const reports: Told[] = []
  let lists = 0
  for (const [at, step] of steps.entries()) {
    await step(scene)
    const before = scene.count('LIST')
    const {
      durationMs: _,
      problems: __,
      plan: ___,
      ...report
    } = await scene.poll(at === steps.length - 1 ? options : {})
    reports.push({ ...report, error: report.error === null ? null : { ...report.error, message: '' } })
    lists = scene.count('LIST') - before
    pass(MINUTE)
  }
  return { reports, lists, left: scene.left(), mail: scene.subjects(), record: await recordOf(scene) }
}

/** What is remembered of the account, but for what differs by itself. */
async function recordOf(scene: Scene) {
  await using ledger = await openLedger(scene.path('state/state.db'), { readOnly: true })
  const record = await ledger.account(scene.name)
  const { salt: _, maskedUidls: __, 'delivered to inbox': ___, ...facts } = record?.facts ?? {}
  return { ...record, facts, identity: null, mark: null, secretMark: null, error: record?.error?.code }
}

describe('after', () => {
  test.for(CASES)('$what: the $road road, and the same is told, done and remembered', async (each) => {
    const usual = await polled('usual', each)
    const { lists, ...short } = await polled('short', each)
    expect(usual.lists).toBeGreaterThan(0)
    expect(short).toEqual({ reports: usual.reports, left: usual.left, mail: usual.mail, record: usual.record })
    if (each.road === 'short') expect(lists).toBe(0)
    else expect(lists).toBeGreaterThan(0)
  })
})

test('a poll whose session ends before QUIT leaves no mark', async () => {
  await using scene = await Scene.create()
  scene.fill(2)
  for (let polls = 0; polls < 3; polls++) await scene.poll()
  scene.server.faults.onCommand = (verb) => (verb === 'STAT' || verb === 'LIST' ? 'drop' : 'serve')
  expect((await scene.poll()).outcome).toBe('failed')
  scene.server.faults.onCommand = null
  const before = scene.count('LIST')
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 2, skipped: 2 })
  expect(scene.count('LIST')).toBe(before + 1)
})

test('what is notable is noted as on the usual road', async () => {
  await using scene = await Scene.create()
  scene.fill(2)
  for (let polls = 0; polls < 2; polls++) await scene.poll()
  const usual = scene.notes.splice(0)
  await scene.poll()
  expect(scene.notes).toEqual(usual.slice(-scene.notes.length))
  expect(scene.notes).toContain('on the server: 2, new: 0, to fetch: 0')
})
