import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Watched } from '../../../src/daemon/http/watched.ts'
import type { AccountRecord, DestinationRecord } from '../../../src/ledger/ledger.ts'
import type { Lacking } from '../../../src/ledger/records.ts'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import { accountReport } from '../../cli/reports.ts'
import { until } from '../scene.ts'
import { record, resting } from '../../status/scene.ts'
import { firing, seriesOf } from './promql.ts'
import { anyPort, get, ledger, noNames, watched } from './scene.ts'

test('the metrics of Prometheus tell of each account what its polls did, and nothing more of one that is polled no more', async () => {
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  const { metrics, port } = server
  const counts = { listed: 9, skipped: 4, delivered: 3, bytes: 1234, possibleDuplicates: 1 }
  metrics.ended({ report: accountReport({ ...counts, durationMs: 250, outcome: 'partial' }), lateMs: 120 })
  const error = { code: 'ERR_CONNECT', message: '', retry: 'soon' } as const
  metrics.ended({ report: accountReport({ outcome: 'failed', error }), lateMs: 0 })
  const { status, text } = await get(port, '/metrics?x=1')
  expect(status).toBe(200)
  for (const line of [
    'popfetch_polls_total{account="work",outcome="partial"} 1',
    'popfetch_polls_total{account="work",outcome="failed"} 1',
    'popfetch_messages_total{account="work",result="delivered"} 3',
    'popfetch_messages_total{account="work",result="possible_duplicates"} 1',
    'popfetch_received_bytes_total{account="work"} 1234',
    'popfetch_failures_total{account="work",code="ERR_CONNECT"} 1',
    'popfetch_backlog_messages{account="work"} 2',
    'popfetch_poll_duration_seconds{account="work"} 0.25',
    'popfetch_last_poll_timestamp_seconds{account="work"} 1800000000',
    'popfetch_last_success_timestamp_seconds{account="work"} 1799999000',
    'popfetch_next_poll_timestamp_seconds{account="work"} 1800000060',
    'popfetch_account_overdue{account="home"} 0',
    'popfetch_outstanding_messages{account="work",state="waiting"} 4',
    'popfetch_outstanding_messages{account="work",state="undeleted"} 1',
    'popfetch_poll_lateness_seconds_bucket{le="0.1"} 1',
    'popfetch_poll_lateness_seconds_bucket{le="0.25"} 2',
  ]) {
    expect(text.split('\n')).toContain(line)
  }
  expect(text).toMatch(/^popfetch_build_info\{version="1\.2\.3",node="24\.[\d.]+"\} 1$/m)
  metrics.forget('work')
  await until(async () => !(await get(port, '/metrics')).text.includes('ERR_CONNECT'))
  expect((await get(port, '/metrics')).text).not.toContain('_total{account="work"')
})

test('whether what the program of accountsFrom printed was taken is a number', async () => {
  let memo: string | null = null
  const panel = { ...ledger, memo: (name: string) => Promise.resolve(name === 'accountsFrom' ? memo : null) }
  const failing = async (): Promise<string | undefined> => {
    await using server = await HttpServer.listen(anyPort, noNames, { ...watched, ledger: panel })
    return /^popfetch_accounts_from_failing .$/m.exec((await get(server.port, '/metrics')).text)?.[0]
  }
  expect(await failing()).toBe('popfetch_accounts_from_failing 0')
  memo = JSON.stringify({ retry: 'soon', sinceMs: 1, message: 'away' })
  expect(await failing()).toBe('popfetch_accounts_from_failing 1')
})

test('what a reload takes out of the configuration has no series any more', async () => {
  const world = { ...watched, destinations: ['inbox', 'forward'] }
  await using server = await HttpServer.listen(anyPort, noNames, world)
  const error = { code: 'ERR_DELIVERY', message: '', retry: 'soon' } as const
  const troubles = [{ destination: 'forward', recipient: '', error }]
  server.metrics.ended({ report: accountReport({ troubles }), lateMs: 0 })
  expect((await get(server.port, '/metrics')).text).toContain('destination_failures_total{destination="forward"')
  world.destinations.pop()
  await until(async () => !(await get(server.port, '/metrics')).text.includes('"forward"'))
})

