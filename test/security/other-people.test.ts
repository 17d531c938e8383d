// What another local user may do to a file that popfetch reads or writes. A table of what is wrong with it, for every kind of
// file, asked as root and as another user. What is refused is refused with its exit code and what mends it, and stays as it is.
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { OwnFile, readOwnFile } from '../../src/own-file.ts'
import { isPrivateGroup } from '../../src/owners.ts'
import { unannounced } from './notes.ts'
import { type Case, type Kind, KINDS, type Outcome } from './readers.ts'

const IS_ROOT = process.getuid?.() === 0
/** Users that no machine has. */
const SOMEBODY = 41_234
const ANOTHER = 41_235

const CONFIGURATION = `accounts:
  work: { host: pop.example.net, user: alice, password: { env: PW }, deliver: inbox }
destinations:
  inbox: { type: maildir, path: /nonexistent/Mail }
`

const CONTENT: Readonly<Record<Kind, string>> = {
  configuration: CONFIGURATION,
  secret: 'hunter2\n',
  certificate: '-----BEGIN CERTIFICATE-----\n',
  'old file': 'account work\nhost pop.example.net\nuser alice\n',
  ledger: '',
  'ledger to be read': '',
  log: '',
}

const CODES: Readonly<Record<Kind, number>> = {
  configuration: 78,
  secret: 78,
  certificate: 78,
  'old file': 78,
  ledger: 74,
  'ledger to be read': 74,
  // The program goes on without its log, or the daemon ends with 78.
  log: -1,
}

const READ = KINDS.filter((kind) => kind !== 'log')
const LEDGERS: readonly Kind[] = ['ledger', 'ledger to be read']

interface Wrong {
  readonly name: string
  /** The kinds of file that are refused; the others are taken. */
  readonly refused: readonly Kind[]
  /** What the refusal says. */
  readonly says: RegExp
  /** Only another user's hand can do it. */
  readonly needsRoot: boolean
  /** Kinds for which it means nothing. */
  readonly without?: readonly Kind[]
  /** Makes it wrong: `file` is good, and lies alone in `folder`. Gives the file to be read. */
  make(file: string, folder: string): string | void
}

const nobody = (file: string): void => fs.chownSync(file, ANOTHER, ANOTHER)

