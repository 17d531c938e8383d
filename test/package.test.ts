// The package as people get it (support/installed.ts): what is in it, what it needs, and that it runs.
import { execFile } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { isBuiltin } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blankDestination } from '../src/ledger/destination.ts'
import { openLedger } from '../src/ledger/sqlite/open.ts'
import { filesIn, NOBODY, PackedHome } from './support/installed.ts'
import { Pop3Server } from './support/pop3-server.ts'

const ROOT = join(import.meta.dirname, '..')
const BIN = join(ROOT, 'node_modules/.bin')
const run = promisify(execFile)

let packed: PackedHome
let scene: string
let dist: string
let home: string
let installed: string
let sources: readonly string[]

/** Runs a program as a user who is not root; resolves with its standard output. */
async function asUser(file: string, args: readonly string[], changes: NodeJS.ProcessEnv = {}): Promise<string> {
  return (await packed.asUser(file, args, changes)).stdout
}

beforeAll(async () => {
  packed = await PackedHome.pack()
  ;({ scene, dist, home, sources } = packed)
  installed = join(home, 'prefix/lib/node_modules/popfetch')
  await asUser('npm', ['install', '--global', '--offline', '--no-audit', '--no-fund', packed.tarball])
}, 600_000)

afterAll(() => packed[Symbol.dispose]())

test('installing the package brings one package', async () => {
  expect(readdirSync(join(home, 'prefix/lib/node_modules'))).toEqual(['popfetch'])
  expect(filesIn(installed).filter((file) => file.includes('node_modules'))).toEqual([])
  const listed = await asUser('npm', ['ls', '--global', '--all', '--parseable'])
  expect(listed.trim().split('\n')).toHaveLength(2)
})

test('the package has the program, its types, its licences and the examples, and nothing else', () => {
  const files = filesIn(installed).filter((file) => !/^(examples|dist\/chunks)\//.test(file))
  expect(files.toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'dist/THIRD-PARTY-LICENSES',
    'dist/config.schema.json',
    'dist/index.d.ts',
    'dist/index.js',
    'dist/man/popfetch.1',
    'dist/man/popfetch.yaml.5',
    'dist/popfetch.js',
    'package.json',
  ])
})

test('npm installs the manual, where man finds it', async () => {
  const folder = join(home, 'prefix/share/man')
  expect(readdirSync(folder, { recursive: true }).map(String).toSorted()).toEqual([
    'man1',
    'man1/popfetch.1',
    'man5',
    'man5/popfetch.yaml.5',
  ])
  expect(readFileSync(join(folder, 'man1/popfetch.1'), 'utf8')).toMatch(/^\.TH POPFETCH 1 /)
})

test('the installed command runs without any other package', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  expect(await asUser('popfetch', ['--version'])).toContain(version)
  expect(await asUser('popfetch', ['--help'])).toContain('--daemon')
  cpSync(join(ROOT, 'examples/cron.yaml'), join(home, 'config.yaml'))
  if (process.getuid?.() === 0) await run('chown', [`${NOBODY}`, join(home, 'config.yaml')])
  chmodSync(join(home, 'config.yaml'), 0o600)
  expect(await asUser('popfetch', ['config', 'show', '--config', 'config.yaml'])).toContain('accounts:')
})

test('a user without a home directory is told so, or names what would be looked for there', async () => {
  const homeless = { HOME: undefined }
  const asked = asUser('popfetch', ['config', 'check'], homeless)
  // Anybody else is in the password file, and has a home there.
  if (process.getuid?.() === 0) await expect(asked).rejects.toThrow(/HOME is not set/)
  else await asked.catch(() => {})
  const account = "{ host: pop.example.net, user: me, password: secret, deliver: 'maildir:/mail' }"
  await asUser('sh', ['-c', `umask 077; echo "accounts: { here: ${account} }" > here.yaml`])
  const named = ['--config', 'here.yaml', '--state', 'state.db']
  expect(await asUser('popfetch', ['config', 'check', ...named], homeless)).toContain('correct')
})

