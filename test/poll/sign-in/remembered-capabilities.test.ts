import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { RememberedCapabilities } from '../../../src/poll/sign-in/remembered-capabilities.ts'
import { type Capabilities, noCapabilities } from '../../../src/pop3/wire/capabilities.ts'
import { StaleCapabilities } from '../../../src/pop3/recoverable.ts'
import { caFile } from '../../support/certificates.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

const blob = Buffer.from('\0alice\0secret').toString('base64')
const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2026, 10, 24)

async function sceneOf(tls: 'implicit' | 'starttls'): Promise<Scene> {
  const scene = await Scene.create({ tls })
  scene.account = [`ca: ${caFile}`]
  scene.server.mailbox('alice')
  return scene
}

/** What one more poll says, session by session. */
async function commandsOf(scene: Scene): Promise<{ readonly said: string[]; readonly error: string | undefined }> {
  const before = scene.server.journal.commands().length
  const report = await scene.poll()
  return { said: scene.server.journal.commands().slice(before), error: report.error?.code }
}

const short = [`AUTH PLAIN ${blob}`, 'CAPA', 'LIST', 'UIDL', 'QUIT']
const long = ['CAPA', ...short]
/** Of a mailbox that is as it was. */
const known = [`AUTH PLAIN ${blob}`, 'CAPA', 'STAT', 'UIDL', 'QUIT']

describe('an idle poll of a server that is known', () => {
  test('signs in first: three exchanges', async () => {
    await using scene = await sceneOf('implicit')
    expect(await commandsOf(scene)).toMatchObject({ said: long })
    expect(await commandsOf(scene)).toMatchObject({ said: short })
    expect(await commandsOf(scene)).toMatchObject({ said: known })
  })

  test('asks for TLS as ever, and signs in under it (P042)', async () => {
    await using scene = await sceneOf('starttls')
    expect(await commandsOf(scene)).toMatchObject({ said: ['CAPA', 'STLS', ...long] })
    expect(await commandsOf(scene)).toMatchObject({ said: ['STLS', ...short] })
    scene.server.faults.reply.set('STLS', '-ERR not today')
    expect(await commandsOf(scene)).toEqual({ said: ['STLS'], error: 'ERR_TLS' })
  })

  test('asks what the server can do each time where there is no TLS', async () => {
    await using scene = await Scene.create()
    scene.server.mailbox('alice')
    for (let count = 0; count < 2; count++) expect(await commandsOf(scene)).toMatchObject({ said: long })
  })

  test('says UTF8 first where that was offered (P040)', async () => {
    await using scene = await sceneOf('implicit')
    scene.server.capabilities?.afterTls.push('UTF8')
    scene.server.faults.reply.set('UTF8', '+OK')
    await scene.poll()
    expect(await commandsOf(scene)).toMatchObject({ said: ['UTF8', ...short] })
  })

  test('asks again once the server says something else after sign-in (P036)', async () => {
    await using scene = await sceneOf('implicit')
    await scene.poll()
    scene.server.capabilities?.afterLogin.push('SASL PLAIN SCRAM-SHA-256')
    expect(await commandsOf(scene)).toMatchObject({ said: short })
    expect(await commandsOf(scene)).toMatchObject({ said: ['CAPA', ...known] })
    expect(await commandsOf(scene)).toMatchObject({ said: known })
  })

  test('asks each time where CAPA is refused after sign-in: what QUIT may drop is said only before (P036, P129)', async () => {
    await using scene = await sceneOf('implicit')
    scene.server.capabilities?.afterTls.push('EXPIRE 0')
    refuseCapaAfterSignIn(scene)
    await scene.poll()
    await fetchInVain(scene)
    expect(scene.count('QUIT')).toBe(1)
    expect(scene.count('CAPA')).toBe(4)
  })

  test('is begun again where CAPA is refused after sign-in from today on (P129)', async () => {
    await using scene = await sceneOf('implicit')
    scene.server.capabilities?.afterTls.push('EXPIRE 0')
    scene.server.capabilities?.afterLogin.push('EXPIRE 0')
    await scene.poll()
    refuseCapaAfterSignIn(scene)
    await fetchInVain(scene)
    expect(scene.count('QUIT')).toBe(1)
    expect(scene.notes).toContain('the server no longer offers what it did: asking again')
  })

  test('sends its first commands together where the server pipelines only after sign-in', async () => {
    await using scene = await sceneOf('implicit')
    const { capabilities, faults } = scene.server
    capabilities?.afterTls.splice(capabilities.afterTls.indexOf('PIPELINING'), 1)
    await scene.poll()
    // Drops what comes in one packet with another command: so that it did is seen.
    faults.pipelining = 'close'
    const { said } = await commandsOf(scene)
    expect(said.slice(0, 2)).toEqual(short.slice(0, 2))
    expect(scene.notes.some((note) => note.includes('one at a time'))).toBe(true)
  })
})