test('destinations have their own: which take mail, which kept some back, and until when one is left alone', async () => {
  const records = [
    resting('forward'),
    { ...resting('inbox'), recipient: 'bob@example.org' },
    { ...resting('other'), rest: null },
  ]
  const since = { deferredSince: String(1_799_990_000_000) }
  const waiting = record('work', { facts: since })
  const lacking = new Map([
    ['forward', { waiting: 3, refused: 1, oldestMs: 1_799_980_000_000 }],
    ['gone', { waiting: 9, refused: 9, oldestMs: 0 }],
  ])
  const pauses = {
    all: () => Promise.resolve([{ kind: 'destination', name: 'inbox', by: 'ann', sinceMs: 0, untilMs: null } as const]),
  }
  const counts = { ...ledger.records, lacking: () => Promise.resolve(lacking) }
  const world = {
    ...ledger,
    pauses,
    records: counts,
    destinations: () => Promise.resolve(records),
    accounts: () => Promise.resolve([waiting]),
  }
  await using server = await HttpServer.listen(anyPort, noNames, { ...watched, ledger: world })
  const error = { code: 'ERR_DELIVERY', message: '', retry: 'soon' } as const
  const troubles = ['a', 'b'].map((recipient) => ({ destination: 'forward', recipient, error }))
  server.metrics.ended({ report: accountReport({ troubles }), lateMs: 0 })
  const lines = (await get(server.port, '/metrics')).text.split('\n')
  for (const line of [
    'popfetch_destination_up{destination="forward"} 0',
    'popfetch_destination_up{destination="inbox"} 1',
    'popfetch_destination_failures_total{destination="forward",code="ERR_DELIVERY"} 1',
    'popfetch_destination_resting_until_timestamp_seconds{destination="forward"} 1800003600',
    'popfetch_oldest_waiting_message_timestamp_seconds{account="work"} 1799990000',
    'popfetch_destination_outstanding_messages{destination="forward",state="waiting"} 3',
    'popfetch_destination_outstanding_messages{destination="forward",state="refused"} 1',
    'popfetch_destination_outstanding_messages{destination="inbox",state="waiting"} 0',
    'popfetch_destination_oldest_waiting_message_timestamp_seconds{destination="forward"} 1799980000',
    'popfetch_destination_paused{destination="inbox"} 1',
    'popfetch_destination_paused{destination="forward"} 0',
  ])
    expect(lines).toContain(line)
  // Only names of the configuration are labels, whatever the ledger remembers.
  expect(lines.filter((line) => /"(?:gone|other|place of [^"]*)"/.test(line))).toEqual([])
})

const ALERTS = join(import.meta.dirname, '../../../examples/monitoring/alerts.yml')

