// A web server as the daemon has it, a ledger made up behind it, and Chromium in front.
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import { createServer, type Server } from 'node:http'
import { FIRST_VIEW, shownOf } from '../../src/daemon/http/page/view.ts'
import { page, pagePolicy } from '../../src/daemon/http/page/page.ts'
import { type Watched, wholeStatus } from '../../src/daemon/http/watched.ts'
import { HttpServer, type Names } from '../../src/daemon/http/server.ts'
import type { Place } from '../../src/config/daemon/daemon.ts'
import type { AccountRecord, DestinationRecord, Pause } from '../../src/ledger/ledger.ts'
import type { Day, MessageRecord, Unsettled } from '../../src/ledger/records.ts'
import { WAITS_FOR_PAUSED } from '../../src/poll/account/unbegun.ts'
import { pollsFact } from '../../src/poll/account/polls.ts'
import { statusJson } from '../../src/status/json.ts'
import type { Status } from '../../src/status/status.ts'
import type { Listed } from '../../src/status/sign-in-lines.ts'
import {
  failing,
  HOUR,
  message,
  MINUTE,
  NOW,
  pauseOf,
  record,
  refusedMessage,
  REFUSED_SIGN_IN,
  resting,
} from '../status/scene.ts'

const CHROMIUM = '/usr/bin/chromium'
const DAY = 24 * HOUR

export async function browser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is not there: apt-get install chromium`)
  return await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] })
}

/** What the made-up process knows. A test may change it while the server runs. */
export interface World {
  records: readonly AccountRecord[]
  unsettled: Map<string, Unsettled>
  messages: Map<string, readonly MessageRecord[]>
  days: Map<string, readonly Day[]>
  destinations: readonly DestinationRecord[]
  pauses: readonly Pause[]
  signIns: readonly Listed[]
  nowMs: number
}

export function quiet(): World {
  return {
    records: [record('work', { facts: polls(false, 1) }), record('home', { facts: polls(false, 2) })],
    unsettled: new Map(),
    messages: new Map(),
    days: new Map(['work', 'home'].map((name, at) => [name, lastDays(at + 3)])),
    destinations: [],
    pauses: [],
    signIns: [],
    nowMs: NOW,
  }
}

/** More accounts than fit a page, of which two fail. */
export function crowd(): World {
  const names = Array.from({ length: 1030 }, (_, at) => `customer-${at}`)
  const records = names.map((name) =>
    name === 'customer-7' || name === 'customer-1007' ? failing(name, REFUSED_SIGN_IN) : record(name),
  )
  return { ...quiet(), records, days: new Map(names.map((name, at) => [name, lastDays(at)])) }
}

/** Nothing fails, and a person wants two accounts and a destination left alone. */
export function paused(): World {
  const waiting = record('shop', { facts: { ...polls(false, 4), [WAITS_FOR_PAUSED]: '["forward"]', unbegun: '12' } })
  return {
    ...quiet(),
    records: [...quiet().records, waiting, record('old-isp', { facts: polls(false, 5) })],
    pauses: [
      pauseOf('account', 'home'),
      pauseOf('account', 'old-isp', { untilMs: NOW + 3 * HOUR, sinceMs: NOW - HOUR }),
      pauseOf('destination', 'forward', { sinceMs: NOW - 2 * DAY }),
    ],
  }
}

/** A month of mail that looks like one, always the same. */
export function lastDays(seed: number): readonly Day[] {
  return Array.from({ length: 30 }, (_, at) => {
    const wave = (at * 7 + seed * 13) % 11
    const startMs = Math.floor(NOW / DAY) * DAY - (29 - at) * DAY
    const failures = (at * seed) % 13 === 5 ? 3 : 0
    return { startMs, delivered: at % 7 > 4 ? wave % 3 : wave * 2, bytes: wave * 41_000, failures, longestWaitMs: 0 }
  }).filter(({ delivered, failures }) => delivered + failures > 0)
}

/** Ten polls that went well, or the last three of them did not. */
function polls(fails: boolean, seed: number): Record<string, string> {
  const error = { code: 'ERR_CONNECT', message: 'no answer', retry: 'soon' } as const
  let facts: Record<string, string> = {}
  for (let at = 9; at >= 0; at--) {
    const isBad = fails && at < 3
    const report = {
      outcome: isBad ? 'failed' : at === 5 ? 'partial' : 'ok',
      delivered: seed,
      error: isBad ? error : null,
    } as const
    facts = { polls: pollsFact({ facts }, report, NOW - at * 5 * MINUTE)['polls'] ?? '' }
  }
  return facts
}

/** A bit of everything that may need a person. */
export function troubled(): World {
  const unsettled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }
  const behind = (name: string): AccountRecord =>
    failing(name, { code: 'ERR_DELIVERY', message: resting('forward').rest?.error.message ?? '', retry: 'soon' })
  const names = ['old-isp', 'shop', 'club', 'family', 'newsletters', 'anna', 'university', 'backup']
  const locked = failing('university', REFUSED_SIGN_IN, {
    pausedUntilMs: NOW + 40 * MINUTE,
    lastSuccessMs: NOW - 3 * DAY,
  })
  const records = names.map((name) =>
    name === 'university' ? locked : name === 'shop' || name === 'club' ? behind(name) : record(name),
  )
  const polled = records.map((each, at) => ({ ...each, facts: { ...each.facts, ...polls(each.failures > 0, at) } }))
  return {
    records: polled,
    unsettled: new Map([
      ['shop', { ...unsettled, waiting: 14 }],
      ['club', { ...unsettled, waiting: 2 }],
      ['family', { ...unsettled, held: 1, refused: 2 }],
      ['anna', { ...unsettled, undeleted: 3 }],
    ]),
    messages: new Map([
      [
        'family',
        [
          message('uid-77', {
            from: 'Grandma <grandma@example.org>',
            subject: '120 photographs of the garden',
            reason: 'too large: 78 MB, maxSize is 50 MB',
          }),
          refusedMessage('uid-80', {
            from: 'Prizes <win@spam.example>',
            subject: 'You have won',
            reason: '554 5.7.1 message refused as spam',
          }),
        ],
      ],
      [
        'shop',
        [
          message('uid-5', {
            state: 'open',
            from: 'Orders <orders@example.net>',
            subject: 'Order 4711',
            reason: '451 later',
          }),
        ],
      ],
    ]),
    days: new Map(names.map((name, at) => [name, lastDays(at + 2)])),
    destinations: [resting('forward')],
    pauses: [pauseOf('account', 'backup', { untilMs: NOW + 5 * HOUR })],
    signIns: [
      {
        client: 'google',
        user: 'anna@gmail.com',
        accounts: ['anna'],
        destinations: [],
        needsNobody: false,
        state: {
          client: 'google',
          user: 'anna@gmail.com',
          state: 'ends-soon',
          sinceMs: NOW - 5 * DAY,
          untilMs: NOW + DAY,
          error: null,
        },
      },
    ],
    nowMs: NOW,
  }
}

/** Names and texts of somebody who wants to be markup, to leave the page, or to read backwards. */
export function hostile(): World {
  const evil = '"><script>window.broken = 1</script><img src=x onerror="window.broken = 1">\u202Egnp.exe\u0000\u200B'
  return {
    ...quiet(),
    records: [
      record(`${evil}\``),
      failing('work', { code: 'ERR_CONNECT', message: `connecting: ${evil}`, retry: 'soon' }),
    ],
    unsettled: new Map([['work', { waiting: 0, refused: 1, held: 1, undeleted: 0 }]]),
    messages: new Map([
      [
        'work',
        [
          message(evil, { from: evil, subject: evil, reason: evil }),
          refusedMessage('x', { subject: 'x'.repeat(3000) }),
        ],
      ],
    ]),
    days: new Map(),
    destinations: [resting(evil, { error: { code: 'ERR_DELIVERY', message: evil } })],
    pauses: [pauseOf('destination', `notes ${evil}`, { by: evil })],
    signIns: [],
  }
}

