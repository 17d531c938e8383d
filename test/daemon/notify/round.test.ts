// One round in this process: who is told what, with a ledger made up, real programs, a real web server and real Maildirs.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import { type NotifyContext, notifyRound, type Round } from '../../../src/daemon/notify/notify.ts'
import { silentLog } from '../../../src/log.ts'
import type { MessageProblem } from '../../../src/poll/report.ts'
import { accountReport } from '../../cli/reports.ts'
import { until } from '../scene.ts'
import { NOW, pauseOf, record, resting, status } from '../../status/scene.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'popfetch-round-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A context with a memo of its own; its clock is turned by assignment. */
function context(signal = new AbortController().signal): NotifyContext & { at: number; lines: string[] } {
  let memo: string | null = null
  const made = {
    at: NOW,
    lines: [] as string[],
    ledger: {
      memo: () => Promise.resolve(memo),
      changeMemo: (_: string, change: (text: string | null) => string | null) => {
        memo = change(memo)
        return Promise.resolve(memo)
      },
    },
    log: {
      ...silentLog,
      warn: (line: string, facts?: object) => void made.lines.push(`${line} ${JSON.stringify(facts)}`),
    },
    env: { PATH: process.env['PATH'], HOME: folder },
    nowMs: () => made.at,
    signal,
  }
  return made
}

async function configured(notify: readonly object[]) {
  const file = join(folder, 'config.json')
  const deliver = ['notes', 'spare']
  const account = { host: 'h', user: 'u', password: 'p', deliver: [...deliver, { 'first-of': deliver }] }
  const destinations = { notes: { type: 'maildir', path: 'Notes' }, spare: { type: 'maildir', path: 'Spare' } }
  writeFileSync(file, JSON.stringify({ accounts: { work: account }, destinations, notify, state: 'state.db' }), {
    mode: 0o600,
  })
  const uid = process.getuid?.() ?? 0
  return await loadConfiguration({ file, state: null, env: { HOME: folder }, cwd: folder, uid })
}

const problem = (facts: Partial<MessageProblem> = {}): MessageProblem => ({
  uidl: 'uid-1',
  kind: 'held',
  reason: 'too large',
  from: 'Ann <ann@example.org>',
  subject: 'lunch',
  ...facts,
})

const held = (...problems: MessageProblem[]) => [accountReport({ account: 'work', held: problems.length, problems })]

const mailsIn = (name: string): readonly string[] => {
  const place = join(folder, name, 'new')
  return existsSync(place) ? readdirSync(place).map((file) => readFileSync(join(place, file), 'utf8')) : []
}

async function told(notify: readonly object[], round: Partial<Round>, given: NotifyContext = context()): Promise<void> {
  const quiet = { status: status({ records: [record('work')], nowMs: NOW }), reports: [], pings: false }
  await notifyRound({ ...quiet, ...round, configuration: await configured(notify) }, given)
}

describe('a notice by mail', () => {
  test('does not go to a destination that is left alone, and goes there afterwards', async () => {
    const given = context()
    const notify = [{ mail: 'notes' }]
    for (const left of [
      { pauses: [pauseOf('destination', 'notes')] },
      { destinations: [resting('notes', { sinceMs: NOW - 1000 })] },
    ]) {
      await told(notify, { status: status({ records: [record('work')], ...left }), reports: held(problem()) }, given)
      expect(mailsIn('Notes')).toEqual([])
    }
    expect(given.lines.at(-1)).toContain('notes is paused')
    given.at += 3_600_000
    await told(notify, {}, given)
    expect([given.lines.slice(2), mailsIn('Notes').length]).toEqual([[], 2])
  })

  test('is not tried while an earlier one of the same round was not taken', async () => {
    const given = context()
    writeFileSync(join(folder, 'Notes'), 'a file where the Maildir should be')
    const reports = [accountReport({ held: 1, refused: 1, problems: [problem(), problem({ kind: 'refused' })] })]
    await told([{ mail: 'notes' }], { reports }, given)
    expect(given.lines).toHaveLength(1)
    rmSync(join(folder, 'Notes'))
    given.at += 3_600_000
    await told([{ mail: 'notes' }], {}, given)
    expect(mailsIn('Notes')).toHaveLength(2)
  })

  test('goes to the next of a group whose first is left alone', async () => {
    const pauses = [pauseOf('destination', 'notes')]
    const notify = [{ mail: 'first-of: notes, spare' }]
    await told(notify, { status: status({ records: [record('work')], pauses }), reports: held(problem()) })
    expect([mailsIn('Notes').length, mailsIn('Spare').length]).toEqual([0, 1])
  })
})

