// An account that polls a mailbox after a migration: nothing comes twice, nothing that came between is missed (DESIGN 4.1).
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadConfiguration } from '../../src/config/load.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { migrateAll, type MigrationOptions } from '../../src/migrate/migrate.ts'
import { letter, Scene, upTo } from '../poll/scene.ts'
import { mortal } from '../support/mortal-ledger.ts'

const OWN = 'state/migrations/0123456789abcdef01234567.db'

interface Moved extends Partial<MigrationOptions> {
  readonly user?: string
  readonly signal?: AbortSignal
}

async function scene(): Promise<Scene> {
  const made = await Scene.create()
  onTestFinished(() => made[Symbol.asyncDispose]())
  return made
}

/** Moves the mailbox into another Maildir, with a ledger of its own as for a URL. */
async function migrate(at: Scene, { user = 'alice', signal, ...options }: Moved = {}) {
  const file = at.path('migration.yaml')
  const { writeFileSync } = await import('node:fs')
  const account = `{ host: ${at.server.host}, port: ${at.server.port}, tls: none, user: ${user}, password: secret, deliver: archive }`
  writeFileSync(
    file,
    `accounts:\n  moved: ${account}\ndestinations:\n  archive: { type: maildir, path: archive }\nstate: ${OWN}\n`,
    { mode: 0o600 },
  )
  const context = { file, state: null, env: { HOME: at.directory }, cwd: at.directory, uid: process.getuid?.() ?? 0 }
  const configuration = await loadConfiguration(context)
  await using ledger = await openLedger(configuration.statePath)
  const [report] = await migrateAll({
    configuration,
    accounts: configuration.accounts,
    ledger,
    ownLedger: true,
    memo: '',
    options: {
      delete: false,
      limit: null,
      sinceMs: null,
      maxBytesPerSecond: null,
      keepTryingMs: null,
      yes: false,
      dryRun: false,
      ...options,
    },
    observer: { progress: () => {}, pause: () => {}, note: () => {} },
    log: silentLog,
    env: {},
    signal: signal ?? new AbortController().signal,
    nowMs: Date.now,
    wait: () => Promise.resolve(),
  })
  return report
}

test.each([[], ['first: new'], ['first: last:1']])(
  'what was moved does not come again, and what came since does, whatever else is configured (%s)',
  async (...account) => {
    const at = await scene()
    at.fill(30)
    expect(await migrate(at)).toMatchObject({ outcome: 'ok', verified: 30 })
    at.fill(3, 30)
    at.account = account
    expect(await at.poll()).toMatchObject({ outcome: 'ok', new: 3, delivered: 3 })
    expect(at.subjects()).toEqual([30, 31, 32])
    expect(at.notes).toContain('30 messages that a migration moved are taken over, and do not come again')
    expect(await at.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
    expect(at.count('RETR')).toBe(33)
  },
)

test('a migration that was interrupted is no record yet', async () => {
  const at = await scene()
  at.fill(5)
  const stop = new AbortController()
  at.server.faults.onCommand = (verb) => {
    if (verb === 'QUIT') stop.abort()
    return 'serve'
  }
  expect(await migrate(at, { signal: stop.signal })).toMatchObject({ outcome: 'interrupted' })
  at.server.faults.onCommand = null
  expect(await at.poll()).toMatchObject({ delivered: 5 })
})

test('what a migration could not move is fetched', async () => {
  const at = await scene()
  at.fill(6)
  expect(await migrate(at, { limit: 4 })).toMatchObject({ outcome: 'ok', verified: 4, beyondLimit: 2 })
  expect(await at.poll()).toMatchObject({ delivered: 2 })
  expect(at.subjects()).toEqual([4, 5])
})

test('the mailbox of another user takes nothing over', async () => {
  const at = await scene()
  at.fill(2)
  at.server.mailbox('bob').add(letter(7), { uidl: 'uid-0' })
  expect(await migrate(at, { user: 'bob' })).toMatchObject({ outcome: 'ok', verified: 1 })
  expect(await at.poll()).toMatchObject({ delivered: 2 })
})

test('a dry run takes nothing over', async () => {
  const at = await scene()
  at.fill(2)
  await migrate(at)
  await at.poll({ dryRun: true })
  expect(at.notes).toContain('a finished migration knows this mailbox: the next poll takes over its record')
  expect(await at.poll()).toMatchObject({ new: 0, delivered: 0 })
})

test('what was moved and deleted there is no reason to think that the UIDs have changed (S020)', async () => {
  const at = await scene()
  at.fill(25)
  expect(await migrate(at, { delete: true })).toMatchObject({ outcome: 'ok', deleted: 25 })
  at.fill(22, 25)
  expect(await at.poll()).toMatchObject({ outcome: 'ok', delivered: 22 })
})

test('other UIDs than the migration saw stop the first poll: all would come twice (S020)', async () => {
  const at = await scene()
  at.fill(25)
  await migrate(at)
  const mailbox = at.server.mailbox('alice')
  mailbox.messages.splice(0)
  for (const number of upTo(25)) mailbox.add(letter(number), { uidl: `other-${number}` })
  expect(await at.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_UIDS_CHANGED' } })
  expect(await at.poll({ acceptNewIds: true })).toMatchObject({ outcome: 'ok', delivered: 0 })
})

test('an account that deletes what it fetches does not empty the mailbox unasked (S022)', async () => {
  const at = await scene()
  at.fill(60)
  await migrate(at)
  at.account = ['delete: after-delivery']
  expect(await at.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_DELETE_GUARD' } })
  expect(at.left()).toHaveLength(60)
  expect(await at.poll({ yes: true })).toMatchObject({ outcome: 'ok', deleted: 60 })
})

test('killed at any change of the ledger, it goes on at the next poll', async () => {
  const changes = ['adopt', 'confirm', 'start', 'finish'] as const
  for (let change = 1; ; change++) {
    const at = await scene()
    at.fill(4)
    await migrate(at)
    at.fill(1, 4)
    at.ledgerOf = (ledger) => mortal(ledger, { change, made: change % 2 === 0 }, changes)
    const first = await at.poll()
    at.ledgerOf = (ledger) => ledger
    await at.poll()
    expect(at.subjects(), `change ${change}`).toEqual([4])
    if (first.outcome === 'ok') break
  }
})

test('the ledger of a migration that cannot be read costs the account nothing', async () => {
  const at = await scene()
  at.fill(2)
  await migrate(at)
  const { writeFileSync } = await import('node:fs')
  writeFileSync(path.join(at.directory, 'state/migrations/ffffffffffffffffffffffff.db'), 'no ledger', { mode: 0o600 })
  expect(await at.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
})
