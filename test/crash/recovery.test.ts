/* oxlint-disable typescript/unbound-method */
// What was lost × where mail goes × what limits a poll × where it is killed × what happens meanwhile (HAZARDS G5). One judge: at every destination
// that can show it each message stands exactly once; at the others at least once, and once more for each record that was
// lost; nothing leaves the server that is not everywhere.
import { chmodSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { PollOptions } from '../../src/poll/report.ts'
import { mortal } from '../support/mortal-ledger.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { Scene } from '../poll/scene.ts'
import { RECOVERY_STEP, SEED } from './sizes.ts'

const LOST = ['ledger', 'older copy', 'UIDs'] as const
const LIMITS = ['none', 'limit: 3', 'first: new'] as const
const KILLED = [
  'nowhere',
  'before the first listing',
  'half way',
  'before it is recorded',
  'once it is recorded',
] as const

type Lost = (typeof LOST)[number]
type Killed = (typeof KILLED)[number]

interface Place {
  /** Can it show what it has? */
  readonly shows: boolean
  /** The numbers of the letters that it has. */
  has(scene: Scene, sink: SmtpSink): readonly number[]
}

const lettersIn = (text: string): readonly number[] =>
  [...text.matchAll(/^Subject: letter (\d+)\r?$/gm)].map(([, number]) => Number(number))

const fileOf = (scene: Scene, name: string): string =>
  existsSync(scene.path(name)) ? readFileSync(scene.path(name), 'latin1') : ''

const PLACES: Readonly<Record<string, Place>> = {
  inbox: { shows: true, has: (scene) => scene.subjects('inbox') },
  copy: { shows: true, has: (scene) => scene.subjects('copy') },
  box: { shows: true, has: (scene) => lettersIn(fileOf(scene, 'box')) },
  relay: {
    shows: false,
    has: (_, { messages }) => messages.flatMap(({ bytes }) => lettersIn(bytes.toString('latin1'))),
  },
  program: { shows: false, has: (scene) => lettersIn(fileOf(scene, 'taken')) },
}

const DESTINATIONS: readonly (readonly (keyof typeof PLACES)[])[] = [
  ['inbox'],
  ['box'],
  ['inbox', 'relay'],
  ['inbox', 'program'],
  ['inbox', 'copy'],
]

const TAKING_OVER = ['adopt', 'rekey', 'takeOver'] as const

const KILLERS: Readonly<Record<Killed, ((ledger: Ledger) => Ledger) | null>> = {
  nowhere: null,
  'before the first listing': null,
  'half way': (ledger) => mortal(ledger, { change: 2, made: true }, TAKING_OVER),
  'before it is recorded': (ledger) => mortal(ledger, { change: 1, made: false }, ['settle']),
  'once it is recorded': (ledger) => mortal(ledger, { change: 1, made: true }, ['settle']),
}

const MOST_POLLS = 12

let scene: Scene
let sink: SmtpSink
/** Letters that the server had and that were to be fetched. */
let sent: number[] = []

beforeEach(async () => {
  ;[scene, sink, sent] = [await Scene.create(), await SmtpSink.start(), []]
  const program = scene.path('program')
  writeFileSync(program, `#!/bin/sh\nexec cat >> '${scene.path('taken')}'\n`)
  chmodSync(program, 0o700)
  scene.destinations = [
    'inbox: { type: maildir, path: inbox }',
    'copy: { type: maildir, path: copy }',
    'box: { type: mbox, path: box }',
    `relay: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, to: a@example.com }`,
    `program: { type: command, run: ['${program}'] }`,
  ]
})

afterEach(async () => {
  await scene[Symbol.asyncDispose]()
  await sink[Symbol.asyncDispose]()
})

function mail(count: number): void {
  const from = scene.server.mailbox('alice').messages.length
  scene.fill(count, from)
  for (let at = from; at < from + count; at++) sent.push(at)
}

const CASES = LOST.flatMap((lost) =>
  DESTINATIONS.flatMap((names) => LIMITS.flatMap((limit) => KILLED.map((killed) => ({ lost, names, limit, killed })))),
)

/** All of them, or a share that has each value of each column. */
const CHOSEN = CASES.filter((_, at) => (at + SEED) % RECOVERY_STEP === 0)

interface Meanwhile {
  /** More kills than the first. */
  readonly kills: number
  /** Before each poll. */
  readonly before: () => void
}

/** What goes on while the record is mended. */
const MEANWHILE: Readonly<Record<string, Meanwhile>> = {
  'it is killed a second time': { kills: 1, before: () => {} },
  'a mail program reads and renames': { kills: 0, before: () => rename() },
  'both happen': { kills: 1, before: () => rename() },
}

test.each(CHOSEN)('$lost lost, to $names, $limit, killed $killed', async ({ lost, names, limit, killed }) => {
  await mended({ lost, names, limit, killed }, { kills: 0, before: () => {} })
})

const SECOND = LOST.flatMap((lost) =>
  DESTINATIONS.flatMap((names) =>
    LIMITS.flatMap((limit) =>
      Object.entries(MEANWHILE).map(([what, meanwhile]) => ({ lost, names, limit, what, meanwhile })),
    ),
  ),
).filter((_, at) => (at + SEED) % RECOVERY_STEP === 0)

test.each(SECOND)(
  '$lost lost, to $names, $limit, killed half way; then $what',
  async ({ lost, names, limit, meanwhile }) => {
    await mended({ lost, names, limit, killed: 'half way' }, meanwhile)
  },
)

type Case = (typeof CASES)[number]

async function mended({ lost, names, limit, killed }: Case, { kills, before }: Meanwhile): Promise<void> {
  scene.deliver = `[${names.join(', ')}]`
  await withHistory(lost, limit)
  lose(lost)
  mail(2)
  scene.server.faults.ignoreDeletes = false
  before()
  await dyingPoll(lost, killed)
  for (let kill = 0; kill < kills; kill++) {
    before()
    // Before anything is recorded of it, in the middle of what the first kill left.
    scene.ledgerOf = (ledger) =>
      mortal(ledger, { change: 2, made: false }, [...TAKING_OVER, 'begin', 'handOver', 'settle'])
    await scene.poll()
    scene.ledgerOf = (ledger) => ledger
  }
  for (let polls = 0; polls < MOST_POLLS; polls++) {
    before()
    const { outcome, delivered, deleted } = await scene.poll()
    judgeDeletions(names)
    if (outcome === 'ok' && delivered === 0 && deleted === 0) break
  }
  judge(names, lost, (killed === 'nowhere' ? 0 : 1) + kills)
  expect(scene.left()).toEqual([])
}

/** As a mail program does with what it has shown, under another name each time. */
function rename(): void {
  for (const name of ['inbox', 'copy']) {
    for (const file of scene.files(name)) {
      const [plain = '', flags = ''] = path.basename(file).split(':2,')
      renameSync(file, scene.path(`${name}/cur/${plain}:2,${flags.includes('S') ? '' : 'S'}`))
    }
  }
}

/** Four letters delivered, two of them since the ledger was copied. */
async function withHistory(lost: Lost, limit: string): Promise<void> {
  scene.account = ['delete: after-delivery', ...(limit === 'none' ? [] : [limit])]
  scene.server.faults.ignoreDeletes = true
  if (limit === 'first: new') {
    // Nothing is there yet but one letter, which goes.
    scene.fill(1, 900)
    await scene.poll()
    scene.server.mailbox('alice').messages.splice(0)
  }
  for (const kept of [true, false]) {
    mail(2)
    await scene.poll()
    await scene.poll()
    if (kept && lost === 'older copy') cpSync(scene.path('state'), scene.path('kept'), { recursive: true })
  }
}

function lose(lost: Lost): void {
  if (lost === 'UIDs') {
    for (const message of scene.server.mailbox('alice').messages) message.uidl = `new-${message.uidl}`
    return
  }
  rmSync(scene.path('state'), { recursive: true })
  if (lost === 'older copy') cpSync(scene.path('kept'), scene.path('state'), { recursive: true })
}

async function dyingPoll(lost: Lost, killed: Killed): Promise<void> {
  const options: Partial<PollOptions> = lost === 'UIDs' ? { acceptNewIds: true } : {}
  if (killed === 'before the first listing') scene.server.faults.reply.set('UIDL', '-ERR [SYS/TEMP] later')
  scene.ledgerOf = KILLERS[killed] ?? scene.ledgerOf
  expect(await scene.poll(options)).toMatchObject({ outcome: killed === 'nowhere' ? 'ok' : 'failed' })
  scene.ledgerOf = (ledger) => ledger
  scene.server.faults.reply.clear()
  // A person says so again, as long as nothing was begun.
  if (killed === 'before the first listing' && lost === 'UIDs') await scene.poll(options)
}

function judgeDeletions(names: readonly string[]): void {
  const left = new Set(scene.left().map((uidl) => Number(/\d+$/.exec(uidl)?.[0])))
  for (const number of sent.filter((one) => !left.has(one)))
    for (const name of names) expect(PLACES[name]?.has(scene, sink), `${number} is gone`).toContain(number)
}

function judge(names: readonly string[], lost: Lost, kills: number): void {
  const records = (lost === 'UIDs' ? 0 : 1) + kills
  for (const name of names) {
    const place = PLACES[name]
    const found = place?.has(scene, sink) ?? []
    for (const number of sent) {
      const copies = found.filter((one) => one === number).length
      const what = `copies of letter ${number} at ${name}`
      expect(copies, what).toBeGreaterThanOrEqual(1)
      expect(copies, what).toBeLessThanOrEqual(place?.shows === true ? 1 : 1 + records)
    }
  }
}
