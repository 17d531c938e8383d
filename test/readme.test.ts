// README as its reader meets it. Every command is run as it is written, in the order of the page. The user is not root, and the
// package is as npm installs it. The servers that it names are on this machine: a hook of Node leads their names and ports
// there.
import { execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createHash } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify, stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PackedHome } from './support/installed.ts'
import { Pop3Server } from './support/pop3-server.ts'

const ROOT = join(import.meta.dirname, '..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const run = promisify(execFile)

/** The command lines of the page, without their comments. */
const lines = blocks('sh').flatMap((block) => block.trimEnd().split('\n'))
const commands = lines.map((line) => line.replace(/ {2,}# .*$/, ''))
const [configuration = ''] = blocks('yaml')

function blocks(language: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)
}

let packed: PackedHome
let server: Pop3Server
let registry: Server
let environment: NodeJS.ProcessEnv

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a line as a shell of the user does. */
async function shell(line: string, changes: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const { user, home } = packed
  const env = { ...packed.environment(environment), ...changes }
  try {
    return { code: 0, ...(await run('bash', ['-c', line], { ...user, cwd: home, env })) }
  } catch (error) {
    const { code, stdout, stderr } = error as Ended
    return { code, stdout, stderr }
  }
}

/** Runs a line on a terminal; `typed` is typed when `prompt` was shown. */
async function onTerminal(line: string, prompt: string, typed: string): Promise<Ended> {
  const { user, home } = packed
  const env = { ...packed.environment(environment), TERM: 'dumb', SHELL: '/bin/bash' }
  const child = spawn('script', ['-qefc', line, '/dev/null'], { ...user, cwd: home, env })
  let stdout = ''
  let isTyped = typed === ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    if (isTyped || !stdout.includes(prompt)) return
    isTyped = true
    child.stdin.write(typed)
  })
  // It hangs only where the page is wrong.
  const limit = setTimeout(() => child.kill(), 120_000)
  const code = await new Promise<number>((resolve) => {
    child.on('close', (ended) => resolve(ended ?? -1))
  })
  clearTimeout(limit)
  return { code, stdout, stderr: '' }
}

/** Where npm gets the package from: it knows no other. */
async function startRegistry(tarball: string): Promise<Server> {
  const bytes = readFileSync(tarball)
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, string>
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  const listening = createServer((request, response) => {
    const { port } = listening.address() as AddressInfo
    if (request.url === '/popfetch.tgz') return void response.end(bytes)
    if (request.url !== '/popfetch') return void response.writeHead(404).end()
    const version = manifest['version'] ?? ''
    const dist = { tarball: `http://127.0.0.1:${port}/popfetch.tgz`, integrity }
    const versions = { [version]: { ...manifest, dist } }
    response.end(JSON.stringify({ name: 'popfetch', 'dist-tags': { latest: version }, versions }))
  })
  await new Promise<void>((resolve) => {
    listening.listen(0, '127.0.0.1', resolve)
  })
  return listening
}

