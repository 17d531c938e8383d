// From a real Dovecot into a Maildir: exactly once, byte for byte, and deleted only where that was asked for.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { damaged, makeMessage, makeOddMessage, readMaildir } from './mail.ts'
import { only, openDesk, type Desk } from './popfetch.ts'

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot())
})
afterAll(() => servers.disposeAsync())

function config(desk: Desk, user: string, keys: object = {}): object {
  const { pop3Port, password } = dovecot
  const account = { host: '127.0.0.1', port: pop3Port, tls: 'none', user, password, deliver: 'inbox', ...keys }
  return { accounts: { here: account }, destinations: { inbox: { type: 'maildir', path: desk.maildir } } }
}

describe('two thousand messages', () => {
  test('arrive exactly once and unchanged, stay on the server, and are not fetched again', async () => {
    await using desk = await openDesk()
    await dovecot.seed('keep', 2_000, makeOddMessage)
    await desk.configure(config(desk, 'keep'))

    const first = await desk.run()
    expect(only(first)).toMatchObject({ outcome: 'ok', listed: 2_000, new: 2_000, delivered: 2_000, deleted: 0 })
    const arrived = await readMaildir(desk.maildir)
    expect(arrived.size).toBe(2_000)
    expect(damaged(arrived, 2_000, makeOddMessage)).toEqual([])

    const second = await desk.run()
    expect(only(second)).toMatchObject({
      outcome: 'ok',
      listed: 2_000,
      new: 0,
      delivered: 0,
      deleted: 0,
      skipped: 2_000,
    })
    expect((await readMaildir(desk.maildir)).size).toBe(2_000)
    expect(await dovecot.remaining('keep')).toBe(2_000)
  })

  test('are deleted after delivery when asked for', async () => {
    await using desk = await openDesk()
    await dovecot.seed('delete', 2_000, makeMessage)
    await desk.configure(config(desk, 'delete', { delete: 'after-delivery' }))

    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 2_000, deleted: 2_000 })
    expect(damaged(await readMaildir(desk.maildir), 2_000)).toEqual([])
    expect(await dovecot.remaining('delete')).toBe(0)

    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', listed: 0, delivered: 0 })
  })

  test('that were delivered before `delete` was set are deleted only after a --yes', async () => {
    await using desk = await openDesk()
    await dovecot.seed('later', 2_000, makeMessage)
    await desk.configure(config(desk, 'later'))
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 2_000 })

    await desk.configure(config(desk, 'later', { delete: 'after-delivery' }))
    const guarded = await desk.run()
    expect(only(guarded)).toMatchObject({ outcome: 'failed', deleted: 0, error: { code: 'ERR_DELETE_GUARD' } })
    expect(guarded.exitCode).toBe(78)
    expect(await dovecot.remaining('later')).toBe(2_000)

    expect(only(await desk.run('--yes'))).toMatchObject({ outcome: 'ok', delivered: 0, deleted: 2_000 })
    expect(await dovecot.remaining('later')).toBe(0)
    expect((await readMaildir(desk.maildir)).size).toBe(2_000)
  })
})

test('mail that came meanwhile is fetched, and only that', async () => {
  await using desk = await openDesk()
  await dovecot.seed('more', 20, makeMessage)
  await desk.configure(config(desk, 'more'))
  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 20 })

  await dovecot.seed('more', 5, (index) => makeMessage(20 + index))

  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', listed: 25, new: 5, delivered: 5, skipped: 20 })
  expect(damaged(await readMaildir(desk.maildir), 25)).toEqual([])
})

test('`check` says what is waiting and fetches nothing', async () => {
  await using desk = await openDesk()
  await dovecot.seed('check', 7, makeMessage)
  await desk.configure(config(desk, 'check'))

  const result = await desk.run('check')

  expect(only(result)).toMatchObject({ outcome: 'ok', waiting: 7, new: 7 })
  expect(result.exitCode).toBe(0)
  expect((await readMaildir(desk.maildir)).size).toBe(0)
  expect(only(await desk.run())).toMatchObject({ new: 7, delivered: 7 })
})

describe('forty accounts at once', () => {
  const names = Array.from({ length: 40 }, (_, index) => `many-${index}`)
  function many(desk: Desk, wrong: readonly string[]): object {
    const { pop3Port, password } = dovecot
    const account = (user: string): object => ({
      host: '127.0.0.1',
      port: pop3Port,
      tls: 'none',
      user,
      password: wrong.includes(user) ? 'wrong' : password,
      deliver: 'inbox',
    })
    return {
      accounts: Object.fromEntries(names.map((name) => [name, account(name)])),
      destinations: { inbox: { type: 'maildir', path: join(desk.maildir, '{account}') } },
    }
  }

  test('each get their own mail; one with a wrong password stops only itself', async () => {
    await using desk = await openDesk()
    for (const [at, name] of names.entries()) await dovecot.seed(name, 50, (index) => makeMessage(at * 50 + index))
    await desk.configure(many(desk, ['many-7']))

    const result = await desk.run()

    expect(result.exitCode).toBe(77)
    const failed = result.accounts.filter((account) => account.outcome !== 'ok')
    expect(failed.map((account) => account.account)).toEqual(['many-7'])
    for (const [at, name] of names.entries()) {
      if (name === 'many-7') continue
      const arrived = await readMaildir(join(desk.maildir, name))
      expect(damaged(arrived, 50, (index) => makeMessage(at * 50 + index))).toEqual([])
    }

    await desk.configure(many(desk, []))
    const second = await desk.run()
    expect(second.exitCode).toBe(0)
    expect(second.accounts.filter((account) => account.delivered > 0)).toMatchObject([
      { account: 'many-7', delivered: 50 },
    ])
  })
})
