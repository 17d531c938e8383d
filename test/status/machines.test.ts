// The machines at work on a ledger, as status tells them.
import { describe, expect, it } from 'vitest'
import { statusLines } from '../../src/cli/commands/status/text.ts'
import type { Worker } from '../../src/ledger/ledger.ts'
import { MACHINE } from '../../src/poll/account/history.ts'
import { statusJson } from '../../src/status/json.ts'
import { NO_DAEMON } from '../../src/status/status.ts'
import { HOUR, NOW, record, status } from './scene.ts'

function worker(machine: string, facts: Partial<Worker> = {}): Worker {
  return { name: machine, machine, version: '1.2.3', sinceMs: NOW - HOUR, lastSeenMs: NOW - 2000, holds: [], ...facts }
}

const polledBy = (name: string, machine: string) => record(name, { facts: { [MACHINE]: machine } })

const SHARED = {
  spans: 'machines',
  records: [polledBy('a', 'nas'), polledBy('b', 'vps'), polledBy('c', 'nas')],
  workers: [worker('nas'), worker('vps', { sinceMs: NOW - HOUR / 2 }), worker('cron', { sinceMs: null })],
} as const

describe('a ledger that machines share', () => {
  it('tells each machine whose daemon lives, how many accounts it polled last, and its version', () => {
    expect(statusJson(status(SHARED))).toMatchObject({
      machines: [
        {
          machine: 'nas',
          since: new Date(NOW - HOUR).toISOString(),
          lastSeen: new Date(NOW - 2000).toISOString(),
          accounts: 2,
          version: '1.2.3',
        },
        { machine: 'vps', accounts: 1, version: '1.2.3' },
      ],
    })
  })

  it('has one machine for all processes of a daemon, seen when the last of them was', () => {
    const workers = [worker('nas', { lastSeenMs: NOW - 9000 }), worker('nas', { sinceMs: NOW - 10, lastSeenMs: NOW })]
    expect(status({ ...SHARED, workers }).machines).toMatchObject([
      { machine: 'nas', sinceMs: NOW - HOUR, lastSeenMs: NOW, accounts: 2 },
    ])
  })

  it('names the machines in words, also where no daemon runs on this one', () => {
    const lines = statusLines(status({ ...SHARED, daemon: NO_DAEMON }), Infinity, { installed: '1.2.3' }).map(
      ({ text }) => text,
    )
    expect(lines.slice(-2)).toEqual([
      expect.stringMatching(/^machine nas: running since .*, last seen 2 s ago, 2 accounts, version 1\.2\.3$/),
      expect.stringMatching(/^machine vps: running since .*, last seen 2 s ago, 1 account, version 1\.2\.3$/),
    ])
  })

  it('warns while machines run different versions, and says which', () => {
    const workers = [worker('nas'), worker('vps', { version: '1.3.0' })]
    expect(status({ ...SHARED, workers }).attention).toMatchObject([
      { kind: 'daemon', weight: 'doubtful', reason: expect.stringMatching(/nas 1\.2\.3, vps 1\.3\.0; install one/) },
    ])
    expect(status(SHARED).attention).toEqual([])
  })

  it('prints nothing of a name as a terminal would take it', () => {
    expect(status({ ...SHARED, workers: [worker('\u001B[2Jnas')] }).machines[0]?.machine).not.toContain('\u001B')
  })
})

describe('a ledger that is a file', () => {
  const daemon = { wanted: true, pid: 7, sinceMs: NOW - HOUR, version: '1.2.3', machine: 'nas', accounts: [] }

  it('is served by one machine, whose daemon has all accounts', () => {
    const accounts = ['a', 'b'].map((account) => ({ account, polling: false, nextPollMs: NOW, overdue: false }))
    const [machine] = status({
      records: [],
      daemon: { ...daemon, accounts },
      spans: 'machine',
      workers: [worker('nas')],
    }).machines
    expect(machine).toMatchObject({ machine: 'nas', accounts: 2, version: '1.2.3' })
  })

  it('tells a daemon of an older version, which does not present itself', () => {
    expect(status({ records: [], daemon, workers: [] }).machines).toMatchObject([{ machine: 'nas', lastSeenMs: NOW }])
    expect(status({ records: [] }).machines).toEqual([])
  })
})
