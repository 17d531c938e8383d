// A connection through a program, and the programs before and after a poll: what they are given, what their ends mean.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ca as caPem } from '../support/certificates.ts'
import { Scene, upTo } from './scene.ts'

/** Joins its standard input and output with the server, as `ssh -W` and `nc` do. */
const RELAY = `import net from 'node:net'
const socket = net.connect(Number(process.env.POPFETCH_PORT), process.env.POPFETCH_HOST)
process.stdin.pipe(socket).pipe(process.stdout)
socket.on('error', () => process.exit(3))
`

/** The words of a script for a shell, as a configuration has them. */
function shell(line: string): string {
  return JSON.stringify(['/bin/sh', '-c', line])
}

async function scene(options: Parameters<typeof Scene.create>[0] = {}): Promise<{ made: Scene; relay: string }> {
  const made = await Scene.create(options)
  made.fill(3)
  writeFileSync(made.path('relay.mjs'), RELAY)
  return { made, relay: JSON.stringify([process.execPath, made.path('relay.mjs')]) }
}

test.each(['none', 'implicit', 'starttls'] as const)(
  'mail comes through a program, with TLS on top: %s',
  async (tls) => {
    const { made, relay } = await scene({ tls })
    await using _ = made
    if (tls !== 'none') writeFileSync(made.path('ca.pem'), caPem)
    made.account = [`via: ${relay}`, 'delete: after-delivery', ...(tls === 'none' ? [] : ['ca: ca.pem'])]
    expect(await made.poll()).toMatchObject({ outcome: 'ok', delivered: 3, deleted: 3 })
    expect([made.subjects(), made.left()]).toEqual([upTo(3), []])
    expect(await made.poll()).toMatchObject({ outcome: 'ok', listed: 0 })
  },
)

test.each([
  ['implicit', 'exit 255'],
  ['none', 'exit 255'],
  ['none', 'printf "+OK hello\\r\\n"; read -r capa; exit 255'],
] as const)(
  'a program that fails is told with its end and its words, and not the mailbox (%s, %s)',
  async (tls, then) => {
    const { made } = await scene({ tls })
    await using _ = made
    made.account = [`via: ${shell(`echo "ssh: gate refused" >&2; ${then}`)}`]
    const { outcome, error } = await made.poll()
    expect(outcome).toBe('failed')
    expect(error).toMatchObject({ code: 'ERR_CONNECT', retry: 'soon' })
    expect(error?.message).toMatch(/through the program "\/bin\/sh …" exited with 255 and said "ssh: gate refused"/)
    expect(made.server.journal.commands()).toEqual([])
  },
)

test('a program that is not there is a fault of the configuration', async () => {
  for (const via of ['["no-such-program-at-all"]', '["./nothing"]']) {
    const { made } = await scene()
    await using _ = made
    made.account = [`via: ${via}`]
    const { error } = await made.poll()
    expect(error).toMatchObject({ code: 'ERR_CONFIG', retry: 'never' })
    expect(error?.message).toContain('install it, or correct via')
  }
})

test('a program that says nothing is ended with all it started when the time is over', async () => {
  const { made } = await scene()
  await using _ = made
  made.account = [
    `via: ${shell(`echo $$ > ${made.path('pid')}; sleep 1000 & echo $! >> ${made.path('pid')}; exec 2>&-; wait`)}`,
    'timeout: 1s',
  ]
  expect((await made.poll()).error).toMatchObject({ code: 'ERR_TIMEOUT' })
  const pids = readFileSync(made.path('pid'), 'utf8').trim().split('\n').map(Number)
  expect(pids).toHaveLength(2)
  await expect.poll(() => pids.filter(isAlive), { timeout: 30_000 }).toEqual([])
})

test('programs get the account and a few variables, and no secret', async () => {
  const { made } = await scene()
  await using _ = made
  const dump = (name: string): string => shell(`env > ${made.path(name)}`)
  made.account = [`before: ${dump('before')}`, `after: ${dump('after')}`]
  await made.poll()
  const names = (name: string): string[] =>
    readFileSync(made.path(name), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.replace(/=.*/, ''))
      .filter((each) => !['PWD', 'OLDPWD', 'SHLVL', '_', 'USER', 'LOGNAME'].includes(each))
      .toSorted()
  expect(names('before')).toEqual(['PATH', 'POPFETCH_ACCOUNT', 'POPFETCH_HOST', 'POPFETCH_PORT'])
  expect(names('after')).toEqual([
    'PATH',
    'POPFETCH_ACCOUNT',
    'POPFETCH_DEFERRED',
    'POPFETCH_DELETED',
    'POPFETCH_DELIVERED',
    'POPFETCH_ERROR',
    'POPFETCH_HELD',
    'POPFETCH_HOST',
    'POPFETCH_OUTCOME',
    'POPFETCH_PORT',
    'POPFETCH_REFUSED',
  ])
  expect(readFileSync(made.path('after'), 'utf8')).toMatch(/^POPFETCH_OUTCOME=ok$/m)
  expect(readFileSync(made.path('after'), 'utf8')).toMatch(/^POPFETCH_DELIVERED=3$/m)
  for (const name of ['before', 'after']) expect(readFileSync(made.path(name), 'utf8')).not.toContain('secret')
})

test('where before fails the server is not asked and after is not run; the next poll tries again', async () => {
  const { made } = await scene()
  await using _ = made
  made.account = [
    `before: ${shell('echo "no tunnel today" >&2; exit 1')}`,
    `after: ${shell(`touch ${made.path('ran')}`)}`,
  ]
  const { error, outcome } = await made.poll()
  expect([outcome, error?.code, error?.retry]).toEqual(['failed', 'ERR_CONNECT', 'soon'])
  expect(error?.message).toContain(
    'before, the program "/bin/sh …" exited with 1 and said "no tunnel today": not polled',
  )
  expect([made.server.journal.commands(), existsSync(made.path('ran'))]).toEqual([[], false])
  made.account = ['before: ["no-such-program-at-all"]']
  expect((await made.poll()).error).toMatchObject({ code: 'ERR_CONFIG', retry: 'never' })
  made.account = []
  expect(await made.poll()).toMatchObject({ outcome: 'ok', delivered: 3 })
})

test('after is run where the poll failed, too, and its own failure changes nothing', async () => {
  const { made } = await scene()
  await using _ = made
  made.password = 'wrong'
  made.account = [`after: ${shell(`env > ${made.path('after')}; exit 9`)}`]
  expect((await made.poll()).error?.code).toBe('ERR_AUTH')
  expect(readFileSync(made.path('after'), 'utf8')).toMatch(/^POPFETCH_ERROR=ERR_AUTH$/m)
  expect(made.notes.join('\n')).toContain('after, the program "/bin/sh …" exited with 9')
  made.password = 'secret'
  expect(await made.poll()).toMatchObject({ outcome: 'ok', delivered: 3, error: null })
})

test('a check goes the same way', async () => {
  const { made, relay } = await scene()
  await using _ = made
  made.account = [`via: ${relay}`, `before: ${shell(`touch ${made.path('ran')}`)}`]
  expect(await made.check()).toMatchObject({ outcome: 'ok', waiting: 3 })
  expect(existsSync(made.path('ran'))).toBe(true)
  made.account = [`via: ${shell('exit 4')}`]
  const { error, advice } = await made.check({ thorough: true })
  expect(error?.code).toBe('ERR_CONNECT')
  expect(advice.map(({ cause }) => cause)).toContain('the program of via is the obstacle, not the mailbox')
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // A zombie of the container's first process is dead as well.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
