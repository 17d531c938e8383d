// The process itself: exit codes, streams that go away, signals, crashes. `node bin/popfetch.ts` as a child.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BIN, ended, ROOT, startNode } from './child.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-main-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

const started = (args: readonly string[]) => startNode(directory, args)
const popfetch = (...args: string[]) => ended(started([BIN, ...args]))

/** A program around the real parts: `main` of a command line whose poll does what `poll` says. */
function program(poll: string, argv = '[]'): ChildProcess {
  return started([
    '--input-type=module-typescript',
    '--eval',
    `import { execute, main } from ${JSON.stringify(join(ROOT, 'src/cli/main.ts'))}
     import { rooms } from ${JSON.stringify(join(ROOT, 'src/cli/surroundings.ts'))}
     const configuration = { accounts: [{ name: 'work' }], disabled: [], files: [], include: [], trouble: null, accountsFrom: null, oauth: new Map(), warnings: [], notify: [], daemon: { onProblem: null }, backup: 'off', statePath: ${JSON.stringify(join(directory, 'state.db'))}, postgres: null, log: { file: null, level: 'info', format: null } }
     rooms.configuration = async () => ({ loadConfiguration: async () => configuration })
     rooms.poll = async () => ({ pollAll: async ({ signal, observer, accounts }) => { ${poll} } })
     await main(${argv})`,
  ])
}

const REPORT = `{ account: 'work', outcome: 'ok', error: null, problems: [], troubles: [], deferredThemselves: 0, plan: [], deliveredTo: [], listed: 0 }`

describe('popfetch', () => {
  test('--version says the version', async () => {
    expect(await popfetch('--version')).toEqual({ code: 0, stdout: 'popfetch 0.1.0\n', stderr: '' })
  })

  test('--version loads nothing of others', async () => {
    const child = started([
      '--input-type=module',
      '--eval',
      `import { registerHooks } from 'node:module'
       registerHooks({ load: (url, context, next) => (url.includes('node_modules') && console.log(url), next(url, context)) })
       process.argv = [process.argv[0], 'popfetch', '--version']
       await import(${JSON.stringify(BIN)})`,
    ])
    expect((await ended(child)).stdout).toBe('popfetch 0.1.0\n')
  })

  test('--help is an answer: standard output and 0', async () => {
    const { code, stdout, stderr } = await popfetch('--help')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('check [name...]')
  })

  test('a wrong option is one line on standard error and 64', async () => {
    expect(await popfetch('--bogus')).toEqual({
      code: 64,
      stdout: '',
      stderr: 'popfetch: unknown argument: bogus: see popfetch --help\n',
    })
  })

  test('has a handler for SIGUSR1, on which Node would open its debugger', async () => {
    const child = started([
      '--input-type=module',
      '--eval',
      `process.argv = [process.argv[0], 'popfetch', '--version']
       await import(${JSON.stringify(BIN)})
       console.log(process.listenerCount('SIGUSR1'))`,
    ])
    expect((await ended(child)).stdout.split('\n').toSorted()).toEqual(['', '1', 'popfetch 0.1.0'])
  })

  test('works in a directory that is gone', async () => {
    const script = 'cd "$(mktemp -d)" && rmdir "$PWD" && exec "$0" "$@"'
    const words = ['-c', script, process.execPath, BIN, 'status', '--state', '/nonexistent/state.db']
    expect(await ended(spawn('sh', words, { stdio: ['ignore', 'pipe', 'pipe'] }))).toEqual({
      code: 0,
      stdout: 'no account was ever polled\n',
      stderr: '',
    })
  })

  test('a reader that goes away is no crash', async () => {
    const child = started([BIN, 'config', 'schema'])
    child.stdout?.destroy()
    child.stderr?.destroy()
    const [code] = (await once(child, 'exit')) as [number | null]
    expect(code).toBe(0)
  })
})

describe('a poll', () => {
  test('goes on when nobody reads what it says, and ends with its own exit code', async () => {
    const child = program(
      `for (let i = 0; i < 40000; i++) observer.note('work', 'x'.repeat(100)); return [${REPORT}]`,
      `['--verbose']`,
    )
    child.stdout?.destroy()
    child.stderr?.destroy()
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('goes on when the reader of its notes has stopped, and says how many it did without', async () => {
    const child = program(
      `for (let i = 0; i < 40000; i++) observer.note('work', 'x'.repeat(100)); return [${REPORT}]`,
      `['--verbose', '--json']`,
    )
    const closed = once(child, 'close')
    await once(child.stdout!, 'data')
    expect(await text(child.stderr!)).toMatch(/\npopfetch: \d+ lines were dropped: nobody read them\n$/)
    expect(await closed).toEqual([0, null])
  })

  test('a late error that nobody handles is one line and 70', async () => {
    const child = program(`Promise.reject(new Error('late')); await new Promise((go) => setTimeout(go, 60000))`)
    expect(await ended(child)).toEqual({
      code: 70,
      stdout: '',
      stderr: 'popfetch: unexpected error: late: please report this\n',
    })
  })

  const HANGS_UNTIL_ABORTED = `process.stdout.write('polling'); const alive = setInterval(() => {}, 1000)
    await new Promise((go) => signal.addEventListener('abort', go)); clearInterval(alive); return [${REPORT}]`

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s stops it cleanly: %i', async (signal, code) => {
    const child = program(HANGS_UNTIL_ABORTED)
    const end = ended(child)
    await once(child.stdout!, 'data')
    child.kill(signal)
    expect((await end).code).toBe(code)
  })

  test('an answer larger than a pipe holds reaches its reader whole', async () => {
    const child = program(`return Array.from({ length: 5000 }, () => (${REPORT}))`, `['--json']`)
    const { stdout } = await ended(child)
    expect((JSON.parse(stdout) as { accounts: unknown[] }).accounts).toHaveLength(5000)
  })
})
