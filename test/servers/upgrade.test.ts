// An upgrade, and the way back, while everything runs (N040): a daemon whose program is replaced under it goes on, both versions
// work on one ledger in turn, and `state upgrade` waits until nobody does. Nothing comes twice, and nothing is lost.
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import about from '../../package.json' with { type: 'json' }
import { MIGRATIONS as STEPS_OF_DATABASES } from '../../src/ledger/postgres/schema/migrations.ts'
import { MIGRATIONS } from '../../src/ledger/sqlite/schema/migrations.ts'
import { readVersion } from '../../src/ledger/sqlite/schema/version.ts'
import { ImapServer } from '../support/imap-server.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { PostgresServer } from '../support/postgres-server.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { type Ended, run } from './debian-tree.ts'
import { temporaryDirectory } from './program.ts'
import { type Installation, NEXT_VERSION, packVersions, type Versions, WAYS } from './two-versions.ts'

/** Ways to keep a ledger. */
interface Kind {
  readonly name: string
  /** How many steps this version knows. */
  readonly known: number
  /** The key `state`. */
  state(folder: string): unknown
  /** How many steps it has been through. */
  steps(folder: string): number
  /** The ledger's own files, but for what SQLite keeps beside it. */
  files(folder: string): Promise<readonly string[]>
  /** What takes away is a command of its own, with a way back by a file that it keeps. */
  readonly takesAway: boolean
}

const sqlite: Kind = {
  name: 'SQLite',
  known: MIGRATIONS.length,
  takesAway: true,
  state: (folder) => join(folder, 'state/state.db'),
  steps(folder) {
    const database = new DatabaseSync(join(folder, 'state/state.db'), { readOnly: true })
    try {
      return readVersion(database).steps
    } finally {
      database.close()
    }
  },
  files: async (folder) =>
    (await readdir(join(folder, 'state'))).filter((name) => /^state\.db(\.v\d+)?$/.test(name)).toSorted(),
}

let database: PostgresServer

const schemaOf = (folder: string): string =>
  basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '_')

const postgres: Kind = {
  name: 'PostgreSQL',
  known: STEPS_OF_DATABASES.length,
  takesAway: false,
  state: (folder) => ({ postgres: database.url(), schema: schemaOf(folder) }),
  steps: (folder) => Number(database.sql(`SELECT version FROM ${schemaOf(folder)}.ledger`)),
  // Its tables, and what they are.
  files: (folder) =>
    Promise.resolve(
      database
        .sql(
          `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '${schemaOf(folder)}' ORDER BY 1, 2`,
        )
        .split('\n'),
    ),
}
const LEDGERS: readonly Kind[] = [sqlite, postgres]

