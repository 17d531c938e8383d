// What a person sees of popfetch on a terminal of 80 columns: the program itself, on a pseudo-terminal.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BIN } from '../child.ts'
import { Scene } from '../scene.ts'
import { Seat } from './seat.ts'

const LONG = 'mail-of-the-customers-department-with-a-domain.example.org'
const CTRL_C = '\u0003'

let scene: Scene
/** What somebody at a server waits for. */
let released: PromiseWithResolvers<void>
beforeEach(async () => {
  scene = await Scene.start()
  released = Promise.withResolvers<void>()
  scene.server.mailbox('bob', 'secret')
})
afterEach(async () => {
  released.resolve()
  await scene[Symbol.asyncDispose]()
})

function sit(...args: string[]): Seat {
  return new Seat(scene.directory, ['--config', scene.path('config.json'), ...args])
}

/** The server answers that command of bob only when it is let. */
function hold(verb: string): void {
  scene.server.faults.onCommand = async (said, _, { user }) => {
    if (said === verb && user === 'bob') await released.promise
    return 'serve'
  }
}

const lineOf = (seat: Seat, beginning: string): string =>
  seat.screen.lines.find((line) => line.startsWith(beginning)) ?? `(no line of ${beginning})`

describe('a poll', () => {
  test('tells each result as it comes, and an account that failed is no longer at work (B3)', async () => {
    await scene.configure({ slow: { user: 'bob' }, [LONG]: { password: 'wrong' } })
    scene.server.mailbox('bob').add('Subject: a\n\nb\n')
    hold('RETR')
    await using seat = sit()
    await seat.until(
      ({ text }) => text.includes(': failed, ') && /^slow {2}fetching|^slow {2}0\/1 messages/m.test(text),
    )
    expect(seat.screen.text).not.toContain('connecting')
    expect(lineOf(seat, 'slow')).not.toContain('delivered')
    released.resolve()
    expect(await seat.ended()).toBe(77)
    expect(lineOf(seat, 'slow')).toMatch(/^slow: 1 message delivered to inbox \(\d+ B\), \d/)
    expect(lineOf(seat, '2 accounts')).toMatch(/^2 accounts: 1 message delivered \(\d+ B\), 1 account failed$/)
  })

  test('that is interrupted says so, and leaves no progress line (B18)', async () => {
    await scene.configure({ slow: { user: 'bob' }, work: {} })
    scene.server.mailbox('bob').add('Subject: a\n\nb\n')
    hold('RETR')
    await using seat = sit()
    await seat.until(({ text }) => /^slow {2}\S/m.test(text) && text.includes('work: nothing new'))
    seat.type(CTRL_C)
    expect(await seat.ended()).toBe(130)
    expect(lineOf(seat, 'slow')).toMatch(/^slow: interrupted, \d/)
    expect(lineOf(seat, '2 accounts')).toBe('2 accounts: nothing new, 1 account interrupted')
    expect(seat.screen.text).not.toMatch(/^slow {2}/m)
  })

  test('tells many messages that were refused for one reason in one line, with From and Subject of the first', async () => {
    await scene.configure(
      { work: { deliver: 'reject' } },
      { destinations: { reject: { type: 'command', run: ['sh', '-c', 'echo no such list; exit 69'] } } },
    )
    for (let number = 0; number < 5; number++)
      scene.server
        .mailbox('alice')
        .add(`From: Ada Lovelace <ada@example.org>\nSubject: Invoice ${number}\n\nbody\n`, { uidl: `u${number}` })
    await using seat = sit()
    await seat.ended()
    const told = seat.screen.sentences.join('\n')
    expect(told).toMatch(
      /work: 5 messages, the first u0 \(from Ada Lovelace <ada@example\.org>, "Invoice 0"\) to reject: /,
    )
    expect(told).not.toContain('u1')
  })
})

test('check tells each result as it comes', async () => {
  await scene.configure({ slow: { user: 'bob' }, [LONG]: {} })
  scene.fill('uid-1')
  hold('UIDL')
  await using seat = sit('check')
  await seat.until(({ sentences }) => sentences.includes(`${LONG}: 1 message on the server, 1 to fetch`))
  expect(lineOf(seat, 'slow: ')).toContain('(no line')
  released.resolve()
  expect(await seat.ended()).toBe(0)
  expect(lineOf(seat, 'slow: ')).toBe('slow: 0 messages on the server, 0 to fetch')
})

test('check that is interrupted says of what was not answered that it was interrupted, and ends with 130', async () => {
  await scene.configure({ slow: { user: 'bob' }, work: {} })
  hold('UIDL')
  await using seat = sit('check', '--verbose')
  await seat.until(({ text }) => text.includes('work: 0 messages on the server'))
  seat.type(CTRL_C)
  expect(await seat.ended()).toBe(130)
  expect(lineOf(seat, 'slow: ')).toBe('slow: interrupted')
  expect(seat.screen.text).not.toContain('SIGINT')
})