const TABLE: readonly Wrong[] = [
  { name: 'nothing', refused: [], says: /^$/, needsRoot: false, make: () => {} },
  {
    name: 'it belongs to another user',
    refused: KINDS,
    says: /a file of user 41235[:,] .*(?:run popfetch as|let root chown|rm )|EACCES/,
    needsRoot: true,
    make: (file) => (fs.chmodSync(file, 0o644), nobody(file)),
    without: ['secret'],
  },
  {
    name: 'it belongs to root',
    refused: [],
    says: /^$/,
    needsRoot: true,
    make: (file) => (fs.chownSync(file, 0, SOMEBODY), fs.chmodSync(file, 0o640)),
    // Only to be read.
    without: ['ledger', 'ledger to be read', 'log'],
  },
  {
    name: 'anybody can write it',
    refused: READ,
    says: /that anybody can write to \(mode 0602\).*chmod go-w \S*subject/,
    needsRoot: false,
    make: (file) => fs.chmodSync(file, 0o602),
  },
  {
    name: 'a group of others can write it, or somebody by an ACL, whose mask stands there',
    refused: READ,
    says: /that the group 41235 can write to \(mode 0660\).*chmod go-w \S*subject/,
    needsRoot: true,
    make: (file) => (fs.chownSync(file, fs.statSync(file).uid, ANOTHER), fs.chmodSync(file, 0o660)),
  },
  {
    name: 'anybody can read it',
    refused: ['secret'],
    says: /anybody can read \(mode 0604\): chmod 600 /,
    needsRoot: false,
    make: (file) => fs.chmodSync(file, 0o604),
  },
  {
    name: 'its directory belongs to another user',
    refused: KINDS,
    says: /below the directory \S*folder, which belongs to user 41235.*chown/,
    needsRoot: true,
    make: (_, folder) => (fs.chmodSync(folder, 0o755), nobody(folder)),
  },
  {
    name: 'anybody can write its directory',
    refused: READ,
    says: /directory \S*folder, .*anybody can .*\(mode 0777\).*chmod go-w \S*folder/,
    needsRoot: false,
    make: (_, folder) => fs.chmodSync(folder, 0o777),
  },
  {
    name: 'a group of others can write its directory',
    refused: READ,
    says: /directory \S*folder, .*the group 41235 can .*\(mode 0775\).*chmod go-w \S*folder/,
    needsRoot: true,
    make: (_, folder) => (fs.chownSync(folder, fs.statSync(folder).uid, ANOTHER), fs.chmodSync(folder, 0o775)),
  },
  {
    name: 'its directory is sticky, where others may put files beside it',
    refused: LEDGERS,
    says: /in the directory \S*folder, where anybody can make files \(mode 01777\): chmod go-w/,
    needsRoot: false,
    make: (_, folder) => fs.chmodSync(folder, 0o1777),
  },
  {
    name: 'a directory above that is anybody’s',
    refused: READ,
    says: /below the directory \S*case\d+, which anybody can write to \(mode 0777\).*chmod go-w/,
    needsRoot: false,
    make: (_, folder) => fs.chmodSync(path.dirname(folder), 0o777),
  },
  {
    name: 'it is a link of ours',
    refused: [],
    says: /^$/,
    needsRoot: false,
    make(file, folder) {
      fs.symlinkSync(file, `${folder}/link`)
      if (IS_ROOT) fs.lchownSync(`${folder}/link`, fs.statSync(file).uid, 0)
      return `${folder}/link`
    },
  },
  {
    name: 'it is a link of another user in a sticky directory',
    refused: KINDS,
    says: /behind \S*link, a link of user 41235.*rm \S*link/,
    needsRoot: true,
    make(file, folder) {
      const shared = `${path.dirname(folder)}/shared`
      fs.mkdirSync(shared)
      fs.chmodSync(shared, 0o1777)
      fs.symlinkSync(file, `${shared}/link`)
      fs.lchownSync(`${shared}/link`, ANOTHER, ANOTHER)
      return `${shared}/link`
    },
  },
  {
    name: 'it has a second name, by which another directory has it',
    refused: KINDS,
    says: /2 hard links/,
    needsRoot: false,
    make: (file, folder) => fs.linkSync(file, `${folder}/second`),
  },
  {
    name: 'it is a named pipe',
    refused: READ,
    says: /not a regular file/,
    needsRoot: false,
    // Without a reader it fails at once.
    without: ['log'],
    make(file) {
      fs.rmSync(file)
      execFileSync('mkfifo', ['-m', '600', file])
      if (IS_ROOT) fs.chownSync(file, fs.statSync(path.dirname(file)).uid, 0)
    },
  },
  {
    name: 'it is a device',
    refused: READ,
    says: /not a regular file/,
    needsRoot: false,
    make(file, folder) {
      fs.rmSync(file)
      fs.symlinkSync('/dev/null', `${folder}/link`)
      if (IS_ROOT) fs.lchownSync(`${folder}/link`, fs.statSync(folder).uid, 0)
      return `${folder}/link`
    },
  },
]

let base = ''
beforeAll(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'popfetch-others-'))
  fs.chmodSync(base, 0o755)
})
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

/** A good ledger, made once. */
let ledger: Buffer | null = null
async function contentOf(kind: Kind): Promise<Buffer> {
  if (!LEDGERS.includes(kind)) return Buffer.from(CONTENT[kind])
  if (ledger === null) {
    const file = path.join(base, 'made.db')
    await (await openLedger(file))[Symbol.asyncDispose]()
    ledger = fs.readFileSync(file)
  }
  return ledger
}

let cases = 0

/** A good file in a folder of its own, both of this user. */
async function goodFile(kind: Kind, uid: number): Promise<{ file: string; folder: string }> {
  const own = path.join(base, `case${++cases}`)
  const folder = path.join(own, 'folder')
  fs.mkdirSync(folder, { recursive: true, mode: 0o755 })
  const file = path.join(folder, 'subject')
  fs.writeFileSync(file, await contentOf(kind), { mode: 0o600 })
  if (IS_ROOT) for (const each of [own, folder, file]) fs.chownSync(each, uid, uid)
  return { file, folder }
}

