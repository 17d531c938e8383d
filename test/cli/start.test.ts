// What is loaded to start: each file costs half a millisecond and more, and an idle poll from cron is little else. Times are
// the bench's; here it is the files, which nobody should add to without noticing.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { BIN, ended, startNode } from './child.ts'

/** Writes into `file` which files are loaded, as modules or as scripts, and, at the end, which of Node's modules. */
const witness = (file: string): string => `
  import { appendFileSync } from 'node:fs'
  import vm from 'node:vm'
  import { registerHooks } from 'node:module'
  const tell = (text) => appendFileSync(${JSON.stringify(file)}, text + '\\n')
  registerHooks({ load: (url, context, next) => (tell(url), next(url, context)) })
  const Script = vm.Script
  vm.Script = class extends Script {
    constructor(text, options) {
      super(text, options)
      tell(options.filename)
    }
  }
  process.on('exit', () => process.moduleLoadList.forEach(tell))
`

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-start-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

/** Names of files without the mark of their contents, and of modules of Node. */
async function loadedBy(...args: string[]) {
  const file = join(directory, 'loaded')
  const first = `data:text/javascript,${encodeURIComponent(witness(file))}`
  expect(await ended(startNode(directory, ['--import', first, BIN, ...args]))).toMatchObject({ code: 0, stderr: '' })
  const lines = (await readFile(file, 'utf8')).split('\n')
  const files = lines
    .filter((line) => line.startsWith('file:'))
    .map((url) => basename(url).replace(/-[\w-]{8}\.js$/, ''))
  const modules = lines.flatMap((line) => /^NativeModule (.*)/.exec(line)?.[1] ?? [])
  return { files, modules }
}

test('--version loads next to nothing', async () => {
  const { files } = await loadedBy('--version')
  expect(files.length).toBeGreaterThan(0)
  expect(files.length).toBeLessThanOrEqual(4)
  expect(files).not.toContain('poll')
})

test('--help loads what reads the command line, not what polls', async () => {
  const { files } = await loadedBy('--help')
  expect(files).toContain('yargs')
  expect(files).not.toContain('poll')
})

test('the first poll of an account without mail loads nine files at most, no yargs, nothing that delivers, and no TLS where none is asked for', async () => {
  await using server = await Pop3Server.start()
  server.mailbox('alice', 'secret')
  const { host, port } = server
  const account = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'maildir:Mail' }
  const config = join(directory, 'config.json')
  await writeFile(config, JSON.stringify({ accounts: { work: account } }), { mode: 0o600 })

  const { files, modules } = await loadedBy('--config', config)
  expect(files).toContain('poll')
  expect(files.length).toBeLessThanOrEqual(9)
  for (const rare of ['yargs', 'words', 'maildir', 'daemon', 'pino', 'log-update', 'provider', 'sign-ins', 'flow'])
    expect(files).not.toContain(rare)
  for (const rare of ['tls', 'child_process', 'http', 'worker_threads', 'zlib', 'tty'])
    expect(modules).not.toContain(rare)
})