describe('a sign-in by memory that is refused', () => {
  test('because the server has other mechanisms now is made again in another session, and no refused password (P052)', async () => {
    await using scene = await sceneOf('implicit')
    await scene.poll()
    scene.server.mechanisms.delete('PLAIN')
    const { capabilities } = scene.server
    if (capabilities !== null) capabilities.afterTls = ['UIDL', 'SASL LOGIN']
    const { said, error } = await commandsOf(scene)
    expect(error).toBeUndefined()
    expect(said).toEqual([`AUTH PLAIN ${blob}`, 'CAPA', 'CAPA', 'AUTH LOGIN', 'YWxpY2U=', 'c2VjcmV0', ...long.slice(2)])
    expect(await refusals(scene)).toBe(0)
  })

  test('for its password counts as ever, is not tried twice, and the next poll asks first', async () => {
    await using scene = await sceneOf('implicit')
    await scene.poll()
    scene.server.mailbox('alice', 'another')
    expect(await commandsOf(scene)).toEqual({ said: [`AUTH PLAIN ${blob}`, 'CAPA'], error: 'ERR_AUTH' })
    expect(await refusals(scene)).toBe(1)
    expect(await commandsOf(scene)).toEqual({ said: ['CAPA', `AUTH PLAIN ${blob}`], error: 'ERR_AUTH' })
  })

  test('by a server that closes then is a refused password', async () => {
    await using scene = await sceneOf('implicit')
    await scene.poll()
    scene.server.faults.onCommand = (verb) => (verb === 'AUTH' ? { answer: '-ERR no', next: 'drop' } : 'serve')
    expect((await commandsOf(scene)).error).toBe('ERR_AUTH')
  })

  test('is left alone where the server is only busy', async () => {
    await using scene = await sceneOf('implicit')
    await scene.poll()
    scene.server.faults.reply.set('AUTH', '-ERR [IN-USE] locked')
    expect(await commandsOf(scene)).toEqual({ said: [`AUTH PLAIN ${blob}`], error: 'ERR_POP3_REPLY' })
  })

  test('before a word of it was said, since another mechanism is configured now, is made again', async () => {
    await using scene = await sceneOf('implicit')
    const { capabilities } = scene.server
    if (capabilities !== null) capabilities.afterTls = ['UIDL', 'PIPELINING', 'SASL PLAIN']
    await scene.poll()
    if (capabilities !== null) capabilities.afterTls = ['UIDL', 'PIPELINING', 'SASL PLAIN LOGIN']
    scene.account = [...scene.account, 'auth: login']
    const { said, error } = await commandsOf(scene)
    expect(error).toBeUndefined()
    expect(said.slice(0, 2)).toEqual(['CAPA', 'AUTH LOGIN'])
  })
})

function refuseCapaAfterSignIn({ server }: Scene): void {
  server.faults.onCommand = (verb, _, { user }) => (verb === 'CAPA' && user !== '' ? '-ERR not now' : 'serve')
}

/** Two messages, and the next hop takes none. */
async function fetchInVain(scene: Scene): Promise<void> {
  await using sink = await SmtpSink.start()
  sink.faults.rcpt = '451 4.3.0 later'
  scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
  scene.deliver = 'next'
  scene.fill(2)
  expect(await scene.poll()).toMatchObject({ deferred: 2 })
}

