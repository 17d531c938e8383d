// Whatever is wrong with the place where sign-ins are kept. Each command prints one clear line and has the right exit code.
// Nothing is lost, no refresh token is wasted, and nobody is asked to sign in for what could not be kept.
import { execFileSync } from 'node:child_process'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { Person } from '../cli/person.ts'
import { AuthorizationServer, CLIENT_ID, Visitor } from '../support/authorization-server.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { badDisk, type Call } from './bad-disk.ts'

const USER = 'alice@example.org'
const HOUR_MS = 3_600_000

let server: AuthorizationServer
let mailbox: Pop3Server
beforeAll(async () => {
  server = await AuthorizationServer.start()
  mailbox = await Pop3Server.start()
  mailbox.capabilities!.before = ['SASL XOAUTH2']
})
afterAll(async () => {
  await mailbox[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }))
afterEach(() => void vi.useRealTimers())

/** Somebody who is signed in, with a token that has ended. */
class Home implements AsyncDisposable {
  readonly person: Person
  readonly folder: string
  file = ''
  /** Token requests until then. */
  asked = 0

  static async make(): Promise<Home> {
    const home = new Home(await Person.arrive())
    const { person } = home
    const account = `host: 127.0.0.1, port: ${mailbox.port}, tls: none, user: ${USER}, token: { oauth: company }`
    await person.write(
      '.config/popfetch/config.yaml',
      `oauth: { company: { issuer: "${server.issuer}", clientId: ${CLIENT_ID}, scopes: [openid, email, mail] } }
accounts: { here: { ${account}, deliver: "maildir:${person.path('mail')}" } }
`,
    )
    expect(await home.signIn()).toBe(0)
    const [name = ''] = (await readdir(home.folder)).filter((file) => file.endsWith('.json'))
    home.file = join(home.folder, name)
    vi.setSystemTime(Date.now() + 2 * HOUR_MS)
    home.asked = server.tokenRequests
    return home
  }

  private constructor(person: Person) {
    this.person = person
    this.folder = person.path('.local/state/popfetch/oauth')
  }

  get lock(): string {
    return this.file.replace(/json$/, 'lock')
  }

  /** Were tokens asked for? */
  get requests(): number {
    return server.tokenRequests - this.asked
  }

  /** As somebody who does what is printed. */
  async signIn(): Promise<number> {
    const { person } = this
    const running = person.run('auth', '--browser', 'here')
    const over = new AbortController()
    void running.finally(() => over.abort())
    while (!over.signal.aborted && !/^ssh .*\n/m.test(person.stderr.text))
      await new Promise((resolve) => void setImmediate(resolve))
    const address = /^http.*$/m.exec(person.stderr.text)?.[0]
    if (address !== undefined) await new Visitor(USER).open(address)
    return await running
  }