/** What becomes of the files when popfetch is started by these words. */
function ask(list: readonly Case[], words: readonly string[]): readonly Outcome[] {
  const script = path.join(import.meta.dirname, 'readers.ts')
  const [program, ...rest] = [...words, process.execPath, '--no-warnings', script]
  const { stdout, stderr, status } = spawnSync(program, rest, {
    input: JSON.stringify(list),
    encoding: 'utf8',
    // Whoever opens a pipe and waits does not end.
    timeout: 60_000,
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
  })
  if (status !== 0) throw new Error(`asking by ${words.join(' ')}: ${stderr}`)
  return JSON.parse(stdout) as readonly Outcome[]
}

function wordsFor(uid: number): readonly string[] {
  if (uid === process.getuid?.()) return []
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
}

/** Root's own files may have several names: only root could have made them. */
function isRefused({ name, refused }: Wrong, kind: Kind, uid: number): boolean {
  if (uid === 0 && name.startsWith('it has a second name')) return kind === 'log'
  return refused.includes(kind)
}

function canAsk(uid: number): boolean {
  if (uid === process.getuid?.()) return true
  if (!IS_ROOT) return false
  const [program = '', ...words] = wordsFor(uid)
  const probe = spawnSync(program, [...words, process.execPath, '-e', `fs.accessSync('${import.meta.dirname}')`])
  return probe.status === 0
}

const USERS: readonly (readonly [string, number])[] = [
  ['root', 0],
  ['another user than root', IS_ROOT ? SOMEBODY : (process.getuid?.() ?? SOMEBODY)],
]

describe.each(USERS)('as %s', (_, uid) => {
  const missing = canAsk(uid) ? '' : ' [needs root, and a checkout that others can read]'
  const rows = TABLE.filter(({ needsRoot }) => IS_ROOT || !needsRoot)

  test.skipIf(missing !== '')(`each kind of file is taken or refused by the table${missing}`, async () => {
    const asked: { wrong: Wrong; kind: Kind; file: string; before: string }[] = []
    for (const wrong of rows) {
      for (const kind of KINDS) {
        if (wrong.without?.includes(kind) === true) continue
        const { file, folder } = await goodFile(kind, uid)
        const named = wrong.make(file, folder) ?? file
        asked.push({ wrong, kind, file: named, before: stateOf(named) })
      }
    }
    const outcomes = ask(asked, wordsFor(uid))
    const unexpected = asked.flatMap(({ wrong, kind, file, before }, at) => {
      const { code, message } = outcomes[at] ?? { code: NaN, message: 'no answer' }
      const refused = isRefused(wrong, kind, uid)
      const fits = refused ? code === CODES[kind] && wrong.says.test(message) : code === 0
      const untouched = !refused || stateOf(file) === before
      return fits && untouched ? [] : [`${kind}, ${wrong.name}: ${code} ${message}${untouched ? '' : ' (touched)'}`]
    })
    expect(unexpected).toEqual([])
    const silent = asked.flatMap(({ wrong, kind }, at) => {
      const { code, message } = outcomes[at] ?? { code: NaN, message: '' }
      const why = isRefused(wrong, kind, uid) ? unannounced(kind, wrong.name, uid === 0, code, message) : null
      return why === null ? [] : [`${kind}, ${wrong.name}: ${why}`]
    })
    expect(silent, 'refused without a word in the release notes').toEqual([])
    expect(asked.length).toBeGreaterThan(rows.length * 5)
  })
})

/** What a refusal must leave as it was. */
function stateOf(file: string): string {
  const { mode, uid, gid, size, mtimeMs } = fs.lstatSync(file)
  const through = fs.statSync(file)
  return JSON.stringify([mode, uid, gid, size, mtimeMs, through.mode, through.size, fs.readdirSync(path.dirname(file))])
}