test('the built program imports nothing that Node.js does not have', () => {
  const scripts = filesIn(dist).filter((file) => file.endsWith('.js'))
  const imports = scripts.flatMap((file) => {
    const text = readFileSync(join(dist, file), 'utf8')
    // Statements begin a line; what libraries say about imports in their comments and texts does not.
    const found = [
      ...text.matchAll(/^(?:import|export)\b[^"'`\n]*["'`]([\w@./:-]+)["'`];?$/gm),
      ...text.matchAll(/^[^*/\n]*\b(?:import|require|getBuiltinModule)\(\s*["'`]([\w@./:-]+)["'`]/gm),
    ]
    return found.map(([, name = '']) => name).filter((name) => !name.startsWith('.') && !isBuiltin(name))
  })
  expect(imports).toEqual([])
})

test('each part of the built program can be loaded by itself', async () => {
  const chunks = filesIn(join(installed, 'dist/chunks')).filter((file) => file.endsWith('.js'))
  expect(chunks.length).toBeGreaterThan(20)
  const places = JSON.stringify(chunks.map((file) => join(installed, 'dist/chunks', file)))
  const loading = `for (const file of ${places}) await import(file).catch((error) => console.log(file, error.message))`
  expect(await asUser('node', ['--input-type=module', '-e', loading])).toBe('')
})

test('the list of what is in the package names every package that is bundled, with its digest', async () => {
  const file = join(scene, 'sbom.json')
  await run(process.execPath, ['.build/sbom.js', dist, file], { cwd: ROOT })
  interface Component {
    readonly name: string
    readonly version: string
    readonly purl: string
    readonly hashes: readonly { readonly alg: string }[]
  }
  const { components, metadata } = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly components: readonly Component[]
    readonly metadata: { readonly component: { readonly name: string } }
  }
  expect(metadata.component.name).toBe('popfetch')
  const licences = readFileSync(join(dist, 'THIRD-PARTY-LICENSES'), 'utf8')
  const bundled = [...licences.matchAll(/^(\S+) (\d\S*) \(.*\)$/gm)].map(([, name, version]) => `${name}@${version}`)
  expect(components.map(({ name, version }) => `${name}@${version}`).toSorted()).toEqual(bundled.toSorted())
  for (const { name, hashes, purl } of components) {
    expect(purl).toMatch(/^pkg:npm\//)
    expect([name, hashes.map(({ alg }) => alg)]).toEqual([name, ['SHA-512']])
  }
})

test('the lock file has the SHA-512 of each package, from the registry that was asked', () => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<
      Record<string, { readonly integrity?: string; readonly resolved?: string; readonly link?: boolean }>
    >
  }
  const entries = Object.entries(lock.packages).filter(([path]) => path !== '')
  expect(entries.length).toBeGreaterThan(100)
  for (const [path, { integrity, resolved, link }] of entries) {
    expect([path, link]).toEqual([path, undefined])
    expect([path, integrity]).toEqual([path, expect.stringMatching(/^sha512-[A-Za-z0-9+/]{86}==$/)])
    expect([path, resolved ?? 'https://registry.npmjs.org/']).toEqual([
      path,
      expect.stringMatching(/^https:\/\/registry\.npmjs\.org\//),
    ])
  }
})

test('the licence of every package that is bundled is in the package', () => {
  const folders = sources.flatMap(
    (source) => /node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(source) ?? [],
  )
  const bundled = [...new Set(folders)].map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Record<
      string,
      string
    >
    return `${name} ${version}`
  })
  const sections = readFileSync(join(dist, 'THIRD-PARTY-LICENSES'), 'utf8').split(/^-{80}$/m)
  const named = sections.slice(1).map((section) => /^\s*(\S+ \S+) \(/.exec(section)?.[1] ?? '')
  expect(bundled.length).toBeGreaterThan(30)
  expect(named.toSorted()).toEqual([...new Set(bundled)].toSorted())
  expect(sections.slice(1).filter((text) => !/copyright/i.test(text) || !/warrant/i.test(text))).toEqual([])
})

