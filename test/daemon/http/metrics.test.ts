import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import { accountReport } from '../../cli/reports.ts'
import { until } from '../scene.ts'
import { record, resting } from '../../status/scene.ts'
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

test('destinations have their own: which take mail, which kept some back, and until when one is left alone', async () => {
  const records = [
    resting('forward'),
    { ...resting('inbox'), recipient: 'bob@example.org' },
    { ...resting('other'), rest: null },
  ]
  const since = { deferredSince: String(1_799_990_000_000) }
  const waiting = record('work', { facts: since })
  const world = { ...ledger, destinations: () => Promise.resolve(records), accounts: () => Promise.resolve([waiting]) }
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
  ])
    expect(lines).toContain(line)
})

test('the example of alert rules names metrics that there are', async () => {
  const text = readFileSync(join(import.meta.dirname, '../../../examples/monitoring/alerts.yml'), 'utf8')
  const rules = parse(text) as { groups: { rules: { alert: string; expr: string }[] }[] }
  const all = rules.groups.flatMap((group) => group.rules)
  expect(all.map(({ alert }) => alert)).toEqual(['PopfetchMailDoesNotCome', 'PopfetchMailWaits'])
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  const metrics = (await get(server.port, '/metrics')).text
  for (const [name] of all.flatMap(({ expr }) => [...expr.matchAll(/popfetch_\w+/g)]))
    expect(metrics).toContain(`# TYPE ${name} `)
})