export function watch(world: World): Watched {
  return {
    get plan() {
      const paused = new Set(world.pauses.map((pause) => pause.name))
      return world.records.map(({ name }, at) => {
        const polling = at === 3 && !paused.has(name)
        return {
          account: name,
          polling,
          nextPollMs: polling ? null : world.nowMs + (at + 1) * 41_000,
          overdue: false,
        }
      })
    },
    ledger: {
      accounts: () => Promise.resolve(world.records),
      destinations: () => Promise.resolve(world.destinations),
      pauses: { all: () => Promise.resolve(world.pauses) },
      memo: () => Promise.resolve(null),
      workers: () => Promise.resolve([]),
      spans: 'machine',
      records: {
        unsettled: () => Promise.resolve(world.unsettled),
        lacking: () => Promise.resolve(new Map()),
        outstanding: () => Promise.resolve(world.messages),
        days: () => Promise.resolve(world.days),
      },
    },
    get configured() {
      return world.records.map(({ name }) => name)
    },
    get destinations() {
      return world.destinations.flatMap(({ names }) => names)
    },
    process: { pid: 7, sinceMs: NOW - 12 * DAY, version: '1.2.3', machine: 'nas' },
    freshMs: 0,
    nowMs: () => world.nowMs,
    signIns: () => Promise.resolve(world.signIns),
    wake: () => {},
    retry: () => {},
  }
}

/** A page as two machines on one ledger have it, one of which was seen last some minutes ago. */
export async function ofMachines(): Promise<Server> {
  const world = troubled()
  const machines = [
    {
      machine: 'nas',
      sinceMs: NOW - 12 * DAY,
      lastSeenMs: NOW - 2000,
      accounts: 5,
      version: '1.2.3',
      versions: ['1.2.3'],
    },
    {
      machine: 'vps-frankfurt-2',
      sinceMs: NOW - 3 * HOUR,
      lastSeenMs: NOW - 4 * MINUTE,
      accounts: 3,
      version: '1.2.3',
      versions: ['1.2.3'],
    },
  ]
  const status: Status = { ...(await wholeStatus(watch(world))), machines }
  const server = createServer((request, response) => {
    const isPage = request.url === '/'
    response.setHeader('Content-Security-Policy', pagePolicy('page'))
    response.setHeader('Content-Type', isPage ? 'text/html; charset=utf-8' : 'application/json')
    response.end(
      isPage
        ? page(status, shownOf(status, FIRST_VIEW), world.days, { version: '1.2.3', machine: 'nas' })
        : JSON.stringify(statusJson(status)),
    )
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return server
}

const LOOPBACK: Place = { kind: 'port', host: '127.0.0.1', port: 0 }

export async function serve(world: World, names: Partial<Names> = {}, place: Place = LOOPBACK): Promise<HttpServer> {
  return await HttpServer.listen(place, { hosts: [], token: null, ...names }, watch(world))
}

/** Everything that went wrong in the page. */
export function complaintsOf(page: Page): readonly string[] {
  const complaints: string[] = []
  page.on('console', (line) => {
    if (line.type() === 'error' || line.type() === 'warning') complaints.push(line.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  return complaints
}