/** How a program finds the types of a package. */
const RESOLUTIONS = [
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
] as const

/** More would be felt in an editor. Measured: 118,189 when they were made of the schema's. */
const MOST_INSTANTIATIONS = 2000

function embedding(name: string): string {
  const folder = join(scene, name)
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
  symlinkSync(installed, join(folder, 'node_modules/popfetch'))
  for (const types of ['node', '../undici-types']) {
    const place = join(folder, 'node_modules/@types', types)
    symlinkSync(join(ROOT, 'node_modules/@types', types), place)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  return folder
}

/** What the compiler says of a program, with its figures. Declaration files of others are checked too. */
async function compiled(folder: string, file: string, resolution: object): Promise<string> {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    ...resolution,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  const args = ['-p', folder, '--extendedDiagnostics']
  return (await run(join(BIN, 'tsc'), args).catch((error: unknown) => error as { stdout: string })).stdout
}

test.each(RESOLUTIONS)('an embedding program has types of its own, quickly: $moduleResolution', async (resolution) => {
  const folder = embedding(`types-${resolution.moduleResolution}`)
  writeFileSync(
    join(folder, 'program.ts'),
    `import { createPoller, defineDestination, loadConfiguration, type Account, type Configuration } from 'popfetch'
const configuration: Configuration = await loadConfiguration({ env: {}, base: '/' })
for (const { host, delete: policy } of configuration.accounts satisfies readonly Account[]) {
  const name: string = host
  const kind: 'never' | 'after-delivery' | 'age' = policy.kind
  // @ts-expect-error The host is text.
  const port: number = host
  console.log(name, kind, port)
}
const store = defineDestination({ description: 'store', deliver: async ({ key }) => ({ text: key }) })
// @ts-expect-error A delivery says that it happened.
defineDestination({ description: 'store', deliver: async () => {} })
const account = { host: 'pop.example.net', user: 'me', password: () => 'secret', deliver: 'store' }
const poller = await createPoller({ accounts: { account }, destinations: { store }, ledger: 'state.db' })
using listener = poller.on('message', ({ subject, outcome }) => console.log(subject, outcome satisfies string))
// @ts-expect-error There is no such event.
poller.on('mesage', () => {})
console.log(listener)
`,
  )
  const said = await compiled(folder, 'program.ts', resolution)
  expect(said).not.toMatch(/error TS/)
  const without = embedding(`none-${resolution.moduleResolution}`)
  writeFileSync(join(without, 'program.ts'), 'export const nothing = 1\n')
  const figure = (text: string): number => Number(/^Instantiations:\s+([\d,]+)/m.exec(text)?.[1]?.replaceAll(',', ''))
  const alone = figure(await compiled(without, 'program.ts', resolution))
  expect(figure(said) - alone).toBeLessThan(MOST_INSTANTIATIONS)
  expect(readFileSync(join(installed, 'dist/index.d.ts'), 'utf8')).not.toMatch(/from ["'](?!node:)/)
})

test('every public name has words of its own', () => {
  const text = readFileSync(join(installed, 'dist/index.d.ts'), 'utf8')
  const silent = [...text.matchAll(/(.*)\nexport (?:declare )?(?:function|class|interface|type|const) (\w+)/g)]
    .filter(([, before = '']) => !before.trimEnd().endsWith('*/'))
    .map(([, , name]) => name)
  expect(silent).toEqual([])
})

test('publint and arethetypeswrong find nothing wrong', async () => {
  const tarball = readFileSync(packed.tarball)
  const bytes = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength)
  const { messages } = await publint({ pkgDir: installed, pack: false, strict: true })
  expect(messages).toEqual([])
  const checked = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)))
  const problems = checked.types === false ? [] : checked.problems
  // It is of ES modules alone, which require() takes from Node.js 22 on. TypeScript's oldest resolution knows no exports, and
  // so nothing of the schema's other name.
  const { CJSResolvesToESM: _, ...others } = Object.groupBy(problems, ({ kind }) => kind)
  expect(Object.values(others).flat()).toEqual([
    { kind: 'NoResolution', entrypoint: './config.schema.json', resolutionKind: 'node10' },
  ])
  expect(checked.types).not.toBe(false)
})

