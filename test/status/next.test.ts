// For every code of an error, every conclusion of an answer, and every state of a message: a command or a plain instruction that helps.
// It is the same in the model, in JSON, in words and on the page. Each command is one that popfetch understands.
import { describe, expect, test } from 'vitest'
import { readArguments } from '../../src/cli/arguments/read.ts'
import { accountRows } from '../../src/cli/commands/status/table.ts'
import { statusLines, whyLines } from '../../src/cli/commands/status/text.ts'
import { wrappedLine } from '../../src/cli/terminal/wrapped.ts'
import { FIRST_VIEW, shownOf } from '../../src/daemon/http/page/view.ts'
import { page } from '../../src/daemon/http/page/page.ts'
import { MEANINGS } from '../../src/deliver/answers/conclusions.ts'
import { GMAIL_TABLE } from '../../src/deliver/answers/gmail.ts'
import { IMAP_TABLE } from '../../src/deliver/answers/imap.ts'
import { SMTP_TABLE } from '../../src/deliver/answers/smtp.ts'
import { faultError } from '../../src/config/accounts/sound.ts'
import type { Conclusion, ErrorCode } from '../../src/errors.ts'
import { statusJson } from '../../src/status/json.ts'
import { NEXT_OF_ERROR, NEXT_OF_REST } from '../../src/status/next.ts'
import type { Facts, Status } from '../../src/status/status.ts'
import {
  failing,
  FORWARD_ERROR,
  HOUR,
  message,
  NOW,
  pauseOf,
  record,
  refusedMessage,
  resting,
  status,
} from './scene.ts'

const CODES = Object.keys(NEXT_OF_ERROR) as ErrorCode[]
const CONCLUSIONS = Object.keys(MEANINGS) as Conclusion[]
/** What helps names no account. */
const NAMELESS: ReadonlySet<ErrorCode> = new Set(['ERR_USAGE', 'ERR_LEDGER', 'ERR_NO_DAEMON', 'ERR_ACCOUNTS'])
const ABOUT = { version: '1.2.3', machine: 'nas' }

/** What the guards say: the account, and what a person may decide. */
const MESSAGES: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_AUTH: 'the sign-in of a@b.example via google has ended: popfetch auth work',
  ERR_ACCOUNT_RENAMED:
    'all mail would be fetched again. If it was renamed: popfetch state rename old work. If it is another mailbox: popfetch --yes work',
  ERR_UIDS_CHANGED: 'To continue and match them by their headers: popfetch --accept-new-ids work',
  ERR_FIRST_POLL: 'to count them as seen: popfetch --mark-seen work; to send them all: popfetch --yes work',
}

/** Every `popfetch …` in the text is a command line that is understood. */
async function expectUnderstood(next: string): Promise<void> {
  expect(next).toMatch(/^popfetch(?: |$)/)
  const [, ...words] = next.split(' ')
  await expect(readArguments(words, 80), next).resolves.toMatchObject({ command: expect.any(String) })
}

/** As a browser shows it. */
const unbroken = (text: string): string =>
  text.replaceAll('&#39;', "'").replaceAll('&quot;', '"').replaceAll('&amp;', '&').replaceAll(/\s+/g, ' ')

/** What the answer, its JSON and the page say of each account is what the model says. */
async function expectTold(state: Status, { isTroubled = true } = {}): Promise<readonly string[]> {
  const { attention } = state
  const text = [...statusLines(state, Infinity), ...whyLines(state)].map((line) => line.text)
  const { accounts } = statusJson(state) as { accounts: readonly { account: string; next: string | null }[] }
  const shown = unbroken(page(state, shownOf(state, FIRST_VIEW), new Map(), ABOUT).replaceAll(/<[^<>]*>/g, ''))
  if (isTroubled) expect(attention.length).toBeGreaterThan(0)
  for (const { next, reason } of attention) {
    await expectUnderstood(next)
    expect(text).toContain(`  next: ${next}`)
    expect(shown).toContain(`Next: ${next}`)
    expect(reason).not.toBe('')
    // On a terminal of 80 columns it can be copied whole.
    if (next.length < 70) expect(wrappedLine(`  next: ${next}`, 80)).toEqual([`  next: ${next}`])
  }
  for (const { account, next, outcome } of state.accounts) {
    expect([account, accounts.find((one) => one.account === account)?.next]).toEqual([account, next])
    if (outcome === 'ok' || outcome === null) continue
    expect([account, next]).toEqual([account, expect.any(String)])
    await expectUnderstood(next ?? '')
    expect(text).toContain(`  next: ${next}`)
  }
  expect(accountRows(state, 80).every((row) => row.text.length > 0)).toBe(true)
  return attention.map(({ next }) => next)
}