  /** The one line that a command says, without its name. */
  get line(): string {
    const lines = this.person.stderr.text.split('\n').filter((line) => line.startsWith('popfetch: '))
    expect(lines, this.person.printed).toHaveLength(1)
    expect(lines[0]).toMatch(/^[ -~]{20,900}$/)
    return (lines[0] ?? '').replace(/^popfetch: (?:here: )?/, '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.person[Symbol.asyncDispose]()
  }
}

interface Fault {
  /** Puts it there. What it gives takes it away again; then all goes on. */
  readonly make: (home: Home) => Promise<Disposable | void> | Disposable | void
  /** What a poll, and `auth --token`, end with and say. Null: all is well. */
  readonly token: readonly [number, RegExp] | null
  /** What `auth --list` says. */
  readonly list?: RegExp
  /** As `token`, of `auth --sign-out` and `auth`. */
  readonly out: readonly [number, RegExp] | null
  readonly in: readonly [number, RegExp] | null
  /** It begins when the provider has answered; `kept`: then the answer is there. */
  readonly answered?: 'kept' | 'lost'
  /** Only root can make it. */
  readonly root?: boolean
}

const disk =
  (errno: string, ...calls: readonly Call[]): Fault['make'] =>
  ({ folder }) =>
    badDisk({ folder, errno, calls })
/** It begins when the provider has answered. */
const afterAnswer =
  (errno: string, ...calls: readonly Call[]): Fault['make'] =>
  (home) =>
    badDisk({ folder: home.folder, errno, calls, armed: () => home.requests > 0 })
const instead =
  (make: (file: string) => unknown): Fault['make'] =>
  async ({ file }) => {
    await rm(file)
    await make(file)
  }
const insteadOfLock =
  (make: (file: string) => unknown): Fault['make'] =>
  async ({ lock }) => {
    await rm(lock)
    await make(lock)
  }
const fifo = (file: string): unknown => execFileSync('mkfifo', ['-m', '600', file])
const edited =
  (edit: (text: string) => string): Fault['make'] =>
  async ({ file }) =>
    await writeFile(file, edit(await readFile(file, 'utf8')))

/** The file is not believed; a new sign-in takes its place, and it can be forgotten. */
const unbelieved = (make: Fault['make'], text: RegExp): Fault => ({
  make,
  token: [77, text],
  list: text,
  out: null,
  in: null,
})
/** Nothing can be done before it is mended. */
const blocked = (make: Fault['make'], code: number, text: RegExp, more: Partial<Fault> = {}): Fault => ({
  make,
  token: [code, text],
  out: [code, text],
  in: [code, text],
  ...more,
})

const FAULTS: Readonly<Record<string, Fault>> = {
  nothing: { make: () => {}, token: null, out: null, in: null },
  'a folder that is read-only': blocked(
    disk('EROFS', 'open', 'rename', 'remove'),
    74,
    /read-only \(EROFS\): make it writable/,
  ),
  'a folder without permission': blocked(
    disk('EACCES', 'open', 'rename', 'remove'),
    74,
    /permission denied \(EACCES\): give/,
  ),
  'a full disk': {
    make: disk('ENOSPC', 'write'),
    token: [74, /no space left \(ENOSPC\): nothing of it is used: make room there$/],
    out: null,
    in: [74, /no space left/],
  },
  'a quota': {
    make: disk('EDQUOT', 'write'),
    token: [74, /the quota is used up \(EDQUOT\): nothing of it is used: make room there$/],
    out: null,
    in: [74, /the quota is used up/],
  },
  'a disk that fails': {
    make: disk('EIO', 'sync'),
    token: [74, /EIO: nothing of it is used: trying again later$/],
    out: null,
    in: [74, /EIO/],
  },
  'a disk that fails when the answer is made durable': {
    make: afterAnswer('EIO', 'sync'),
    token: [74, /EIO: it is there, and is used when the disk works again: trying again later$/],
    out: null,
    in: [74, /EIO: nothing of it is used/],
    answered: 'kept',
  },
  'a disk that fails when the answer gets its name': {
    make: afterAnswer('EIO', 'rename'),
    token: [74, /EIO: it is there, and is used when/],
    out: null,
    in: [74, /EIO: nothing of it is used/],
    answered: 'kept',
  },
  'a folder that is read-only when the answer gets its name': {
    make: afterAnswer('EROFS', 'rename'),
    token: [74, /read-only \(EROFS\): it is there, and is used when/],
    out: null,
    in: [74, /read-only/],
    answered: 'kept',
  },
  'a disk that is full when the answer comes, in spite of the room that was kept': {
    make: afterAnswer('ENOSPC', 'write'),
    token: [
      74,
      /no space left \(ENOSPC\): the provider may not give it again, and then popfetch auth is needed: make room/,
    ],
    out: null,
    in: [74, /no space left/],
    answered: 'lost',
  },
  'a file cut in half': unbelieved(
    async ({ file }) => await truncate(file, 200),
    /is not as popfetch writes it: sign in again: popfetch auth/,
  ),
  'an empty file': unbelieved(async ({ file }) => await truncate(file, 0), /is not as popfetch writes it/),
  'a file of zeros': unbelieved(
    async ({ file }) => await writeFile(file, Buffer.alloc(2000)),
    /is not as popfetch writes it/,
  ),
  'a file of other bytes': unbelieved(
    edited(() => '\u0000\ufffd{"version":1'),
    /is not as popfetch writes it/,
  ),
  'a huge file': unbelieved(async ({ file }) => await truncate(file, 10_000_000), /larger than 256 KiB: sign in again/),
  'a file of a newer popfetch': unbelieved(
    edited((text) => text.replace('"version": 1', '"version": 2')),
    /was written by a newer popfetch: use that one, or sign in again with this one: popfetch auth/,
  ),
  "the file of another's sign-in": unbelieved(
    edited((text) => text.replace(USER, 'bob@example.org')),
    /is the sign-in of bob@example.org/,
  ),
  'a file that others can read': unbelieved(({ file }) => chmod(file, 0o644), /open to others \(mode 644\): chmod 600/),
  'a file of another user': {
    ...unbelieved(({ file }) => chown(file, 4711, 4711), /of user 4711: .*chown/),
    root: true,
  },
  'a named pipe': unbelieved(instead(fifo), /not a regular file: remove .*, and sign in again: popfetch auth/),
  'a link to itself': unbelieved(
    instead((file) => symlink(file, file)),
    /cannot be read \(ELOOP\): sign in again: popfetch auth/,
  ),
  'a link to nothing': unbelieved(
    instead((file) => symlink('nowhere', file)),
    /nobody has signed in yet|not signed in/,
  ),
  'a link of ours to it': {
    make: async ({ file }) => {
      await rename(file, `${file}.old`)
      await symlink(`${file}.old`, file)
    },
    token: null,
    out: null,
    in: null,
  },
  'a directory': {
    ...unbelieved(
      instead((file) => mkdir(file)),
      /not a regular file: remove/,
    ),
    out: [74, /a directory is in the way .*: remove it/],
    in: [74, /a directory is in the way .*: remove it/],
  },
  'a lock that is a directory': blocked(
    insteadOfLock((file) => mkdir(file)),
    74,
    /\.lock: a directory is in the way .*: remove it/,
  ),
  'a lock that is a named pipe': blocked(insteadOfLock(fifo), 77, /not a regular file: remove .*\.lock/),
  'a lock that is a link': blocked(
    insteadOfLock((file) => symlink('/dev/shm/popfetch-no', file)),
    74,
    /a link is in the way \(ELOOP\): remove it/,
  ),
  'a lock of other bytes': blocked(
    ({ lock }) => writeFile(lock, 'x'.repeat(5000)),
    74,
    /it is not a lock of popfetch .*: remove it/,
  ),
  'a lock of another user': blocked(({ lock }) => chown(lock, 4711, 4711), 77, /of user 4711: .*\.lock/, {
    root: true,
  }),
  'a file where the folder is to be': blocked(
    async ({ folder }) => {
      await rm(folder, { recursive: true })
      await writeFile(folder, '')
    },
    74,
    /a file of this name is in the way/,
    { list: /not signed in/ },
  ),
  'a folder to which others can write': blocked(
    ({ folder }) => chmod(folder, 0o777),
    77,
    /anybody can write .*chmod go-w/,
    {
      list: /anybody can write/,
    },
  ),
  'a folder of another user': blocked(({ folder }) => chown(folder, 4711, 4711), 77, /belongs to user 4711/, {
    list: /belongs to user 4711/,
    root: true,
  }),
}

test.runIf(process.getuid?.() === 0)('nothing is made in a folder of another user', async () => {
  await using home = await Home.make()
  const { person, folder } = home
  await rm(folder, { recursive: true })
  await chown(dirname(folder), 4711, 4711)
  expect(await home.signIn()).toBe(77)
  expect(home.line).toMatch(/belongs to user 4711/)
  expect(person.stderr.text).not.toContain('http')
  expect(await readdir(dirname(folder))).not.toContain('oauth')
})

/** Null: it is no file. */
async function content(file: string): Promise<string | null> {
  const stats = await lstat(file).catch(() => null)
  return stats?.isFile() === true ? await readFile(file, 'utf8') : null
}

const ROWS = Object.entries(FAULTS).filter(([, { root }]) => root !== true || process.getuid?.() === 0)

describe('where sign-ins are kept there is', () => {
  test.each(ROWS)('%s', async (_what, { make, token, list = /signed in since/, answered }) => {
    await using home = await Home.make()
    const { person } = home
    using fault = (await make(home)) ?? null

    expect(await person.run('auth', '--list')).toBe(0)
    expect(person.stdout.text).toMatch(list)
    expect(home.requests).toBe(0)
    for (const words of [['auth', '--token', 'here'], ['here']]) {
      const code = await person.run(...words)
      if (answered === 'lost' && words.length === 1) continue
      if (token === null) {
        // The mail server of this test knows no token.
        expect(code, person.printed).toBe(words.length === 1 ? 77 : 0)
      } else {
        expect({ code, line: home.line }).toMatchObject({ code: token[0], line: expect.stringMatching(token[1]) })
        expect(person.stdout.text).toBe('')
      }
    }
    // While an answer has no place, no other is asked for.
    if (answered !== 'lost') expect(home.requests).toBe(token === null ? 2 : answered === undefined ? 0 : 1)
    if (fault === null || answered === 'lost') return

    fault[Symbol.dispose]()
    vi.setSystemTime(Date.now() + 60_000)
    const before = home.requests
    expect(await person.run('auth', '--token', 'here'), person.printed).toBe(0)
    expect(home.requests - before).toBe(answered === undefined ? 1 : 0)
    expect(await content(home.file)).toContain(server.newest.get(USER))
    expect((await readdir(home.folder)).filter((name) => name.includes('.new-'))).toEqual([])
  })

  test.each(ROWS)('%s, and somebody signs in, and out', async (_what, { make, out, in: signsIn, answered }) => {
    await using home = await Home.make()
    const { person } = home
    using _fault = (await make(home)) ?? null
    const kept = await content(home.file)
    const code = await home.signIn()
    if (signsIn === null) {
      expect(code, person.printed).toBe(0)
      expect(await content(home.file)).toContain(server.newest.get(USER))
    } else {
      expect({ code, line: home.line }).toMatchObject({ code: signsIn[0], line: expect.stringMatching(signsIn[1]) })
      expect(await content(home.file)).toBe(kept)
      // Nobody is asked for what cannot be kept, as far as that is seen beforehand.
      if (answered === undefined && !EISDIR.test(home.line)) expect(person.stderr.text).not.toContain('http')
    }
    const left = await person.run('auth', '--sign-out', 'here')
    if (out === null) {
      expect(left, person.printed).toBe(0)
      expect((await readdir(home.folder)).filter((name) => /[.]json(?:[.]new-.*)?$/.test(name))).toEqual([])
    } else expect({ left, line: home.line }).toMatchObject({ left: out[0], line: expect.stringMatching(out[1]) })
  })
})

const EISDIR = /a directory is in the way/