describe('the example of alert rules', () => {
  const HOUR_S = 3600
  const NOW_S = 1_800_000_000
  const ago = (hours: number): number => (NOW_S - hours * HOUR_S) * 1000

  function rules(): readonly { readonly alert: string; readonly expr: string; readonly annotations: object }[] {
    const { groups } = parse(readFileSync(ALERTS, 'utf8')) as { groups: { rules: ReturnType<typeof rules> }[] }
    return groups.flatMap((group) => group.rules)
  }

  /** What fires, by the name of the rule, for a ledger with these accounts, destinations, pauses and messages that wait. */
  async function firingIn(world: Partial<Watched['ledger']>, lacking: ReadonlyMap<string, Lacking> = new Map()) {
    const records = { ...ledger.records, lacking: () => Promise.resolve(lacking) }
    await using server = await HttpServer.listen(anyPort, noNames, {
      ...watched,
      ledger: { ...ledger, accounts: () => Promise.resolve([]), ...world, records },
    })
    const series = seriesOf((await get(server.port, '/metrics')).text)
    return Object.fromEntries(
      rules().map(({ alert, expr }) => [
        alert.replace('PopfetchMail', ''),
        firing(expr, series, NOW_S * 1000).map(({ labels }) => Object.values(labels).join(' ')),
      ]),
    )
  }

  const account = (name: string, hours: number, facts: object = {}) =>
    record(name, { lastSuccessMs: ago(hours), facts: { ...facts } })
  const accounts = (...all: AccountRecord[]): Partial<Watched['ledger']> => ({ accounts: () => Promise.resolve(all) })
  const pauses = (...all: [kind: 'account' | 'destination', name: string][]): Partial<Watched['ledger']> => ({
    pauses: {
      all: () =>
        Promise.resolve(all.map(([kind, name]) => ({ kind, name, by: 'ann', sinceMs: ago(1), untilMs: null }))),
    },
  })
  const destinations = (...all: DestinationRecord[]) => ({ destinations: () => Promise.resolve(all) })
  const waits = (hours: number) => ({ deferredSince: String(ago(hours)) })
  const QUIET = { DoesNotCome: [], Waits: [] }

  test('names metrics and labels that there are', async () => {
    const forward = {
      ...resting('forward'),
      rest: { ...resting('forward').rest, sinceMs: ago(1) },
    } as DestinationRecord
    await using server = await HttpServer.listen(anyPort, noNames, {
      ...watched,
      ledger: { ...ledger, ...accounts(account('work', 1, waits(1))), ...destinations(forward) },
    })
    const text = (await get(server.port, '/metrics')).text
    const series = seriesOf(text)
    expect(rules().map(({ alert }) => alert)).toEqual(['PopfetchMailDoesNotCome', 'PopfetchMailWaits'])
    for (const { expr, annotations } of rules()) {
      const names = [...expr.matchAll(/popfetch_\w+/g)].map(([name]) => name)
      for (const name of names) expect(text).toContain(`# TYPE ${name} gauge`)
      const labels = new Set(
        names.flatMap((name) => (series.get(name) ?? []).flatMap((one) => Object.keys(one.labels))),
      )
      for (const [, label = ''] of JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g))
        expect(labels).toContain(label)
      for (const [, label = ''] of expr.matchAll(/\bon \((\w+)\)/g)) expect(labels).toContain(label)
    }
  })

  test('is quiet while all is well', async () => {
    expect(await firingIn(accounts(account('work', 1, waits(1)), account('home', 5)))).toEqual(QUIET)
  })

  test('fires for an account without success, and not for one that a person paused', async () => {
    const world = accounts(account('work', 7), account('home', 8))
    expect(await firingIn(world)).toEqual({ ...QUIET, DoesNotCome: ['work', 'home'] })
    expect(await firingIn({ ...world, ...pauses(['account', 'home']) })).toEqual({ ...QUIET, DoesNotCome: ['work'] })
  })

  test('fires for mail that waits for long, by its account and by its destination, and not for what a person paused', async () => {
    const world = accounts(account('work', 1, waits(7)), account('home', 1, waits(8)))
    const lacking = new Map([
      ['inbox', { waiting: 1, refused: 0, oldestMs: ago(7) }],
      ['forward', { waiting: 2, refused: 0, oldestMs: ago(8) }],
    ])
    expect(await firingIn(world, lacking)).toEqual({ ...QUIET, Waits: ['inbox', 'forward', 'work', 'home'] })
    const paused = { ...world, ...pauses(['account', 'home'], ['destination', 'forward']) }
    expect(await firingIn(paused, lacking)).toEqual({ ...QUIET, Waits: ['inbox', 'work'] })
  })

  test('fires for a destination that takes no mail, once, and not for one that a person paused', async () => {
    const world = destinations(resting('forward'))
    const lacking = new Map([['forward', { waiting: 2, refused: 0, oldestMs: ago(8) }]])
    expect(await firingIn(world, lacking)).toEqual({ ...QUIET, Waits: ['forward'] })
    expect(await firingIn({ ...world, ...pauses(['destination', 'forward']) }, lacking)).toEqual(QUIET)
  })

  test('fires where nothing answers any more', () => {
    expect(rules().map(({ expr }) => firing(expr, new Map(), NOW_S * 1000).length)).toEqual([1, 0])
  })
})

test('servers have their own: how late the last poll was, and how many accounts are late', async () => {
  const late = { host: 'pop.example.net', accounts: 3, lateMs: 90_000, sinceMs: 1_799_990_000_000 }
  const lateness = { late: [late], all: [['pop.example.net', 90_000, 3] as const, ['b.example', 0, 0] as const] }
  await using server = await HttpServer.listen(anyPort, noNames, { ...watched, lateness })
  const lines = (await get(server.port, '/metrics')).text.split('\n')
  for (const line of [
    'popfetch_host_lateness_seconds{host="pop.example.net"} 90',
    'popfetch_host_lateness_seconds{host="b.example"} 0',
    'popfetch_host_late_accounts{host="pop.example.net"} 3',
  ])
    expect(lines).toContain(line)
  const status = JSON.parse((await get(server.port, '/status.json')).text) as { late: unknown }
  expect(status.late).toEqual([
    { host: 'pop.example.net', accounts: 3, seconds: 90, since: '2027-01-15T05:13:20.000Z' },
  ])
  expect((await get(server.port, '/')).text).toContain('polled later than planned')
  expect((await get(server.port, '/healthz')).status).toBe(200)
})