let versions: Versions
beforeAll(async () => {
  database = await PostgresServer.start()
  versions = await packVersions()
}, 300_000)
afterAll(async () => {
  await versions[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const PRESENT = about.version

/** A person's machine: the mail servers, the configuration, both versions of the program. */
class Scene {
  readonly folder: string
  readonly server: Pop3Server
  readonly imap: ImapServer
  readonly smtp: SmtpSink
  readonly #kind: Kind
  readonly #sent = new Map<string, string[]>()
  #http = false

  constructor(folder: string, kind: Kind, server: Pop3Server, imap: ImapServer, smtp: SmtpSink) {
    this.folder = folder
    this.#kind = kind
    this.server = server
    this.imap = imap
    this.smtp = smtp
  }

  at(...names: string[]): string {
    return join(this.folder, ...names)
  }

  /** New mail for each of these. */
  arrive(...users: string[]): void {
    for (const user of users) {
      const sent = this.#sent.get(user) ?? []
      this.#sent.set(user, sent)
      const subject = `${user} ${sent.length + 1}`
      sent.push(subject)
      this.server
        .mailbox(user, 'secret')
        .add(
          `From: a@b.example\r\nMessage-ID: <${subject.replace(' ', '.')}@b.example>\r\nSubject: ${subject}\r\n\r\nbody\r\n`,
        )
    }
  }

  readonly #kinds: Readonly<Record<string, () => object>> = {
    keeps: () => ({ deliver: `maildir:${this.at('Mail/keeps')}` }),
    leaves: () => ({ deliver: `maildir:${this.at('Mail/leaves')}`, delete: 'after-delivery' }),
    mbox: () => ({ deliver: `mbox:${this.at('Mail/mbox')}` }),
    command: () => ({
      deliver: { type: 'command', run: ['/bin/sh', '-c', `grep ^Subject: >> ${this.at('Mail/command')}`] },
    }),
    smtp: () => ({
      deliver: { type: 'smtp', host: '127.0.0.1', port: this.smtp.port, tls: 'none', to: 'me@b.example' },
    }),
    imap: () => ({
      deliver: { type: 'imap', host: '127.0.0.1', port: this.imap.port, tls: 'none', user: 'me', password: 'secret' },
    }),
  }

  /** The configuration has these accounts from now on. */
  async configure(users: readonly string[], { http = this.#http }: { readonly http?: boolean } = {}): Promise<void> {
    this.#http = http
    const { host, port } = this.server
    const accounts = users.map((user) => [
      user,
      { host, port, tls: 'none', user, password: 'secret', poll: '1h', ...this.#kinds[user]?.() },
    ])
    const daemon = http ? { daemon: { http: this.at('http.socket') } } : {}
    const text = JSON.stringify({
      state: this.#kind.state(this.folder),
      accounts: Object.fromEntries(accounts),
      ...daemon,
    })
    await mkdir(this.at('Mail'), { recursive: true })
    await writeFile(this.at('config.json'), text, { mode: 0o600 })
  }

  async run({ program }: Pick<Installation, 'program'>, ...words: string[]): Promise<Ended> {
    const node = dirname(process.execPath)
    const env = { HOME: this.folder, PATH: `${node}:/usr/bin:/bin` }
    return await run(program, [...words, '--config', this.at('config.json')], env)
  }

  /** Everything that was sent, and where it is. */
  async accounts(): Promise<{ readonly sent: object; readonly there: object }> {
    const subjects = (text: string): string[] =>
      [...text.matchAll(/^Subject: (.*?)\r?$/gm)].map(([, subject = '']) => subject)
    const maildir = async (name: string): Promise<string[]> => {
      const folder = this.at('Mail', name, 'new')
      const files = await readdir(folder).catch(() => [])
      return (await Promise.all(files.map(async (file) => subjects(await readFile(join(folder, file), 'utf8'))))).flat()
    }
    const file = async (name: string): Promise<string[]> =>
      subjects(await readFile(this.at('Mail', name), 'utf8').catch(() => ''))
    const there: Readonly<Record<string, () => Promise<string[]>>> = {
      keeps: () => maildir('keeps'),
      leaves: () => maildir('leaves'),
      mbox: () => file('mbox'),
      command: () => file('command'),
      smtp: async () => this.smtp.messages.flatMap(({ bytes }) => subjects(bytes.toString())),
      imap: async () => this.imap.inbox.messages.flatMap(({ bytes }) => subjects(bytes.toString())),
    }
    const found = await Promise.all(
      [...this.#sent.keys()].map(async (user) => [user, ((await there[user]?.()) ?? []).toSorted()] as const),
    )
    const sent = [...this.#sent].map(([user, all]) => [user, all.toSorted()] as const)
    return { sent: Object.fromEntries(sent), there: Object.fromEntries(found) }
  }

  async expectExactlyOnce(): Promise<void> {
    const { sent, there } = await this.accounts()
    expect(there).toEqual(sent)
  }
}

const cases = LEDGERS.flatMap((kind) => (['npm', 'dpkg'] as const).map((way) => [kind.name, way, kind] as const))

test.each(cases)(
  'with %s, replaced by %s: up and back under a running daemon, nothing twice and nothing lost',
  async (_, way, kind) => {
    await using folder = await temporaryDirectory()
    await using server = await Pop3Server.start()
    await using imap = await ImapServer.start()
    await using smtp = await SmtpSink.start()
    const scene = new Scene(folder.path, kind, server, imap, smtp)
    const here = WAYS[way](scene.at('installed'))
    // Another machine's cron, or a checkout: it stays what it was.
    const other = WAYS.npm(scene.at('other'))
    const well: Ended = { status: 0, stdout: '', stderr: '' }
    const status = async (): Promise<{ daemon: { pid: number; version: string } }> =>
      JSON.parse((await scene.run(here, 'status', '--json')).stdout) as { daemon: { pid: number; version: string } }
    let pid = 0
    try {
      await here.install(versions.present)
      await other.install(versions.present)
      await scene.configure(['keeps', 'leaves'])
      scene.arrive('keeps', 'leaves')
      expect(await scene.run(here, '--daemon')).toEqual(well)
      pid = (await status()).daemon.pid
      expect(await scene.run(here)).toEqual(well)
      await scene.expectExactlyOnce()
      expect(kind.steps(scene.folder)).toBe(kind.known)

      // Up: the modules that the daemon was started from are gone.
      const before = await readdir(here.chunks)
      await here.install(versions.next)
      const after = new Set(await readdir(here.chunks))
      const gone = before.filter((name) => !after.has(name))
      for (const module of ['mbox', 'command', 'smtp', 'imap', 'poll'])
        expect([module, gone.some((name) => name.startsWith(`${module}-`))]).toEqual([module, true])
      expect(
        (await run(here.program, ['--version'], { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` })).stdout,
      ).toBe(`popfetch ${NEXT_VERSION}\n`)

      // The next version looks into the older ledger, and at the older daemon, and changes nothing.
      const files = await kind.files(scene.folder)
      expect((await status()).daemon).toMatchObject({ pid, version: PRESENT })
      const shown = await scene.run(here, 'status')
      expect(shown.stdout).toMatch(`version ${PRESENT}; version ${NEXT_VERSION} is installed`)
      for (const words of [
        ['state', 'list', 'keeps'],
        ['state', 'export'],
        ['status', 'keeps'],
        ['state', 'explain', 'keeps', 'uid00000001'],
      ])
        expect([words, (await scene.run(here, ...words)).status, (await scene.run(here, ...words)).stderr]).toEqual([
          words,
          0,
          '',
        ])
      expect(kind.steps(scene.folder)).toBe(kind.known)
      expect(await kind.files(scene.folder)).toEqual(files)

      // The daemon goes on, also with what it has not loaded yet.
      await scene.configure(['keeps', 'leaves', 'mbox', 'command', 'smtp', 'imap'], { http: true })
      scene.arrive('keeps', 'leaves', 'mbox', 'command', 'smtp', 'imap')
      expect((await scene.run(here, 'reload')).status).toBe(0)
      expect(await scene.run(here)).toEqual(well)
      await scene.expectExactlyOnce()
      expect((await status()).daemon).toMatchObject({ pid, version: PRESENT })
      // Whoever polls takes the ledger up, also who only asks the daemon: it goes on with the newer one.
      expect(kind.steps(scene.folder)).toBe(kind.known + 1)
      expect((await stat(scene.at('http.socket'))).isSocket()).toBe(true)

      // In turn: cron of the next version, of this one, and the daemon of this one.
      for (let round = 0; round < 2; round += 1)
        for (const poll of [
          () => scene.run(here, '--limit', '100'),
          () => scene.run(other, '--limit', '100'),
          () => scene.run(here),
        ]) {
          scene.arrive('keeps', 'leaves', 'mbox', 'command', 'smtp', 'imap')
          expect(await poll()).toEqual(well)
          await scene.expectExactlyOnce()
        }
      expect(kind.steps(scene.folder)).toBe(kind.known + 1)
      expect((await status()).daemon).toMatchObject({ pid, version: PRESENT })

      // Back, under a daemon of the next version.
      expect((await scene.run(here, 'stop')).status).toBe(0)
      await scene.configure(['keeps', 'leaves'], { http: false })
      expect(await scene.run(here, '--daemon')).toEqual(well)
      pid = (await status()).daemon.pid
      await here.install(versions.present)
      expect((await status()).daemon).toMatchObject({ pid, version: NEXT_VERSION })
      expect((await scene.run(here, 'status')).stdout).toMatch(
        `version ${NEXT_VERSION}; version ${PRESENT} is installed`,
      )
      await scene.configure(['keeps', 'leaves', 'mbox', 'command', 'smtp', 'imap'], { http: true })
      expect((await scene.run(here, 'reload')).status).toBe(0)
      for (const poll of [() => scene.run(here), () => scene.run(here, '--limit', '100'), () => scene.run(here)]) {
        scene.arrive('keeps', 'leaves', 'mbox', 'command', 'smtp', 'imap')
        expect(await poll()).toEqual(well)
        await scene.expectExactlyOnce()
      }
      expect((await status()).daemon).toMatchObject({ pid, version: NEXT_VERSION })
      expect(server.mailbox('leaves').messages).toHaveLength(0)

      if (!kind.takesAway) {
        // A database is brought up to date by whoever opens it; nothing is taken away.
        expect((await scene.run(here, 'stop')).status).toBe(0)
        await other.install(versions.next)
        expect((await scene.run(other, 'state', 'upgrade')).stdout).toMatch('needs no upgrade')
        for (const installed of [here, other, here]) {
          scene.arrive('keeps', 'leaves', 'mbox', 'command', 'smtp', 'imap')
          expect(await scene.run(installed)).toEqual(well)
          await scene.expectExactlyOnce()
        }
        return
      }

      // What takes away waits until nobody is at work, and leaves a file for the way back.
      await other.install(versions.next)
      expect(await scene.run(other, 'state', 'upgrade')).toMatchObject({
        status: 75,
        stderr: expect.stringContaining('popfetch stop') as string,
      })
      expect((await scene.run(here, 'stop')).status).toBe(0)
      expect(await scene.run(other, 'state', 'upgrade')).toMatchObject({ status: 0, stderr: '' })
      expect((await scene.run(other, 'state', 'upgrade')).stdout).toMatch('needs no upgrade')
      expect(await kind.files(scene.folder)).toEqual(['state.db', `state.db.v${kind.known + 1}`])
      expect(await scene.run(here)).toMatchObject({
        status: 74,
        stderr: expect.stringContaining('a newer popfetch has written it') as string,
      })
      scene.arrive('keeps')
      expect(await scene.run(other)).toEqual(well)
      await scene.expectExactlyOnce()
      expect((await scene.run(here, 'state', 'restore', scene.at(`state/state.db.v${kind.known + 1}`))).status).toBe(0)
      scene.arrive('keeps')
      await scene.configure(['keeps', 'leaves', 'mbox', 'imap'])
      const restored = await scene.run(here)
      expect([restored.status, restored.stdout]).toEqual([0, ''])
      await scene.expectExactlyOnce()
    } finally {
      await scene.run(here, 'stop')
    }
  },
  300_000,
)
