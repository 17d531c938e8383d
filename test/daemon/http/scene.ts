// What is served over HTTP is asked for as anybody would, over HTTP; the plan and the ledger behind it are made up.
import type { Place } from '../../../src/config/daemon/daemon.ts'
import type { Names } from '../../../src/daemon/http/server.ts'
import type { Watched } from '../../../src/daemon/http/watched.ts'

export const plan = [
  { account: 'work', polling: false, nextPollMs: 1_800_000_060_000, overdue: false },
  { account: 'home', polling: true, nextPollMs: null, overdue: false },
]

const record = { name: 'work', lastPollMs: 1_800_000_000_000, lastSuccessMs: 1_799_999_000_000, failures: 0, facts: {} }
const unsettled = { waiting: 4, refused: 3, held: 2, undeleted: 1 }
export const ledger: Watched['ledger'] = {
  accounts: () => Promise.resolve([record] as never),
  destinations: () => Promise.resolve([] as never),
  pauses: { all: () => Promise.resolve([]) },
  memo: () => Promise.resolve(null),
  workers: () => Promise.resolve([]),
  spans: 'machine',
  records: {
    unsettled: () => Promise.resolve(new Map([['work', unsettled]])),
    lacking: () => Promise.resolve(new Map()),
    outstanding: () => Promise.resolve(new Map()),
    days: () => Promise.resolve(new Map()),
  },
}

/** What was asked for: `wake work`, `retry null`. */
export const asked: string[] = []

export const watched: Watched = {
  plan,
  ledger,
  configured: ['work', 'home'],
  destinations: ['inbox', 'forward'],
  process: { pid: 7, sinceMs: 1_799_990_000_000, version: '1.2.3', machine: 'nas' },
  nowMs: () => 1_800_000_000_000,
  signIns: () => Promise.resolve([]),
  wake: (account) => void asked.push(`wake ${account}`),
  retry: (account) => void asked.push(`retry ${account}`),
}
export const anyPort: Place = { kind: 'port', host: '127.0.0.1', port: 0 }
export const noNames: Names = { hosts: [], token: null }

export async function get(port: number, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
  return { status: response.status, text: await response.text() }
}