/** A certificate for pop.example.net, by openssl. */
async function certificateFor(folder: string): Promise<{ readonly cert: string; readonly key: string }> {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=readme']
  const names = ['-addext', 'subjectAltName=DNS:pop.example.net']
  await run('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert])
  chmodSync(cert, 0o644)
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

/** Leads the names and ports of the page to servers of ours. */
const hook = (port: number): string => `
const dns = process.getBuiltinModule('node:dns')
const { lookup } = dns
dns.lookup = (name, ...rest) => lookup(name.endsWith('.example.net') ? '127.0.0.1' : name, ...rest)
const { Socket } = process.getBuiltinModule('node:net')
const { connect } = Socket.prototype
Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args
  if (options?.port === 995) options.port = ${port}
  return connect.apply(this, args)
}
`

beforeAll(async () => {
  packed = await PackedHome.pack()
  const { home, scene, tarball } = packed
  registry = await startRegistry(tarball)
  const tlsOptions = await certificateFor(scene)
  server = await Pop3Server.start({ tls: 'implicit', tlsOptions })
  const mailbox = server.mailbox('alice', 'the real password')
  for (let number = 1; number <= 9; number++) mailbox.add(`Subject: invoice ${number}\n\nhello\n`)
  writeFileSync(join(scene, 'hook.mjs'), hook(server.port))
  const tool = (name: string, text: string): void =>
    writeFileSync(join(home, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  tool('pass', 'test "$*" = "show mail/old-isp" && echo "the real password"')
  tool('crontab', 'if [ "$1" = -l ]; then cat "$HOME/crontab"; else cat > "$HOME/crontab"; fi')
  await packed.own('bin')
  const { port } = registry.address() as AddressInfo
  environment = {
    NODE_OPTIONS: `--import=${join(scene, 'hook.mjs')}`,
    NODE_EXTRA_CA_CERTS: join(scene, 'cert.pem'),
    npm_config_registry: `http://127.0.0.1:${port}/`,
    npm_config_audit: 'false',
    npm_config_update_notifier: 'false',
  }
}, 600_000)

afterAll(async () => {
  await shell('popfetch stop')
  registry.close()
  await server[Symbol.asyncDispose]()
  packed[Symbol.dispose]()
})

/** The command that a line runs first. */
const runs = (command: string): boolean => commands.includes(command)

test('the page is short enough to be read: under 200 lines', () => {
  expect(README.trimEnd().split('\n').length).toBeLessThan(200)
})

test('every command of the page does what it is there for, in the order of the page', async () => {
  const said: Record<string, Ended> = {}
  for (const command of commands) {
    if (command === 'popfetch init') {
      // Its questions have tests of their own. Whoever stops at the first one has written nothing.
      said[command] = await onTerminal(command, 'ddress', '\u0003')
      mkdirSync(join(packed.home, '.config/popfetch'), { recursive: true, mode: 0o700 })
      expect(existsSync(join(packed.home, '.config/popfetch/config.yaml'))).toBe(false)
      writeFileSync(join(packed.home, '.config/popfetch/config.yaml'), configuration, { mode: 0o600 })
      await packed.own('.config')
    } else said[command] = await shell(command)
    const { code, stdout, stderr } = said[command]
    const wanted = command === 'popfetch init' ? expect.not.toSatisfy((ended) => ended === 0) : 0
    expect([command, code, stdout, stderr]).toEqual([command, wanted, stdout, stderr])
  }
  expect(said['popfetch config check']?.stdout).toContain('correct: 1 account, 1 destination')
  expect(said['popfetch check']?.stdout).toContain('9')
  expect(said['popfetch --dry-run']?.stdout).toContain('uid00000009')
  expect([said['popfetch']?.stdout, said['popfetch']?.stderr]).toEqual(['', ''])
  expect(said['popfetch state find invoice']?.stdout).toContain('invoice 9')
  expect(said['popfetch config reference delete']?.stdout).toContain('accounts.NAME.delete')
  expect(said['popfetch status']?.stdout).toContain('old-isp')
  expect(said['popfetch init --cron']?.stdout).toMatch(/^\*\/5 \* \* \* \*  \/\S+ \/\S+popfetch\S* --config \/\S+$/m)
  expect(said['popfetch init --systemd']?.stdout).toMatch(/^ExecStart=\/\S+ \/\S+popfetch\S* .*--daemon --foreground$/m)
  expect(existsSync(join(packed.home, 'ledger.bak'))).toBe(true)
  expect(readdirSync(join(packed.home, 'Mail/new'))).toHaveLength(9)
  // The last one has removed it, and left what is the user's.
  expect(existsSync(join(packed.home, 'prefix/bin/popfetch'))).toBe(false)
  expect(existsSync(join(packed.home, '.local/state/popfetch/state.db'))).toBe(true)
}, 600_000)

test('the line of the crontab works with the environment that cron gives', async () => {
  await shell('npm install -g popfetch')
  const crontab = readFileSync(join(packed.home, 'crontab'), 'utf8')
  const [, line = ''] = /^\*\/5 \* \* \* \* +(.*)$/m.exec(crontab) ?? []
  server.mailbox('alice').add('Subject: from cron\n\nhello\n')
  const { home, user } = packed
  const { NODE_OPTIONS, NODE_EXTRA_CA_CERTS } = environment
  const env = {
    HOME: home,
    LOGNAME: 'alice',
    SHELL: '/bin/sh',
    PATH: '/usr/bin:/bin',
    NODE_OPTIONS,
    NODE_EXTRA_CA_CERTS,
  }
  const { stdout, stderr } = await run('/bin/sh', ['-c', line], { ...user, cwd: home, env })
  expect([stdout, stderr]).toEqual(['', ''])
  expect(readdirSync(join(home, 'Mail/new'))).toHaveLength(10)
})

test('the line that is shown for an account is the one that a terminal gets', async () => {
  const [sample = ''] = /^old-isp: \d+ .*delivered.*$/m.exec(README) ?? []
  const [count = ''] = /\d+/.exec(sample) ?? []
  for (let number = 1; number <= Number(count); number++) server.mailbox('alice').add(`Subject: more\n\n${number}\n`)
  const { code, stdout } = await onTerminal('popfetch', '', '')
  const text = stripVTControlCharacters(stdout)
  const [line] = /^old-isp: \d+ .*delivered.*$/m.exec(text.replaceAll('\r', '\n')) ?? [text]
  // How much it was and how long it took is another matter.
  const shape = (shown: string): string => shown.replace(/[\d.]+ (?:[kM]?B|m?s)\b/g, 'N').trimEnd()
  expect([code, shape(line)]).toEqual([0, shape(sample)])
  expect(sample).not.toBe('')
})

test('an older Node.js is told what to install, before anything else is read', () => {
  expect(readFileSync(join(ROOT, 'bin/popfetch.ts'), 'utf8')).toContain('needs Node.js 24.15 or newer')
  expect(README).toContain('24.15')
  expect(runs('npm install -g popfetch') && runs('npm uninstall -g popfetch')).toBe(true)
})
