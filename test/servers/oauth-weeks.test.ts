// Two people sign in once, one by each flow; then simulated weeks pass. Tokens rotate, and an old one that comes again ends the
// sign-in. Cron and a daemon poll at once, and `auth --token` asks beside them. Processes are killed at seeded moments, and now
// and then as they ask the provider. Nobody is needed again, except where an answer of the provider was lost; then the text
// says so.
//
// The built program, a real Dovecot, a real authorization server. A sample of steps of a day or two: three weeks in half a minute.
// `WEEKS=whole npm run test:servers -- oauth-weeks`: each hour of three weeks; STEPS=n: fewer of them. SEED=n: other moments.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { Random } from '../fuzz/random.ts'
import { AuthorizationServer, CLIENT_ID, MAIL_SERVER } from '../support/authorization-server.ts'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { afterField, damaged, makeMessage, messageId, readMaildir } from './mail.ts'
import { World } from './days.ts'
import { keptIn, signIn } from './popfetch-auth.ts'

const HOUR_MS = 3_600_000
const IS_WHOLE = process.env['WEEKS'] === 'whole'
const STEPS = IS_WHOLE ? Number(process.env['STEPS'] ?? 504) : 12
/** Longer than a token serves: each step renews. */
const STEP_MS = IS_WHOLE ? [HOUR_MS, 2 * HOUR_MS] : [24 * HOUR_MS, 60 * HOUR_MS]
const SEED = Number(process.env['SEED'] ?? 16)

const FLOWS = { 'dora@example.org': '--device', 'bruno@example.org': '--browser' } as const
type Person = keyof typeof FLOWS
const PEOPLE = Object.keys(FLOWS) as readonly Person[]

const servers = new AsyncDisposableStack()
let provider: AuthorizationServer
let dovecot: Dovecot
beforeAll(async () => {
  provider = servers.use(await AuthorizationServer.start({ accessSeconds: 3600 }))
  const introspection = new URL('/token/introspection', provider.issuer)
  introspection.username = MAIL_SERVER.id
  introspection.password = MAIL_SERVER.secret
  const mechanisms = ['xoauth2', 'oauthbearer']
  dovecot = servers.use(await startDovecot({ mechanisms, imap: true, tokens: { introspection: introspection.href } }))
})
afterAll(() => servers.disposeAsync())
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }))
afterEach(() => void vi.useRealTimers())

const maildir = (directory: string, account: string): string => join(directory, `Mail-${account}`)

/** Two accounts each, so that one process may ask for a token while another does; and a destination with the same sign-in. */
function configuration(directory: string): object {
  const token = { oauth: 'company' }
  const common = { host: 'localhost', ca: dovecot.certificate.caFile, token }
  const [dora, bruno] = PEOPLE
  const into = (account: string): object => ({ type: 'maildir', path: maildir(directory, account) })
  return {
    oauth: { company: { issuer: provider.issuer, clientId: CLIENT_ID, scopes: ['openid', 'email', 'mail'] } },
    defaults: { poll: '20d' },
    log: { file: join(directory, 'log') },
    destinations: {
      shelf: { type: 'imap', ...common, tls: 'implicit', port: dovecot.imapsPort, user: dora, folder: 'Shelf' },
    },
    accounts: {
      dora: { ...common, port: dovecot.pop3sPort, user: dora, auth: 'xoauth2', deliver: into('dora') },
      dora2: { ...common, port: dovecot.pop3Port, tls: 'starttls', user: dora, deliver: into('dora2') },
      bruno: {
        ...common,
        port: dovecot.pop3sPort,
        user: bruno,
        auth: 'oauthbearer',
        deliver: [into('bruno'), 'shelf'],
      },
      bruno2: { ...common, port: dovecot.pop3Port, tls: 'starttls', user: bruno, deliver: into('bruno2') },
    },
  }
}

/** What the mail server says of it. */
const logTail = async (): Promise<string> => (await dovecot.log()).split('\n').slice(-30).join('\n')

/** What the provider was asked for; Dovecot asks it about tokens all the time. */
const asked = (): readonly string[] => provider.journal.filter((line) => !line.endsWith('/token/introspection'))

