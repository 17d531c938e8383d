// Twenty broken worlds. In each the person who asks `popfetch status`, and then runs the command that it names, has the cause on the
// screen, in words that say what is wrong. Nobody has to guess, and nothing has to be looked up.
import { chmod, chown, copyFile, open, rename, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { AuthorizationServer, CLIENT_ID } from '../support/authorization-server.ts'
import { caFile, certificates } from '../support/certificates.ts'
import { ImapServer } from '../support/imap-server.ts'
import type { Pop3ServerOptions } from '../support/pop3-server.ts'
import { PostgresServer } from '../support/postgres-server.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { keptIn, signIn } from './popfetch-auth.ts'
import { findProgram, freePort, temporaryDirectory } from './program.ts'
import { World } from './worlds/world.ts'

const isRoot = process.getuid?.() === 0
const NOBODY = 65_534

interface Row {
  readonly name: string
  readonly server?: Pop3ServerOptions
  /** Breaks the world, and polls until that shows. */
  readonly broken: (world: World) => Promise<void>
  /** The cause in its own words. */
  readonly cause: RegExp
  /** The beginning of the command that `status` names; null: there is nothing to do. */
  readonly next: RegExp | null
}

const twenty = Array.from({ length: 20 }, (_, at) => `u${at}`)

/** The destination takes no mail for now, and one message waits for it. */
async function notNow(world: World): Promise<void> {
  const sink = world.rest.use(await SmtpSink.start())
  sink.faults.mail = () => '421 4.7.0 too much mail from your network today'
  const out = { type: 'smtp', host: '127.0.0.1', port: sink.port, tls: 'none', to: ['b@c.example'] }
  await world.configure({ deliver: 'out' }, { destinations: { out } })
  world.fill('u1')
  await world.polled(75)
}

/** The panel has listed the accounts once, and mail came. Then it does this. */
function panelThen(script: string, code: number): Row['broken'] {
  return async (world) => {
    await world.panel(world.printing())
    world.fill('u1')
    await world.polled(0)
    await world.panel(script)
    await world.polled(code)
  }
}

/** Lines of postgresql.conf: a certificate of an authority that nobody knows, in files that the server may read. */
async function encrypted(world: World): Promise<readonly string[]> {
  const folder = await temporaryDirectory()
  world.rest.use(folder)
  const at = (name: string): string => join(folder.path, name)
  for (const name of ['unknown-ca.key', 'unknown-ca.pem']) await copyFile(join(dirname(caFile), name), at(name))
  await chmod(at('unknown-ca.key'), 0o600)
  await chmod(folder.path, 0o755)
  if (isRoot) await world.shell(`chown postgres '${at('unknown-ca.key')}'`)
  return ['ssl = on', `ssl_cert_file = '${at('unknown-ca.pem')}'`, `ssl_key_file = '${at('unknown-ca.key')}'`]
}

/** The ledger is in a database of this test, which is then out of reach in this way. */
function databaseThen(
  breakIt: (server: PostgresServer, state: (more: object) => Promise<void>) => Promise<void>,
): Row['broken'] {
  return async (world) => {
    const port = await freePort()
    const access = ['local all locked scram-sha-256', 'local all all trust', 'host all all 127.0.0.1/32 trust']
    const server = world.rest.use(await PostgresServer.start({ port, access, settings: await encrypted(world) }))
    server.sql("CREATE ROLE locked LOGIN PASSWORD 'hunter2'; GRANT CREATE ON DATABASE postgres TO locked")
    const state = async (more: object): Promise<void> =>
      await world.configure({}, { state: { postgres: server.url('postgres', 'locked'), password: 'hunter2', ...more } })
    await state({})
    world.fill('u1')
    await world.polled(0)
    await breakIt(server, state)
    world.isLegible = false
    await world.polled(74)
  }
}

/** Twice a program is waited for, a minute each. */
const LIMIT_MS = 600_000

const WORLDS: readonly Row[] = [
  {
    name: 'the disk is full',
    async broken(world) {
      const mail = world.path('Mail')
      const mount = `mkdir -p ${mail} && mount -t tmpfs -o size=8m,mode=700 tmpfs ${mail} && exec "$@"`
      world.before = ['unshare', ...(isRoot ? [] : ['--map-root-user']), '--mount', 'sh', '-c', mount, 'sh']
      world.fill('u1')
      await world.polled(73)
    },
    cause: /\/Mail.*(?:space|free|room)/,
    next: /^popfetch /,
  },
  {
    name: 'a certificate has expired',
    server: { tls: 'implicit', certificate: 'expired' },
    async broken(world) {
      await world.configure({ tls: 'implicit', ca: caFile })
      await world.polled(76)
    },
    cause: /its certificate has expired: its owner must renew it.*valid to +\d{4}-\d\d-\d\d, \d+ days ago/,
    next: /^popfetch check work --verbose$/,
  },
  {
    name: 'a pinned certificate was renewed',
    server: { tls: 'implicit' },
    async broken(world) {
      await world.configure({ tls: 'implicit', ca: caFile, pin: certificates.client.pin })
      await world.polled(76)
    },
    cause: new RegExp(
      `expected SHA-256 ${certificates.client.pin}, but it has ${certificates.good.pin}, valid until \\d{4}-.*` +
        `so it was probably renewed.*pin: \\[${certificates.client.pin}, ${certificates.good.pin}\\]`,
    ),
    next: /^popfetch check work --verbose$/,
  },
  {
    name: 'the clock of this machine is wrong',
    server: { tls: 'implicit' },
    async broken(world) {
      await findProgram('faketime', 'faketime')
      await world.configure({ tls: 'implicit', ca: caFile })
      world.before = ['faketime', '-f', '-36y']
      await world.polled(76)
    },
    cause: /its certificate is not valid yet: is this machine's clock right\?.*set the clock/,
    next: /^popfetch check work --verbose$/,
  },
  {
    name: 'the server has given all messages new UIDs',
    async broken(world) {
      world.fill(...twenty)
      await world.polled(0)
      const { messages } = world.server.mailbox('alice')
      messages.splice(0)
      world.fill(...twenty.map((uidl) => `new-${uidl}`))
      await world.polled(78)
    },
    cause: /almost none of the 20 known messages: their UIDs seem to have changed/,
    next: /^popfetch --accept-new-ids work$/,
  },
  {
    name: 'the ledger is damaged',
    async broken(world) {
      world.fill(...twenty)
      await world.polled(0)
      const file = await open(world.path('state.db'), 'r+')
      const { size } = await file.stat()
      for (let at = 4096; at < size; at += 4096) await file.write(Buffer.alloc(2048, 0x5a), 0, 2048, at)
      await file.close()
      world.isLegible = false
      await world.polled(74)
    },
    cause: /state\.db.*damaged.*popfetch state repair saves what can be read/,
    next: /^popfetch state check$/,
  },
  {
    name: 'the socket belongs to another user',
    async broken(world) {
      world.fill('u1')
      await world.polled(0)
      const socket = createServer()
      await new Promise<void>((done) => void socket.listen(world.path('state.db.socket'), done))
      world.rest.defer(() => void socket.close())
      await chown(world.path('state.db.socket'), NOBODY, NOBODY)
    },
    cause: /state\.db\.socket, where the daemon would listen, is a socket of another user \(uid 65534\)/,
    next: null,
  },
  {
    name: 'the provider is down',
    async broken(world) {
      const { port } = world.server
      await world.configure({ port })
      world.server.faults.greeting = '-ERR [SYS/TEMP] down for maintenance until noon'
      await world.polled(75)
    },
    cause: /down for maintenance until noon/,
    next: /^popfetch check work --verbose$/,
  },
  {
    name: 'nothing listens at the provider',
    async broken(world) {
      const gone = createServer()
      await new Promise<void>((done) => void gone.listen(0, '127.0.0.1', done))
      const address = gone.address()
      await new Promise<void>((done) => void gone.close(() => done()))
      await world.configure({ port: typeof address === 'object' && address !== null ? address.port : 1 })
      await world.polled(75)
    },
    cause: /connection refused: is the port right, is the server up\?/,
    next: /^popfetch check work --verbose$/,
  },
  {
    name: 'a quota is used up',
    async broken(world) {
      const imap = world.rest.use(await ImapServer.start())
      imap.answer = ({ command }) =>
        command === 'APPEND' ? 'NO [OVERQUOTA] Mailbox of me is full: 5 GB of 5 GB' : null
      const box = { type: 'imap', host: '127.0.0.1', port: imap.port, tls: 'none', user: 'me', password: 'secret' }
      await world.configure({ deliver: 'box' }, { destinations: { box } })
      world.fill('u1')
      await world.polled(75)
    },
    cause: /OVERQUOTA\] Mailbox of me is full: 5 GB of 5 GB.*make room there/,
    next: /^popfetch /,
  },
  {
    name: 'the password was changed',
    async broken(world) {
      world.server.mailbox('alice', 'changed')
      await world.polled(77)
    },
    cause: /sign-in refused.*the password is wrong/,
    next: /^popfetch check work --verbose$/,
  },
  {
    name: 'the sign-in at the provider has ended',
    async broken(world) {
      const provider = world.rest.use(await AuthorizationServer.start({ accessSeconds: 30 }))
      const user = 'alice@example.org'
      const company = { issuer: provider.issuer, clientId: CLIENT_ID, scopes: ['openid', 'email', 'mail'] }
      await world.configure({ user, password: undefined, token: { oauth: 'company' } }, { oauth: { company } })
      expect(await signIn(world, user, ['work'])).toMatchObject({ exitCode: 0 })
      const token = (await keptIn(world.directory)).get(user)?.refreshToken ?? ''
      const body = new URLSearchParams({ token, client_id: CLIENT_ID })
      expect((await fetch(`${provider.issuer}/token/revocation`, { method: 'POST', body })).status).toBe(200)
      await world.polled(77)
    },
    cause: /the provider has ended the sign-in \(invalid_grant/,
    next: /^popfetch auth work$/,
  },
  {
    name: 'the disk with the Maildir is not mounted',
    async broken(world) {
      world.fill('u1')
      await world.polled(0)
      await rename(world.path('Mail'), world.path('elsewhere'))
      world.fill('u2')
      await world.polled(73)
    },
    cause: /\/Mail\/new is gone, though mail was delivered there: mount the disk that it is on/,
    next: /^popfetch check inbox --verbose$/,
  },
  {
    name: 'a destination says not now',
    broken: notNow,
    cause: /421 4\.7\.0 too much mail from your network today/,
    next: /^popfetch work$/,
  },
  {
    name: 'a destination was taken out of the configuration while mail waits for it',
    async broken(world) {
      await notNow(world)
      await world.configure()
      await world.polled(73)
    },
    cause:
      /^work: messages are waiting for the destination out, which is no longer configured: put it back, or .* waiting .* u1 /,
    next: /^popfetch state list work$/,
  },
  {
    name: 'one message destroys each session that fetches it',
    async broken(world) {
      world.fill('good', 'poison')
      world.server.faults.onCommand = (verb, words) => (verb === 'RETR' && words === '2' ? 'reset' : 'serve')
      await world.polled(75)
    },
    cause: /work: 1 message waiting.*waiting .* poison .*(?:connection|session)/,
    next: /^popfetch state list work$/,
  },
  {
    name: 'a daemon is at work already',
    async broken(world) {
      world.fill('u1')
      expect((await world.shell('popfetch --daemon')).code).toBe(0)
      world.rest.defer(async () => void (await world.shell('popfetch stop')))
      const second = await world.shell('popfetch --daemon')
      expect([second.code, second.stderr]).toEqual([75, expect.stringMatching(/a daemon \(pid \d+\) already uses/)])
    },
    cause: /daemon running since .* \(pid \d+\)/,
    next: null,
  },
  {
    name: 'there is no permission to write mail',
    async broken(world) {
      if (isRoot) {
        await world.shell(`chown -R ${NOBODY}:${NOBODY} '${world.directory}'`)
        world.before = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
      }
      await world.shell('mkdir -p Mail/tmp Mail/new Mail/cur && chmod 0500 Mail Mail/tmp Mail/new')
      world.fill('u1')
      await world.polled(73)
    },
    cause: /\/Mail.*(?:permission|EACCES)/i,
    next: /^popfetch check inbox --verbose$/,
  },
  {
    name: 'a name cannot be resolved',
    async broken(world) {
      await world.configure({ host: 'pop.invalid', tls: 'implicit', port: 995 })
      await world.polled(75)
    },
    cause:
      /cannot connect to pop\.invalid:995: (?:no such host: is the host name right\?|the name could not be looked up)/,
    next: /^popfetch check work --verbose$/,
  },
  {
    name: 'the ledger is of a newer version',
    async broken(world) {
      await world.polled(0)
      const database = new DatabaseSync(world.path('state.db'))
      database.exec('PRAGMA user_version = 9999')
      database.close()
      world.isLegible = false
      await world.polled(74)
    },
    cause: /state\.db: a newer popfetch has written it .*: update popfetch/,
    next: null,
  },
  {
    name: 'the panel that lists the accounts says nothing',
    broken: panelThen('true', 75),
    cause: /accountsFrom: its program printed no account: check what it reads; the accounts before stay/,
    next: /^popfetch config check$/,
  },
  {
    name: 'the panel has never said anything',
    async broken(world) {
      await world.panel('true')
      // No account is known.
      world.isLegible = false
      await world.polled(75)
    },
    cause: /accountsFrom: its program printed no account: check what it reads/,
    next: /^popfetch config check$/,
  },
  {
    name: 'what the panel prints is cut',
    broken: panelThen(`printf '{"accounts": {"work": {"host": "pop.ex'`, 75),
    cause: /accountsFrom: asking "\/bin\/sh …" for accounts .*what it printed ends within a line, so it was cut off/,
    next: /^popfetch config check$/,
  },
  {
    name: 'the panel prints a page of its web server',
    broken: panelThen(`printf '<html>\n<body>502 Bad Gateway</body>\n'`, 78),
    cause: /accountsFrom: asking "\/bin\/sh …" for accounts .*it printed no mapping with accounts/,
    next: /^popfetch config check$/,
  },
  {
    name: 'the program that asks the panel fails',
    broken: panelThen('echo database panel is down >&2; exit 3', 75),
    cause: /accountsFrom: asking "\/bin\/sh …" for accounts .*it ended with code 3: database panel is down/,
    next: /^popfetch config check$/,
  },
  {
    name: 'the program that asks the panel hangs',
    broken: panelThen('exec sleep 1000', 75),
    cause: /accountsFrom: asking "\/bin\/sh …" for accounts .*no answer within 60 s/,
    next: /^popfetch config check$/,
  },
  {
    name: 'a row of the panel is wrong',
    async broken(world) {
      await world.panel(world.printing())
      world.fill('u1')
      await world.polled(0)
      await world.panel(world.printing({ port: 0 }))
      await world.polled(78)
    },
    cause: /work is not polled: accountsFrom:1: accounts\.work\.port: found 0, expected a whole number/,
    next: /^popfetch config check$/,
  },
  {
    name: 'the database of the ledger is away',
    broken: databaseThen(async (server) => await server.stop()),
    cause: /cannot use the ledger postgres:.*: the database is away \(.*\): mail stays where it is/,
    next: null,
  },
  {
    name: 'the database of the ledger refuses the password',
    broken: databaseThen(async (_, state) => await state({ password: 'hunter3' })),
    cause:
      /cannot use the ledger postgres:.*: the database refuses to let us in \(password authentication failed .*\): look at the user, state\.password and pg_hba\.conf/,
    next: null,
  },
  {
    name: 'nobody trusts the certificate of the database of the ledger',
    broken: databaseThen(async ({ port }, state) => {
      const postgres = `postgres://popfetch@127.0.0.1:${port}/postgres?sslmode=verify-full`
      await state({ postgres, password: undefined, ca: caFile })
    }),
    cause: /cannot use the ledger postgres:.*: the certificate of the database is not trusted .*state\.ca/,
    next: null,
  },
]

describe('in a broken world the cause is on the screen after two commands', () => {
  test.each(WORLDS)(
    '$name',
    async ({ server, broken, cause, next }) => {
      await using world = await World.make(server)
      await broken(world)
      const { seen, next: named } = await world.twoCommands()
      expect(seen).toMatch(cause)
      if (next === null) expect(named).toBeNull()
      else expect(named).toMatch(next)
    },
    LIMIT_MS,
  )
})

test('in a world in which all is fine nothing is said to be done', async () => {
  await using world = await World.make()
  world.fill('u1')
  await world.polled(0)
  const { seen, next } = await world.twoCommands()
  expect([next, seen]).toEqual([null, expect.not.stringContaining('next:')])
  expect(seen).toMatch(/work .* ago ok, /)
  expect((await stat(world.path('Mail/new'))).isDirectory()).toBe(true)
})