describe('status', () => {
  test('with long names, hosts and errors breaks no line', async () => {
    await scene.configure({
      work: {},
      [LONG]: { password: { command: `echo ${'no such entry in the store '.repeat(6)}>&2; exit 3` } },
      wrong: { password: 'wrong' },
    })
    scene.fill('uid-1')
    await scene.popfetch()
    await using seat = sit('status')
    expect(await seat.ended()).toBe(0)
    const heading = seat.screen.lines.findIndex((line) => line.includes('last success  last poll'))
    expect(seat.screen.lines.slice(heading, heading + 4).map((line) => line.slice(0, 4))).toEqual([
      '   a',
      expect.stringMatching(/^! {2}/),
      expect.stringMatching(/^! {2}/),
      '   w',
    ])
    expect(seat.screen.text).toMatch(/^ {2}next: popfetch check wrong --verbose$/m)
  })

  test('of 200 accounts has those that fail first, and one line for all at the end', async () => {
    const names = Array.from({ length: 200 }, (_, at) => `customer-${String(at).padStart(3, '0')}`)
    await scene.configure(
      Object.fromEntries(names.map((name) => [name, name === 'customer-150' ? { password: 'x' } : {}])),
    )
    await scene.popfetch('customer-150', 'customer-003')
    await using seat = sit('status')
    expect(await seat.ended()).toBe(0)
    const rows = seat.screen.lines.filter((line) => /^.. {1}customer-\d{3} /.test(line))
    expect(rows).toHaveLength(200)
    expect(rows[0]).toMatch(/^! {2}customer-150 /)
    expect(seat.screen.lines.filter((line) => line !== '').at(-1)).toBe('200 accounts: 1 fails')
  })
})

test('--daemon tells how it starts with the machine, with the real paths: a line for cron and a unit for systemd', async () => {
  await using seat = sit('--daemon')
  expect(await seat.ended(/^(?:@reboot|Exec|# )/)).toBe(0)
  await scene.popfetch('stop')
  const told = seat.screen.lines.join('\n')
  expect(told).toMatch(/^popfetch is running in the background \(pid \d+\); its log is/m)
  const whole = told.replaceAll('\n', '')
  const command = `${process.execPath} ${BIN} --config ${scene.path('config.json')} `
  expect(whole).toContain(`@reboot  ${command}`)
  expect(whole).toContain(`ExecStart=${command}`)
  expect(whole).toContain(' --daemon --foreground')
})

describe('a log', () => {
  test('on the terminal is for people, with the trace that errors advise (B9)', async () => {
    scene.fill('uid-1')
    await using seat = sit('--log-level', 'trace')
    expect(await seat.ended()).toBe(0)
    expect(seat.screen.text).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d work: C: AUTH PLAIN \*{4}$/m)
    expect(seat.screen.text).not.toContain('{"')
  })

  test('with log.format: json is for programs, and its lines are whole', async () => {
    await scene.configure({ work: {} }, { log: { format: 'json' } })
    await using seat = sit('--log-file', '-')
    expect(await seat.ended(/^\{/)).toBe(0)
    const [line = ''] = /\{"level".*?\}/.exec(seat.screen.lines.join('')) ?? []
    expect(JSON.parse(line)).toMatchObject({ level: 'info', account: 'work', msg: 'polled' })
  })
})

describe('a migration that is interrupted', () => {
  const migrate = (): Seat => sit('migrate', 'slow', `maildir:${scene.path('Moved')}`)
  beforeEach(async () => {
    await scene.configure({ slow: { user: 'bob' } })
    for (let number = 0; number < 30; number++) scene.server.mailbox('bob').add(`Subject: ${number}\n\nb\n`)
    hold('RETR')
  })

  test('says so, how much is there, and how to go on: three lines', async () => {
    await using seat = migrate()
    await seat.until(({ text }) => text.includes('slow  '))
    seat.type(CTRL_C)
    expect(await seat.ended()).toBe(130)
    const told = seat.screen.sentences.map((line) => line.replace(/^\^C/, ''))
    expect(told.filter((line) => line !== '' && !line.startsWith('popfetch: warning'))).toEqual([
      expect.stringMatching(/^slow: interrupted: 0 of 30 messages are in ~?\/?\S+ so far/),
      '  30 messages to fetch or to verify',
      expect.stringMatching(/^To go on: popfetch migrate slow maildir:/),
    ])
  })

  test('twice leaves no progress line before the prompt (B18)', async () => {
    await using seat = migrate()
    await seat.until(({ text }) => text.includes('slow  '))
    seat.type(CTRL_C + CTRL_C)
    expect(await seat.ended()).toBe(130)
    expect(seat.screen.text).not.toContain('slow  ')
  })
})

test('an answer that is empty is said to a person, and to nobody else', async () => {
  await scene.configure({ work: {} })
  await scene.popfetch()
  for (const [words, said] of [
    [['find', 'nothing'], 'no message has that in From, Subject, Message-ID or UIDL'],
    [['list', 'work'], 'no messages of work are known'],
    [['list', 'work', '--held'], 'no messages of work that are held are known'],
  ] as const) {
    await using seat = sit('state', ...words)
    expect(await seat.ended()).toBe(0)
    expect(seat.screen.text).toBe(said)
    expect(await scene.popfetch('state', ...words)).toEqual({ code: 0, stdout: '', stderr: '' })
  }
})