describe('every code of an error has what helps', () => {
  test.each(CODES)('%s', async (code) => {
    const error = { code, message: MESSAGES[code] ?? 'what came', retry: 'later' } as const
    const names = ['work', 'b', 'c', 'd', 'e', 'f']
    for (const count of [1, 3, 6]) {
      const records = names.slice(0, count).map((name) => failing(name, error))
      const [next = ''] = await expectTold(status({ records }))
      if (count === 3 && !NAMELESS.has(code)) expect(next).toMatch(/ work b c(?: |$)/)
    }
  })

  test.each([
    ['ERR_AUTH', 'popfetch auth work'],
    ['ERR_UIDS_CHANGED', 'popfetch --accept-new-ids work'],
    // A person decides: what is at stake comes first, and nothing is deleted, sent or skipped by it.
    ['ERR_ACCOUNT_RENAMED', 'popfetch work --dry-run'],
    ['ERR_FIRST_POLL', 'popfetch work --dry-run'],
    ['ERR_DELETE_GUARD', 'popfetch work --dry-run'],
    ['ERR_LEDGER', 'popfetch state check'],
  ] as const)('%s: %s', async (code, next) => {
    const error = { code, message: MESSAGES[code] ?? 'what came', retry: 'later' } as const
    expect(await expectTold(status({ records: [failing('work', error)] }))).toEqual([next])
  })

  test.each([
    [
      'a program printed',
      'accountsFrom:3: accounts.work.port: found 0, expected a whole number',
      'panel',
      'accountsFrom',
    ],
    ['stands in a file', 'the environment variable PORT is not set: export it', 'account', 'work'],
  ])('an account that is wrong by itself and %s: the configuration is checked', async (_, fault, kind, name) => {
    const error = { ...faultError({ name: 'work', fault }), message: faultError({ name: 'work', fault }).message }
    const state = status({ records: [failing('work', error)] })
    expect(await expectTold(state)).toEqual(['popfetch config check'])
    expect(state.accounts[0]?.because).toEqual({ kind, name })
  })

  test('an account whose settings show only at its server is tried', async () => {
    const message = 'cannot sign in with this token: it is empty'
    expect(
      await expectTold(status({ records: [failing('work', { code: 'ERR_CONFIG', message, retry: 'never' })] })),
    ).toEqual(['popfetch check work --verbose'])
  })

  test('what the program of accountsFrom printed was not taken', async () => {
    const asked = { sinceMs: NOW - HOUR, message: 'its program printed no account', retry: 'soon' } as const
    expect(await expectTold(status({ records: [record('work')], asked }))).toEqual(['popfetch config check'])
  })

  test('one that this version does not know is looked into', async () => {
    const error = { code: 'ERR_OF_TOMORROW', message: 'what came', retry: 'later' } as const
    expect(await expectTold(status({ records: [failing('work', error)] }))).toEqual(['popfetch check work --verbose'])
  })
})

describe('every row of the tables of answers has what helps', () => {
  test('and leads to a conclusion that has', () => {
    const led = [...SMTP_TABLE, ...IMAP_TABLE, ...GMAIL_TABLE]
      .map((row) => row.leads)
      .filter((leads) => typeof leads === 'string')
    expect(led.length).toBeGreaterThan(70)
    expect([...new Set(led)].filter((conclusion) => !(conclusion in NEXT_OF_REST))).toEqual([])
    expect(Object.keys(NEXT_OF_REST).toSorted()).toEqual(CONCLUSIONS.toSorted())
  })

  const behind = { code: 'ERR_DELIVERY', message: `forward: ${FORWARD_ERROR.message}`, retry: 'soon' } as const

  test.each(CONCLUSIONS)('a destination at rest for %s', async (conclusion) => {
    for (const records of [
      [],
      [failing('work', behind)],
      ['a', 'b', 'c', 'd', 'e'].map((name) => failing(name, behind)),
    ])
      for (const rest of [{}, { untilSignIn: true }, { untilMs: NOW - 1 }] as const)
        await expectTold(status({ records, destinations: [resting('forward', { conclusion, ...rest })] }))
  })

  test.each(CONCLUSIONS)('a destination whose name is an address, at rest for %s', async (conclusion) => {
    const [next = ''] = status({
      records: [],
      destinations: [resting('smtp://h?to=a@b.example', { conclusion })],
    }).attention.map((each) => each.next)
    expect(next).toBe("popfetch check 'smtp://h?to=a@b.example' --verbose")
  })

  const kept: Facts['unsettled'] = new Map([['work', { waiting: 1, refused: 1, held: 1, undeleted: 1 }]])
  const only = (kind: 'waiting' | 'refused' | 'held' | 'undeleted'): Facts['unsettled'] =>
    new Map([['work', { waiting: 0, refused: 0, held: 0, undeleted: 0, [kind]: 2 }]])

  test.each(['waiting', 'refused', 'held', 'undeleted'] as const)('messages that are %s', async (kind) => {
    const waits = { facts: { waitingSince: String(NOW - 7 * HOUR) } }
    for (const messages of [[], [message('a')], [refusedMessage('b')]])
      for (const facts of [{}, waits])
        await expectTold(
          status({ records: [record('work', facts)], unsettled: only(kind), messages: new Map([['work', messages]]) }),
          { isTroubled: false },
        )
    await expectTold(status({ records: [record('work')], unsettled: kept }))
  })
})

describe('whatever else needs a person has what helps', () => {
  const planned = { account: 'work', polling: true, nextPollMs: null, overdue: true }

  test.each([
    ['a daemon that is gone', { daemon: { wanted: true, pid: null, sinceMs: null, accounts: [] } }],
    [
      'polls that hang',
      { daemon: { wanted: true, pid: 7, sinceMs: NOW, accounts: [planned, { ...planned, account: 'b' }] } },
    ],
    ['pauses', { pauses: [pauseOf('account', 'work'), pauseOf('destination', 'inbox', { untilMs: NOW + HOUR })] }],
    [
      'a long time without success',
      { records: [record('work', { lastSuccessMs: NOW - 50 * HOUR, lastPollMs: NOW - 50 * HOUR })] },
    ],
  ] as const)('%s', async (_, facts) => {
    await expectTold(status({ records: [record('work'), record('b')], ...facts }))
  })

  test('and where all is well nothing is advised', async () => {
    expect(await expectTold(status({ records: [record('work')] }), { isTroubled: false })).toEqual([])
  })
})
