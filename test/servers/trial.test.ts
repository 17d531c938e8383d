// Twelve mailboxes of a real Dovecot, the real fetchmail with procmail, and popfetch beside it for a week. Then the comparison, the
// switch, a while with popfetch alone, and the way back. In the mailbox of procmail each message is exactly once, throughout.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { Home } from './home.ts'
import { makeMessage, messageId } from './mail.ts'
import { findProgram } from './program.ts'

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot())
})
afterAll(() => servers.disposeAsync())

const usersOf = (policy: string): readonly string[] => Array.from({ length: 12 }, (_, at) => `${policy}-${at}`)

/** Mail that comes to all mailboxes, and what came so far. */
class Post {
  readonly came: string[] = []
  readonly users: readonly string[]
  #next = 0

  constructor(policy: string) {
    this.users = usersOf(policy)
  }

  async comes(count: number, users = this.users): Promise<void> {
    for (const user of users) {
      const from = this.#next
      this.#next += count
      await dovecot.seed(user, count, (at) => makeMessage(from + at))
      for (let at = from; at < this.#next; at++) this.came.push(messageId(makeMessage(at)))
    }
  }

  get ids(): readonly string[] {
    return this.came.toSorted()
  }
}

async function office(policy: 'keep' | 'nokeep') {
  const fetchmail = await findProgram('fetchmail', 'fetchmail')
  const procmail = await findProgram('procmail', 'procmail')
  const home = await Home.make()
  await home.write('.procmailrc', `DEFAULT=${home.path}/Mail/\nMAILDIR=${home.path}/Mail\nVERBOSE=no\n`)
  const entries = usersOf(policy).map(
    (user, at) => `poll isp-${at} via 127.0.0.1 port ${dovecot.pop3Port}
      user "${user}" there with password "${dovecot.password}" is alice here ${policy}\n`,
  )
  await home.write(
    '.fetchmailrc',
    `# the office\ndefaults protocol POP3 uidl sslproto '' mda "${procmail} ${home.path}/.procmailrc"\n${entries.join('')}`,
  )
  return {
    home,
    fetchmail: () => home.run(fetchmail, ['--nodetach', '--silent'], [0, 1]),
    popfetch: async () => JSON.parse(await home.popfetch('--json')) as { readonly ok: boolean },
  }
}

test('a week beside fetchmail, the switch, and back: nothing twice, nothing missing', async () => {
  const { home, fetchmail, popfetch } = await office('keep')
  await using _ = home
  const post = new Post('keep')
  await post.comes(3)
  await fetchmail()
  expect(await home.mail()).toEqual(post.ids)

  const told = await home.popfetch('import', 'fetchmail', '--trial')
  expect(told).toContain('isp-11: 3 messages already fetched by fetchmail')
  for (let day = 0; day < 7; day++) {
    await post.comes(1 + (day % 2))
    if (day % 3 === 0) await Promise.all([fetchmail(), popfetch()])
    else if (day % 3 === 1) for (const each of [fetchmail, popfetch]) await each()
    else for (const each of [popfetch, fetchmail]) await each()
    expect(await home.mail()).toEqual(post.ids)
  }
  expect(await popfetch()).toMatchObject({ ok: true })

  // The last evening: one mail that only fetchmail takes, one that only popfetch takes, and one that is deleted by hand after that.
  await post.comes(1)
  await fetchmail()
  await post.comes(1, post.users.slice(0, 6))
  await popfetch()
  const before = await home.mail()

  const finished = await home.popfetch('import', 'fetchmail', '--finish-trial')
  expect(finished).toContain('isp-0: only popfetch had 1, due at the next poll:')
  expect(finished).not.toContain('isp-6: only popfetch had')
  const config = await readFile(join(home.path, '.config/popfetch/config.yaml'), 'utf8')
  expect(config).not.toMatch(/^ *deliver: trial/m)
  expect(config).not.toContain('# after the trial: deliver')
  await home.popfetch('config', 'check')
  expect(await home.mail()).toEqual(before)

  // The switch.
  expect(await popfetch()).toMatchObject({ ok: true })
  expect(await home.mail()).toEqual(post.ids)
  for (let day = 0; day < 2; day++) {
    await post.comes(1)
    expect(await popfetch()).toMatchObject({ ok: true })
    expect(await home.mail()).toEqual(post.ids)
  }

  // And back, with nothing but what popfetch writes.
  await rm(join(home.path, '.fetchids'))
  await home.popfetch('state', 'export', '--as', 'fetchmail', '--output', '.fetchids')
  await post.comes(1)
  await fetchmail()
  expect(await home.mail()).toEqual(post.ids)
  await fetchmail()
  expect(await home.mail()).toEqual(post.ids)
  for (const user of post.users) expect(await dovecot.remaining(user)).toBeGreaterThan(10)
})

test('beside a fetchmail that deletes: the trial warns, and the switch neither loses nor doubles what is left', async () => {
  const { home, fetchmail, popfetch } = await office('nokeep')
  await using _ = home
  const post = new Post('nokeep')
  await home.popfetch('import', 'fetchmail', '--trial')
  for (let day = 0; day < 4; day++) {
    await post.comes(1)
    await popfetch()
    await fetchmail()
  }
  expect(await home.mail()).toEqual(post.ids)
  // Both see it; fetchmail is stopped before it takes it.
  await post.comes(2)
  await popfetch()
  const finished = await home.popfetch('import', 'fetchmail', '--finish-trial')
  expect(finished).toContain('only popfetch had 2, due at the next poll')
  expect(await popfetch()).toMatchObject({ ok: true })
  expect(await home.mail()).toEqual(post.ids)
  for (const user of post.users) expect(await dovecot.remaining(user)).toBe(0)
})
