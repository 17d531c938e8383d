import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { bothLogs, openLog, printedLog, silentLog } from '../src/log.ts'
import { redactor } from '../src/redact.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-log-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

async function lines(file: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(file, 'utf8')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** Waits until the older file ends with this line. */
async function renamed(older: string, number: number): Promise<void> {
  await vi.waitFor(async () => expect((await lines(older)).at(-1)).toMatchObject({ number }), 30_000)
}

test('each call is one JSON line with time, level, facts and text', async () => {
  const file = join(directory, 'log')
  {
    await using log = await openLog(file, 'info')
    log.info('polled', { account: 'work', delivered: 3 })
  }
  const [line] = await lines(file)
  expect(line).toMatchObject({ level: 'info', account: 'work', delivered: 3, msg: 'polled' })
  expect(line?.['time']).toMatch(/^\d{4}-\d\d-\d\dT/)
})

test('the file is private and is appended to', async () => {
  const file = join(directory, 'log')
  for (const text of ['one', 'two']) {
    await using log = await openLog(file, 'info')
    log.warn(text)
  }
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await lines(file)).map((line) => line['msg'])).toEqual(['one', 'two'])
})

test('less important lines than the level are left out, and the wire is traced at trace only', async () => {
  const file = join(directory, 'log')
  {
    await using log = await openLog(file, 'warn')
    log.info('not this')
    log.warn('this')
    expect(log.wire('work')).toBeNull()
  }
  {
    await using log = await openLog(file, 'trace')
    log.wire('work')?.('S', '+OK ready')
  }
  expect((await lines(file)).map((line) => line['msg'])).toEqual(['this', 'S: +OK ready'])
})

test('secrets are masked and control characters escaped, in text and in facts', async () => {
  const file = join(directory, 'log')
  redactor.add('log-test-secret')
  {
    await using log = await openLog(file, 'info')
    log.info('said log-test-secret\u001b[2J', { answer: 'log-test-secret\r\nforged' })
  }
  const [line] = await lines(file)
  expect(line).toMatchObject({ msg: 'said ****\\x1b[2J', answer: '****\\x0d\\x0aforged' })
})

test('a file that cannot be opened is the only failure', async () => {
  await expect(openLog(join(directory, 'no', 'log'), 'info')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a full disk is swallowed, and closing does not wait for it', async () => {
  await using log = await openLog('/dev/full', 'info')
  for (let i = 0; i < 100; i++) log.error('x'.repeat(1000))
  expect(log.wire('work')).toBeNull()
})

test('a pipe that nobody reads is refused at once instead of blocking', async () => {
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  await expect(openLog(pipe, 'info')).rejects.toMatchObject({ code: 'ENXIO' })
})

test('the silent log takes everything and writes nothing', async () => {
  await using log = silentLog
  log.error('lost')
  expect(log.wire('work')).toBeNull()
})

test('a file that was moved away is made again, at another level if wanted; nothing is lost between', async () => {
  const file = join(directory, 'log')
  {
    await using log = await openLog(file, 'info')
    log.info('one')
    await rename(file, `${file}.1`)
    log.info('two')
    await log.reopen(file, 'trace')
    log.debug('three')
    log.wire('work')?.('C', 'QUIT')
  }
  expect((await lines(`${file}.1`)).map((line) => line['msg'])).toEqual(['one', 'two'])
  expect((await lines(file)).map((line) => line['msg'])).toEqual(['three', 'C: QUIT'])
})

test('a file that cannot be opened instead leaves the old one in use', async () => {
  const file = join(directory, 'log')
  {
    await using log = await openLog(file, 'info')
    await expect(log.reopen(join(directory, 'no', 'log'), 'info')).rejects.toMatchObject({ code: 'ENOENT' })
    log.info('still here')
  }
  expect((await lines(file)).map((line) => line['msg'])).toEqual(['still here'])
})

test('a printed log has lines as in a file, or for people, secrets masked in both', async () => {
  redactor.add('printed-secret')
  const printed: string[] = []
  const json = await printedLog((line) => printed.push(line), 'info', 'json')
  json.debug('not this')
  json.info('said printed-secret', { account: 'work' })
  expect(JSON.parse(printed.pop() ?? '')).toMatchObject({ level: 'info', account: 'work', msg: 'said ****' })
  const at = new Date(2026, 10, 24, 9, 5, 7).getTime()
  const plain = await printedLog(
    (line) => printed.push(line),
    'info',
    'text',
    () => at,
  )
  plain.error('said printed-secret\n', { account: 'work', failures: 3, error: null, held: 0 })
  plain.info('started')
  expect(printed).toEqual([
    '2026-11-24 09:05:07 error: work: said ****\\x0a (failures 3)',
    '2026-11-24 09:05:07 started',
  ])
})

test('a file for people has their lines', async () => {
  const file = join(directory, 'log')
  {
    await using log = await openLog(file, 'info', { form: 'text', turnAtBytes: Infinity })
    log.warn('slow\n', { account: 'work', held: 2 })
  }
  expect(await readFile(file, 'utf8')).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d warning: work: slow\\x0a \(held 2\)\n$/)
})

test('a file that is longer than its limit is renamed and begun again; nothing is lost, and only one old file is kept', async () => {
  const file = join(directory, 'log')
  {
    await using log = await openLog(file, 'info', { form: 'json', turnAtBytes: 1000 })
    for (let number = 1; number <= 40; number++) {
      log.info('a line of a hundred bytes', { number })
      // Lines that come while the file is renamed go to the old one: each of these finds it renamed.
      if (number % 20 === 0) await renamed(`${file}.1`, number)
    }
  }
  expect(await readdir(directory)).toEqual(['log', 'log.1'])
  const numbers = [...(await lines(`${file}.1`)), ...(await lines(file))].map((line) => Number(line['number']))
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, at) => 41 - numbers.length + at))
})

test('a file that cannot be renamed is gone on with', async () => {
  const file = join(directory, 'log')
  await mkdir(`${file}.1`)
  {
    await using log = await openLog(file, 'info', { form: 'json', turnAtBytes: 100 })
    for (let number = 1; number <= 20; number++) log.info('more', { number })
    await log.reopen(file, 'info')
    log.info('after')
  }
  expect((await lines(file)).at(-1)).toMatchObject({ msg: 'after' })
  expect(await lines(file)).toHaveLength(21)
})

test('two logs get the same', async () => {
  const [one, two]: string[][] = [[], []]
  const logs = await Promise.all(
    (
      [
        ['info', one],
        ['trace', two],
      ] as const
    ).map(([level, printed]) => printedLog((line) => printed?.push(JSON.parse(line).msg), level, 'json')),
  )
  const [first = silentLog, second = silentLog] = logs
  await using both = bothLogs(first, second)
  both.warn('both')
  both.debug('one of them')
  both.wire('work')?.('S', '+OK')
  expect([one, two]).toEqual([['both'], ['both', 'one of them', 'S: +OK']])
  expect(bothLogs(first, silentLog).wire('work')).toBeNull()
})