async function refusals(scene: Scene): Promise<number | undefined> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  return (await ledger.accounts())[0]?.refusals
}

describe('what is remembered of what a server can do', () => {
  const before: Capabilities = {
    ...noCapabilities,
    names: new Set(['UTF8', 'X']),
    sasl: new Set(['PLAIN', 'SCRAM-SHA-1']),
  }
  const after: Capabilities = { ...noCapabilities, names: new Set(['PIPELINING', 'X']) }

  test('is how to sign in, and what may be sent together', async () => {
    const account = await accountOf({})
    const fact = learnt(account)
    const { current: capabilities } = new RememberedCapabilities(account, fact, NOW_MS)
    expect(capabilities).toMatchObject({ names: new Set(['PIPELINING', 'UTF8']), sasl: before.sasl })
  })

  test.each([
    ['after a day', {}, NOW_MS + DAY_MS],
    ['when the clock was set back by a day', {}, NOW_MS - DAY_MS],
    ['of another host', { host: 'pop.example.org' }, NOW_MS],
    ['of another port', { port: '1995' }, NOW_MS],
    ['of another kind of TLS', { tls: 'starttls' }, NOW_MS],
    ['without TLS', { tls: 'none' }, NOW_MS],
    ['for APOP', { auth: 'apop' }, NOW_MS],
  ] as const)('is not, %s', async (_, changes, nowMs) => {
    const fact = learnt(await accountOf({}))
    expect(fact).toBeDefined()
    expect(new RememberedCapabilities(await accountOf(changes), fact, nowMs).current).toBeNull()
  })

  test.each(['', 'null', '[]', '{"of":1}', '{"of":"implicit pop.example.net:995","sinceMs":"x","mark":""}'])(
    'is nothing where it reads %j',
    async (fact) => {
      expect(new RememberedCapabilities(await accountOf({}), fact, NOW_MS).current).toBeNull()
    },
  )

  test('is nothing of a server that does not answer CAPA, at first or after sign-in', async () => {
    for (const [first, second] of [
      [noCapabilities, after],
      [before, noCapabilities],
    ] as const) {
      const remembered = new RememberedCapabilities(await accountOf({}), undefined, NOW_MS)
      remembered.learn(first, second)
      expect(remembered.facts).toEqual({ capabilities: null })
    }
  })

  test('is forgotten when a session fails, whatever the reason, and one that offers something else has another', async () => {
    const account = await accountOf({})
    const fact = learnt(account)
    const lost = new RememberedCapabilities(account, fact, NOW_MS)
    expect(lost.doubtAfter(new Error('lost'))).toBeNull()
    expect(lost).toMatchObject({ current: null, facts: { capabilities: null } })
    expect(new RememberedCapabilities(account, fact, NOW_MS).doubtAfter(new StaleCapabilities(null))).toContain(
      'asking again',
    )
    expect(new RememberedCapabilities(account, undefined, NOW_MS).doubtAfter(new Error('lost'))).toBeNull()
  })

  function learnt(account: Awaited<ReturnType<typeof accountOf>>): string | undefined {
    const remembered = new RememberedCapabilities(account, undefined, NOW_MS)
    remembered.learn(before, after)
    return remembered.facts['capabilities'] ?? undefined
  }
})

async function accountOf(changes: Readonly<Record<string, string>>) {
  await using scene = await Scene.create()
  const keys = {
    host: 'pop.example.net',
    tls: 'implicit',
    user: 'alice',
    password: 'x',
    deliver: 'maildir:x',
    ...changes,
  }
  const lines = Object.entries(keys).map(([key, value]) => `    ${key}: ${value}`)
  const file = scene.path('other.yaml')
  writeFileSync(file, ['accounts:', '  a:', ...lines].join('\n'), { mode: 0o600 })
  const configuration = await loadConfiguration({
    file,
    state: null,
    env: { HOME: scene.directory },
    cwd: '/',
    uid: process.getuid?.() ?? 0,
  })
  const [account] = configuration.accounts
  if (account === undefined) throw new Error('no account')
  return account
}