test('the example of an embedding program is right, and delivers to its own destination from the installed package', async () => {
  const folder = embedding('example')
  cpSync(join(installed, 'examples/embed/to-a-service.ts'), join(folder, 'to-a-service.ts'))
  expect(await compiled(folder, 'to-a-service.ts', RESOLUTIONS[1])).not.toMatch(/error TS/)
  await using server = await Pop3Server.start()
  for (const at of [0, 1, 2])
    server.mailbox('alice').add(`Subject: letter ${at}\r\n\r\nbody\r\n`, { uidl: `uid-${at}` })
  const requests: { readonly key: unknown; readonly body: string }[] = []
  let isOpen = false
  const service = createServer((request, response) => {
    void text(request).then((body) => {
      if (isOpen) requests.push({ key: request.headers['idempotency-key'], body })
      response.writeHead(isOpen ? 201 : 503).end(isOpen ? 'taken' : 'not now')
    })
  })
  await new Promise<void>((resolve) => void service.listen(0, '127.0.0.1', resolve))
  const { port } = service.address() as AddressInfo
  const fetchOnce = async (): Promise<string> => {
    const env = {
      PATH: process.env['PATH'],
      POP_HOST: server.host,
      POP_PORT: String(server.port),
      POP_TLS: 'none',
      POP_USER: 'alice',
      POP_PASSWORD: 'secret',
      SERVICE: `http://127.0.0.1:${port}/in`,
      ONCE: '1',
    }
    const ended = await run(process.execPath, ['to-a-service.ts'], { cwd: folder, env }).catch(
      (error: unknown) => error,
    )
    const { stdout, stderr } = ended as { readonly stdout: string; readonly stderr: string }
    expect(stderr).not.toMatch(/^\S*(?:Error|Warning)/m)
    return stdout
  }
  expect(await fetchOnce()).toContain('work: failed: service 127.0.0.1')
  isOpen = true
  // As after the rest of the destination.
  await using ledger = await openLedger(join(folder, 'state/popfetch.db'))
  for (const { key, recipient } of await ledger.destinations())
    await ledger.changeDestination(key, recipient, () => ({ ...blankDestination(key, recipient) }))
  expect(await fetchOnce()).toContain('work: delivered: (no sender): letter 0')
  expect(
    requests.map(({ body }) => /Subject: .*/.exec(body)?.[0]).toSorted((a = '', b = '') => (a < b ? -1 : 1)),
  ).toEqual(['Subject: letter 0', 'Subject: letter 1', 'Subject: letter 2'])
  expect(new Set(requests.map(({ key }) => key)).size).toBe(3)
  await fetchOnce()
  expect(requests).toHaveLength(3)
  service.close()
})

test('what an embedding program does not catch is printed with its line, not with a whole chunk (B20)', async () => {
  const folder = embedding('embedding')
  const uncaught = async (call: string): Promise<string> => {
    const program = `import * as popfetch from 'popfetch'\nawait popfetch.${call}\n`
    writeFileSync(join(folder, 'uncaught.mjs'), program)
    const ended = await run(process.execPath, [join(folder, 'uncaught.mjs')]).catch((error: unknown) => error)
    return (ended as { readonly stderr: string }).stderr
  }
  const missing = await uncaught("loadConfiguration({ file: 'no.yaml', env: {} })")
  expect(missing).toContain('it does not exist')
  expect(missing.length).toBeLessThan(3000)
  const without = await uncaught('openLedger(undefined)')
  expect(without).toContain('openLedger needs the path of the ledger, such as configuration.statePath')
  expect(without.length).toBeLessThan(3000)
})

test('who installs the package does not build it', async () => {
  const before = filesIn(installed)
  await asUser('npm', ['run', 'prepare', '--prefix', installed])
  expect(filesIn(installed)).toEqual(before)
})

test('the lock file names no registry', () => {
  expect(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).not.toContain('"resolved"')
})