/** Who needs a person: the provider has given something that no process is left to write, and that is not on the disk. */
async function lost(world: World): Promise<ReadonlySet<Person>> {
  await world.idle()
  const folder = join(world.desk.directory, 'oauth')
  // An answer that was written whole, and has no name yet because of a kill, is taken up by the next poll.
  const names = (await readdir(folder)).filter((name) => name.includes('.json'))
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  const isKept = (person: Person): boolean => texts.some((text) => text.includes(provider.newest.get(person) ?? ''))
  return new Set(PEOPLE.filter((person) => !isKept(person)))
}

test(
  `${STEPS} steps: a person is needed only where an answer was lost, and when the grant is revoked`,
  { timeout: 14_400_000 },
  async () => {
    const chance = new Random(SEED)
    await using world = await World.make(configuration)
    for (const person of PEOPLE) await dovecot.mailbox(person)
    for (const person of PEOPLE) {
      const [account = ''] = person.split('@')
      const { exitCode, said } = await signIn(world.desk, person, [account, FLOWS[person]], world.program)
      expect(said).toContain(`signed in: ${person} via company (${account}, ${account}2`)
      expect(exitCode).toBe(0)
    }
    await world.daemon()
    let seeded = 0
    let kills = 0
    const needed: string[] = []
    for (let step = 0; step < STEPS; step++) {
      if (IS_WHOLE && step % 20 === 0) console.log({ step, kills, needed: needed.length })
      const [least = 0, most = 0] = STEP_MS
      await world.advance(least + chance.below(most - least))
      const number = seeded++
      for (const person of PEOPLE) await dovecot.seed(person, 1, () => makeMessage(number))
      const daemon = await world.daemon()

      // As it asks, or after it was answered, every process dies.
      const dies = chance.below(12)
      if (dies < 2) {
        const afterwards = dies === 0
        kills++
        provider.faults.push({
          path: '/token',
          exact: true,
          afterwards,
          answer: (request) => (world.killAll(), void request.socket.destroy()),
        })
      }
      const own = chance.below(2) === 0
      const killMs = chance.below(4) === 0 ? chance.below(1500) : null
      const daemonKillMs = chance.below(6) === 0 ? chance.below(1500) : null
      kills += Number(killMs !== null) + Number(daemonKillMs !== null)
      const [cron, token] = await Promise.all([
        world.run(own ? ['--limit', '500'] : [], killMs),
        world.run(['auth', '--token', chance.below(2) === 0 ? 'bruno' : 'shelf']),
        world.run(['wake']),
        daemonKillMs === null ? null : wait(daemonKillMs).then(() => daemon.kill('SIGKILL')),
      ])
      provider.faults.length = 0

      const gone = await lost(world)
      // Only where something was lost may a sign-in have ended, and then it is said why.
      for (const { user, ended } of (await keptIn(world.desk.directory)).values()) {
        if (ended === null) continue
        expect(ended.message).toMatch(/a renewal was interrupted before.*popfetch auth/)
        expect([...gone]).toContain(user)
      }
      // What nobody killed loses nothing.
      const isKilled = killMs !== null || daemonKillMs !== null || dies < 2
      if (!isKilled) expect([...gone]).toEqual([])
      if (gone.size > 0) {
        await world.advance(HOUR_MS)
        await world.run(['--limit', '500'])
        await world.idle()
        expect(await world.run(['--limit', '500'])).toMatchObject({ exitCode: 77, said: '' })
        const kept = await keptIn(world.desk.directory)
        for (const person of gone) {
          expect(kept.get(person)?.ended?.message).toMatch(/a renewal was interrupted before.*popfetch auth/)
          needed.push(`${step}: ${person}`)
          const [account = ''] = person.split('@')
          const flow = chance.below(2) === 0 ? '--browser' : '--device'
          expect(await signIn(world.desk, person, [account, flow], world.program)).toMatchObject({ exitCode: 0 })
        }
      }
      const isWell = gone.size === 0 && !isKilled
      if (isWell)
        for (const { exitCode, said, words } of [cron, token])
          expect({ exitCode, said, words }, await logTail()).toEqual({ exitCode: 0, said: '', words })
      // With tokens that serve, nothing is asked.
      if (gone.size === 0 && chance.below(3) === 0) {
        expect((await world.run(['auth', '--token', 'bruno'])).exitCode).toBe(0)
        expect((await world.run(['auth', '--token', 'dora'])).exitCode).toBe(0)
        await world.idle()
        const before = asked()
        await world.run(['--limit', '500'])
        await world.run(['auth', '--token', 'dora'])
        expect(asked()).toEqual(before)
      }
    }
    if (IS_WHOLE) console.log({ steps: STEPS, kills, needed })

    // All mail is there, once.
    await world.daemon()
    await world.idle()
    await world.advance(HOUR_MS)
    expect(await world.run([])).toMatchObject({ exitCode: 0 })
    await world.idle()
    for (const account of ['dora', 'dora2', 'bruno', 'bruno2']) {
      expect(damaged(await readMaildir(maildir(world.desk.directory, account)), seeded)).toEqual([])
    }
    const shelf = await readMaildir(join((await dovecot.mailbox('dora@example.org')).maildir, '.Shelf'))
    expect(damaged(new Map([...shelf.values()].map((bytes) => [messageId(bytes), afterField(bytes)])), seeded)).toEqual(
      [],
    )

    // Revoked elsewhere: one request, told once; the others go on.
    const [dora, bruno] = ['dora@example.org', 'bruno@example.org']
    const kept = (await keptIn(world.desk.directory)).get(dora)
    await world.run(['auth', '--token', 'bruno'])
    const body = new URLSearchParams({ token: kept?.refreshToken ?? '', client_id: CLIENT_ID })
    expect((await fetch(`${provider.issuer}/token/revocation`, { method: 'POST', body })).status).toBe(200)
    const logged = (await world.log()).length
    const requests = provider.tokenRequests
    let said = ''
    for (let hour = 0; hour < 4; hour++) {
      await world.advance(hour === 0 ? HOUR_MS : 60_000)
      const [cron] = await Promise.all([world.run(hour % 2 === 0 ? [] : ['--limit', '500']), world.run(['wake'])])
      // 0: the daemon was at all accounts just then.
      expect(hour % 2 === 0 ? [77] : [0, 77]).toContain(cron.exitCode)
      said += cron.said
    }
    // Bruno's token ended, too, and was renewed.
    expect(provider.tokenRequests - requests).toBe(2)
    const log = (await world.log()).slice(logged)
    const told = log.filter(({ msg }) => String(msg).includes('has ended the sign-in'))
    // The daemon says so in the log, and cron in a mail.
    const who = told.map(({ pid, account }) => `${String(pid)} ${String(account)}`)
    expect(who.length).toBeGreaterThanOrEqual(2)
    expect(new Set(who).size).toBe(who.length)
    expect(said.match(/^popfetch: dora2?: .*has ended the sign-in .*: popfetch auth$/gm)).toHaveLength(2)
    expect(said.split('\n')).toHaveLength(3)
    expect(log.filter(({ account, outcome }) => account === 'bruno' && outcome === 'failed')).toEqual([])

    const listed = await world.run(['auth', '--list'])
    expect(listed.printed).toMatch(/dora@example\.org via company \(dora, dora2, shelf\): ended: .*popfetch auth/)
    expect(listed.printed).toMatch(/bruno@example\.org via company \(bruno, bruno2\): signed in since/)
    expect(await signIn(world.desk, dora, [], world.program)).toMatchObject({ exitCode: 0 })
    expect(await world.run([])).toMatchObject({ exitCode: 0 })
    expect(await world.run(['auth', '--sign-out', 'bruno'])).toMatchObject({ exitCode: 0 })
    expect(provider.journal).toContain('POST /token/revocation')
    expect((await keptIn(world.desk.directory)).has(bruno)).toBe(false)
    expect((await world.run(['--limit', '500'])).said).toMatch(/bruno: .*nobody has signed in yet: popfetch auth/)
  },
)