/** What a stranger may write into a message, and a server into its answer. */
const EVIL =
  'a\r\nBcc: victim@example.org\r\n\r\n<script>\u202Egnp\u0000\u001B]0;x\u0007"; touch hacked; $(touch hacked) `touch hacked` ü€'

test('what strangers wrote stays text: no field, no command, no control character, in any of the ways', async () => {
  const requests: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push({ headers: request.headers, body })
      response.end()
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  await told(
    [
      { mail: 'notes' },
      { url },
      { url, json: true },
      { run: ['/bin/sh', '-c', `cd ${folder}; env -0 > environment; eval "echo $POPFETCH_EVENT" > event`] },
    ],
    { reports: held(problem({ from: EVIL, subject: EVIL, reason: EVIL, uidl: EVIL, destination: EVIL })) },
  )
  const [mail = ''] = mailsIn('Notes')
  const [header = '', body = ''] = mail.split('\n\n')
  expect(header).not.toMatch(/^Bcc:/m)
  // eslint-disable-next-line no-control-regex -- the very characters that must not be there
  const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/
  // A folded line begins with a tab.
  expect(mail.replaceAll('\n\t', ' ')).not.toMatch(CONTROL)
  const written = Buffer.from(body, 'base64').toString('utf8')
  expect(written).not.toMatch(CONTROL)
  expect(written).toContain('<script>\\u{202e}gnp\\x00')
  const [plain, json] = requests
  expect(plain?.headers['title']).toMatch(/^[ -~]*$/)
  expect(plain?.headers).not.toHaveProperty('bcc')
  for (const said of [plain?.body ?? '', JSON.stringify(JSON.parse(json?.body ?? ''))])
    expect(said).not.toMatch(CONTROL)
  const environment = readFileSync(join(folder, 'environment'), 'utf8').split('\0').filter(Boolean)
  expect(environment.filter((line) => line.startsWith('POPFETCH_')).join('\n')).not.toMatch(CONTROL)
  expect(readFileSync(join(folder, 'event'), 'utf8')).toBe('held\n')
  expect(existsSync(join(folder, 'hacked'))).toBe(false)
})

describe('a program that tells', () => {
  const sh = (script: string) => ({ run: ['/bin/sh', '-c', script] })

  test.each([
    ['hangs', 'exec sleep 1000'],
    ['ignores that it is asked to end', 'trap "" TERM; while :; do sleep 0.05; done'],
    ['floods its outputs', 'yes; yes >&2'],
    ['leaves a child behind that hangs', 'sleep 1000 & sleep 1000'],
  ])('and %s holds up nobody else, and ends with us', async (_, script) => {
    const stop = new AbortController()
    const telling = told([sh(script), { mail: 'notes' }], { reports: held(problem()) }, context(stop.signal))
    await until(() => mailsIn('Notes').length === 1)
    stop.abort()
    await telling
  })

  test.each([
    ['forks, and ends', sh('sleep 1 & exit 0'), null],
    ['fails and says why', sh('echo no such user >&2; exit 67'), /ended with 67: .*no such user/],
    ['is killed', sh('kill -KILL $$'), /ended with SIGKILL/],
    ['is not there', { run: ['/no/such/program'] }, /cannot be started/],
  ])('and %s holds up nobody else', async (_, entry, failure) => {
    const given = context()
    await told([entry, { mail: 'notes' }], { reports: held(problem()) }, given)
    expect(mailsIn('Notes')).toHaveLength(1)
    if (failure === null) expect(given.lines).toEqual([])
    else expect(given.lines.join('\n')).toMatch(failure)
  })
})

describe('an address that is asked while all is well', () => {
  test('is asked once a round, with /fail behind its path where something is wrong, whatever else it has', async () => {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      response.end()
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const notify = [{ ping: `${url}/uuid` }, { ping: `${url}/uuid/?key=1` }]
    await told(notify, { pings: true })
    await told(notify, { pings: false })
    await told(notify, { pings: true, status: status({ records: [record('work')], destinations: [resting('notes')] }) })
    expect(asked.toSorted()).toEqual(
      ['GET /uuid', 'GET /uuid/?key=1', 'GET /uuid/fail', 'GET /uuid/fail?key=1'].toSorted(),
    )
  })
})