describe('in a user namespace that has no root', () => {
  const words = ['unshare', '--user', `--map-user=${SOMEBODY}`, `--map-group=${SOMEBODY}`]
  const asSomebody = IS_ROOT
    ? ['setpriv', `--reuid=${SOMEBODY}`, `--regid=${SOMEBODY}`, '--clear-groups', ...words]
    : words
  const probe = spawnSync('env', [...asSomebody, process.execPath, '-e', `fs.accessSync('${import.meta.dirname}')`])
  const missing = probe.status === 0 ? '' : ' [needs user namespaces]'

  test.skipIf(missing !== '')(`what is root's shows as nobody's, and is taken for root's${missing}`, async () => {
    const good: Case[] = []
    const bad: Case[] = []
    for (const kind of KINDS) {
      const uid = IS_ROOT ? SOMEBODY : (process.getuid?.() ?? 0)
      good.push({ kind, file: (await goodFile(kind, uid)).file })
      const { file } = await goodFile(kind, uid)
      fs.chmodSync(file, 0o602)
      if (kind !== 'log') bad.push({ kind, file })
    }
    expect(ask(good, asSomebody)).toEqual(good.map(() => ({ code: 0, message: '' })))
    expect(ask(bad, asSomebody).map(({ code }) => code)).toEqual(bad.map(({ kind }) => CODES[kind]))
  })
})

test('a file that is exchanged between the look and the read is read as it was looked at', async () => {
  const { file, folder } = await goodFile('secret', process.getuid?.() ?? 0)
  await using opened = await OwnFile.open(file, { uid: process.getuid?.() ?? null })
  fs.writeFileSync(`${folder}/other`, 'of another user\n', { mode: 0o666 })
  fs.renameSync(`${folder}/other`, file)
  expect(opened.faults).toEqual([])
  expect((await opened.bytes(100))?.toString()).toBe('hunter2\n')
})

test('a file that is longer than its reader takes is read no further', async () => {
  const file = path.join(base, 'long')
  fs.writeFileSync(file, '0123456789', { mode: 0o600 })
  const uid = process.getuid?.() ?? null
  expect((await readOwnFile(file, { uid, limitBytes: 10 }))?.toString()).toBe('0123456789')
  expect(await readOwnFile(file, { uid, limitBytes: 9 })).toBeNull()
  await expect(readOwnFile('/dev/zero', { uid, limitBytes: 9 })).rejects.toThrow(/not a regular file/)
})

test('the command that mends is one for a shell, whatever the name', async () => {
  const file = path.join(base, "a b'c\u001b$(d)")
  fs.writeFileSync(file, '')
  fs.chmodSync(file, 0o602)
  const refused = readOwnFile(file, { uid: process.getuid?.() ?? null, limitBytes: 9 })
  await expect(refused).rejects.toThrow(`chmod go-w '${base}/a b'\\''c\\x1b$(d)'`)
})

describe('a group', () => {
  const etc = (passwd: string, group: string): string => {
    const root = path.join(base, `etc${++cases}`)
    fs.mkdirSync(root)
    fs.writeFileSync(`${root}/passwd`, passwd)
    fs.writeFileSync(`${root}/group`, group)
    return root
  }
  const PEOPLE = 'root:x:0:0::/:\nalice:x:1000:1000::/:\nbob:x:1001:1001::/:\n'

  test.each([
    ['of the same name, with nobody in it', 'alice:x:1000:\n', PEOPLE, true],
    ['with its own user written into it', 'alice:x:1000:alice\n', PEOPLE, true],
    ['with somebody else in it', 'alice:x:1000:bob\n', PEOPLE, false],
    ['that is the first group of two', 'alice:x:1000:\n', PEOPLE.replace('1001:1001', '1001:1000'), false],
    ['in which somebody unknown is', 'alice:x:1000:carol\n', PEOPLE, false],
    ['that has a second entry', 'alice:x:1000:\nfriends:x:1000:bob\n', PEOPLE, false],
    ['of which nothing is known', '', PEOPLE, false],
    ['in which nobody is', 'alice:x:1000:\n', 'root:x:0:0::/:\n', false],
  ])('%s: private is %s', async (_, group, passwd, isPrivate) => {
    expect(await isPrivateGroup(1000, 1000, 1000, etc(passwd, group))).toBe(isPrivate && process.platform !== 'darwin')
  })
})
