// The shape of the code, read from its imports (static, dynamic and of types): which way they run, and who may open
// which door. A rule that is broken here is broken in DESIGN parts 6 and 9 too.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MUTATIONS } from './crash/safeguards.ts'
import { DECISIONS } from './poll/decisions.ts'

const ROOT = resolve(import.meta.dirname, '..')

interface Import {
  readonly from: string
  /** A file of ours, relative to the checkout, or the bare name of a module. */
  readonly to: string
  /** `import type`: gone when the program runs. */
  readonly erased: boolean
  /** The names between braces; [] for everything else. */
  readonly names: readonly string[]
}

const files = ['src', 'bin'].flatMap((directory) =>
  readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(directory, name)),
)
const texts = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]))
const imports = [...texts].flatMap(([file, text]) => importsOf(file, text))

function importsOf(from: string, text: string): Import[] {
  const code = text.replace(/^\s*\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '')
  const found = [
    ...code.matchAll(/^\s*(?:import|export)\b(?<what>[^'"`;]*?)\bfrom\s*['"](?<name>[^'"]+)['"]/gm),
    ...code.matchAll(/^\s*import\s*['"](?<name>[^'"]+)['"]/gm),
    ...code.matchAll(/\b(?:import|require|getBuiltinModule)\s*\(\s*['"`](?<name>[^'"`]+)['"`]/g),
  ]
  return found.map(({ groups }) => {
    const name = groups?.['name'] ?? ''
    return {
      from,
      to: name.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(from), name)) : name,
      erased: /^\s*type\b/.test(groups?.['what'] ?? ''),
      names: /^[^{]*\{([^}]*)\}/.exec(groups?.['what'] ?? '')?.[1]?.match(/\w+/g) ?? [],
    }
  })
}

/** The floor a file is on: imports go down, or stay in the same room; the ground floor is one room. */
const FLOORS: readonly (readonly string[])[] = [
  ['bin', 'index'],
  ['cli', 'embed'],
  ['daemon', 'migrate', 'verify'],
  ['status'],
  ['poll', 'setup'],
  ['config'],
  ['deliver', 'oauth'],
  ['pop3', 'ledger'],
  ['ground'],
  ['redact', 'header', 'own-file'],
]

function roomOf(file: string): string {
  const [top = '', room = '', ...rest] = file.split('/')
  if (top === 'bin') return 'bin'
  if (file === 'src/index.ts') return 'index'
  return rest.length === 0 ? 'ground' : room
}

function floorOf(file: string): number {
  const floor = FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)))
  if (floor === -1) throw new Error(`${file} is in a room that has no floor: add it to FLOORS`)
  return floor
}

const DOORS: Readonly<Record<string, readonly string[]>> = {
  yargs: ['src/cli/arguments/with-yargs.ts'],
  'log-update': ['src/cli/terminal/progress-screen.ts'],
  '@inquirer/prompts': ['src/cli/terminal/prompts.ts'],
  zod: ['src/config/'],
  cosmiconfig: ['src/config/sources/read-text.ts'],
  yaml: ['src/config/'],
  imapflow: ['src/deliver/imap/imapflow.ts'],
  nodemailer: ['src/deliver/smtp/nodemailer.ts'],
  'postal-mime': ['src/poll/route/conditions.ts'],
  'p-queue': ['src/poll/run/concurrency.ts'],
  pg: ['src/ledger/postgres/connection/connection.ts'],
  oauth4webapi: ['src/oauth/'],
  pino: ['src/log.ts'],
  socks: ['src/pop3/network/proxy.ts'],
  'node:sqlite': ['src/ledger/'],
  'node:child_process': ['src/program.ts', 'src/daemon/detach.ts'],
  'node:http': [
    'src/daemon/http/server.ts',
    'src/daemon/notify/request.ts',
    'src/pop3/network/proxy.ts',
    'src/oauth/',
    'src/deliver/gmail/exchange.ts',
  ],
  'node:https': ['src/oauth/http.ts', 'src/daemon/notify/request.ts', 'src/deliver/gmail/exchange.ts'],
  'node:net': [
    'src/pop3/network/connection.ts',
    'src/deliver/network/dial.ts',
    // Makes a list of addresses, and no connection.
    'src/deliver/network/private-network.ts',
    'src/ledger/postgres/connection/connection.ts',
    'src/daemon/control/server.ts',
    'src/daemon/control/client.ts',
  ],
  'node:tls': [
    'src/server-identity.ts',
    'src/ledger/postgres/connection/connection.ts',
    'src/pop3/network/connection.ts',
    'src/pop3/network/trust.ts',
    'src/deliver/network/dial.ts',
    'src/deliver/smtp/conversation.ts',
  ],
}
/** What node:net knows of addresses opens nothing. */
const ADDRESSES: readonly string[] = ['isIP', 'isIPv4', 'isIPv6', 'BlockList', 'SocketAddress']

const ours = imports.filter(({ to }) => texts.has(to))

describe('imports', () => {
  test('are found, of every form', () => {
    expect(imports).toContainEqual({ from: 'bin/popfetch.ts', to: 'src/cli/main.ts', erased: false, names: [] })
    expect(imports).toContainEqual({
      from: 'src/cli/surroundings.ts',
      to: 'src/cli/output.ts',
      erased: true,
      names: ['Output'],
    })
    const forms = `import a from 'a'\nimport type {\n  B,\n} from "b"\nexport * from 'c'\nimport 'd'\nawait import('e')\nprocess.getBuiltinModule('f')\n// import x from 'x'`
    expect(importsOf('src/x.ts', forms).map(({ to }) => to)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  test('of our own files name files that exist', () => {
    const missing = imports.filter(({ to }) => /^(src|bin)\//.test(to) && !texts.has(to))
    expect(missing).toEqual([])
  })

  test('go down only, and rooms of one floor do not see each other', () => {
    const wrong = ours.filter(({ from, to }) => roomOf(from) !== roomOf(to) && floorOf(to) <= floorOf(from))
    expect(wrong).toEqual([])
  })

  test('make no circle', () => {
    expect(circleOf(ours)).toEqual([])
  })

  test.each([...new Set(files.map(roomOf))])('make no circle of folders inside %s', (room) => {
    expect(circleOf(betweenFolders(room))).toEqual([])
  })

  test('of the start file are not static: an old Node must reach the version guard', () => {
    expect(texts.get('bin/popfetch.ts')).not.toMatch(/^\s*(import|export)\b(?!\s*\()/m)
  })

  test('do not leave src and bin, but for package.json', () => {
    const outside = imports.filter(({ to }) => /^(test|examples|\.\.)/.test(to))
    expect(outside).toEqual([])
  })
})

/** Who opens files, and why that may be: everything else goes through own-file.ts, which says whose a file is. */
const OPENERS: Readonly<Record<string, string>> = {
  'src/own-file.ts': 'judges what it opens',
  'src/own-file/calls.ts': 'opens for own-file.ts',
  'src/owners.ts': 'reads what only root can write: /etc and /proc',
  'src/deliver/disk/filesystem.ts': 'opens what destinations judge by their own rules',
  'src/deliver/disk/thread.ts': 'makes new files in a Maildir that is open',
  'src/deliver/disk/open-files.ts': 'reads what only the kernel can write: /proc',
  'src/deliver/disk/own-files.ts': 'opens nothing: makes and looks at the directory of the spool',
  'src/program.ts': 'reads from a descriptor that it is given',
  'src/ledger/sqlite/file.ts': 'looks at what own-file.ts has judged',
  'src/ledger/sqlite/schema/migrations.ts': 'makes new files',
  'src/ledger/sqlite/backup.ts': 'makes new files',
  'src/ledger/sqlite/restore.ts': 'makes a new file',
  'src/ledger/sqlite/copy/ends.ts': 'makes a new file',
  'src/ledger/sqlite/mend/repair.ts': 'makes a new file, and looks at what own-file.ts has judged',
  'src/ledger/sqlite/mend/pages.ts': 'reads from descriptors that it is given',
  'src/poll/rests/boot-clock.ts': 'reads what only the kernel can write: /proc',
  'src/oauth/store.ts': 'makes new files, and reads through own-file.ts',
  'src/config/daemon/told.ts': 'makes new files, and reads through own-file.ts',
  'src/config/sources/kept.ts': 'makes new files, and reads through own-file.ts',
  'src/daemon/notify/process.ts': 'makes a new file, by which one process tells at a time',
  'src/ledger/sqlite/rows/lock-file.ts': 'makes an empty file, and reads none',
  'src/cli/held-program.ts': 'reads the files of the program itself',
  'src/config/kept/kept.ts': 'makes new files, and reads through own-file.ts',
  'src/cli/kept-code.ts': 'reads the files of the program itself, and what it wrote in the private folder of the cache',
  'src/cli/open/mounts.ts': 'reads what only the kernel can write: /proc',
  'src/cli/open/new-file.ts': 'makes new files',
  'src/cli/commands/log/read-log.ts': 'shows its reader what the system lets them read',
  'src/cli/commands/uninstall/read-start.ts': 'shows its reader what the system lets them read',
  'src/cli/commands/migrate/action.ts': 'writes to what own-file.ts has opened',
}
const OPENS = /^(?:open|read|write|append|copy)(?:File)?(?:Sync)?$|^create(?:Read|Write)Stream$/

test('files are opened by a few alone, so that each is judged', () => {
  const users = imports
    .filter(({ to, erased }) => /^(?:node:)?fs(?:\/promises)?$/.test(to) && !erased)
    .filter(({ names }) => names.length === 0 || names.some((name) => OPENS.test(name)))
  expect([...new Set(users.map(({ from }) => from))].filter((from) => OPENERS[from] === undefined)).toEqual([])
  expect(Object.keys(OPENERS).filter((file) => !users.some(({ from }) => from === file))).toEqual([])
  const callers = imports.filter(({ to }) => to === 'src/own-file/calls.ts').map(({ from }) => from)
  expect(callers).toEqual(['src/own-file.ts'])
})

describe('a dependency has one door', () => {
  test.each(Object.entries(DOORS))('%s', (name, doors) => {
    const bare = name.replace('node:', '')
    const users = imports
      .filter(({ to }) => to === name || to === bare || to.startsWith(`${name}/`))
      .filter(({ erased }) => !erased)
      .filter(({ names }) => names.length === 0 || !names.every((word) => ADDRESSES.includes(word)))
      .map(({ from }) => from)
      .filter((from) => !doors.some((door) => (door.endsWith('/') ? from.startsWith(door) : from === door)))
    expect(users).toEqual([])
  })

  test('and there are no others', () => {
    const unknown = imports.filter(({ to }) => !texts.has(to) && !/^(src|bin|node:)|^package.json$/.test(to))
    expect(unknown.filter(({ to }) => !(topName(to) in DOORS))).toEqual([])
  })
})

test('every call that deliver/ makes to the disk goes through deliver/disk/', () => {
  const callers = imports
    .filter(({ from, to }) => from.startsWith('src/deliver/') && /^node:fs\b/.test(to))
    .filter(({ erased, names }) => !erased && !/^constants(?:,type,Stats)?$/.test(names.join()))
    .map(({ from }) => from)
  expect(callers.filter((from) => !from.startsWith('src/deliver/disk/'))).toEqual([])
})

function topName(module: string): string {
  return module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/')
}

test('a test that replaces a module has a process of its own', () => {
  const suite = readFileSync(join(ROOT, 'test/vitest.config.ts'), 'utf8')
  const replacing = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && file !== 'architecture.test.ts')
    .filter((file) => /^vi\.mock\(/m.test(readFileSync(join(ROOT, 'test', file), 'utf8')))
  expect(
    replacing.filter((file) => !suite.includes(`'test/${file}'`) && !/^(?:cli|daemon)\/|^[^/]+$/.test(file)),
  ).toEqual([])
})

test('no file of src is longer than 400 lines', () => {
  const long = [...texts].filter(([, text]) => text.split('\n').length - 1 > 400).map(([file]) => file)
  expect(long).toEqual([])
})

test('no folder of src holds more than 16 files', () => {
  const folders = Map.groupBy(texts.keys(), (file) => dirname(file))
  expect([...folders].filter(([, held]) => held.length > 16).map(([folder]) => folder)).toEqual([])
})

test("the bundler's chunks begin with files that are there", () => {
  const config = readFileSync(join(ROOT, '.rolldown.config.js'), 'utf8')
  const named = config.match(/\bsrc\/[\w./-]+\.ts\b/g) ?? []
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((file) => !texts.has(file))).toEqual([])
})

test('the map of the house names files that are there', () => {
  const [map = ''] = (texts.get('src/index.ts') ?? '').split('\nexport ')
  const named = map.match(/(?<![\w.])[\w-]+(?:\/[\w-]+)*(?:\.test)?\.ts\b/g) ?? []
  expect(named.length).toBeGreaterThan(15)
  expect(named.filter((file) => !texts.has(`src/${file}`) && !existsSync(join(ROOT, file)))).toEqual([])
})

test.each(['README.md', '.github/CONTRIBUTING.md'])('%s names files that are there', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const inText = [...text.matchAll(/(?<![\w/])(?:src|test|bin|examples)\/[\w./-]*\w/g)].map(([name]) => name)
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, name = '']) => join(dirname(page), name))
  expect(inText.length).toBeGreaterThan(0)
  const missing = [...inText, ...links].filter((name) => !existsSync(join(ROOT, name)))
  // KIND stands for any name.
  expect(missing.filter((name) => !name.includes('KIND'))).toEqual([])
})

test('the safeguards and decisions that the tests are proved with are in the program, each once', () => {
  const misfits = [...MUTATIONS, ...DECISIONS].filter(({ file, from }) => texts.get(file)?.split(from).length !== 2)
  expect(misfits.map(({ what, file, from }) => `${what}: ${file} does not have once: ${from}`)).toEqual([])
})

test('nothing depends on the locale of the machine (N038)', () => {
  // With a locale that is written there it would be the same everywhere.
  const local = /\.toLocale\w*\(\s*\)|\.localeCompare\(|\bnew Intl\.\w+\(\s*\)/
  expect([...texts].filter(([, text]) => local.test(text)).map(([file]) => file)).toEqual([])
})

test('every file begins with what lives in it', () => {
  const silent = [...texts].filter(([, text]) => !/^(#!.*\n)?\/\/ /.test(text)).map(([file]) => file)
  expect(silent).toEqual([])
})

/** The imports of one folder of a room from another. The files of the room's own level are in no folder. */
function betweenFolders(room: string): Import[] {
  const folderOf = (file: string): string => file.split('/').slice(2, -1).join('/')
  return ours
    .filter(({ from, to }) => roomOf(from) === room && roomOf(to) === room)
    .map((one) => ({ ...one, from: folderOf(one.from), to: folderOf(one.to) }))
    .filter(({ from, to }) => from !== '' && to !== '' && from !== to)
}

/** The files of one circle, in order; [] when there is none. */
function circleOf(edges: readonly Import[]): string[] {
  const targets = Map.groupBy(edges, ({ from }) => from)
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): string[] => {
    const at = path.indexOf(file)
    if (at !== -1) return [...path.slice(at), file]
    if (done.has(file)) return []
    path.push(file)
    for (const { to } of targets.get(file) ?? []) {
      const circle = visit(to)
      if (circle.length > 0) return circle
    }
    path.pop()
    done.add(file)
    return []
  }
  for (const file of targets.keys()) {
    const circle = visit(file)
    if (circle.length > 0) return circle
  }
  return []
}
