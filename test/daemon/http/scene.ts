// What is served over HTTP is asked for as anybody would, over HTTP; the plan and the ledger behind it are made up.
import type { Watched } from '../../../src/daemon/http/metrics.ts'

export const plan = [
  { account: 'work', polling: false, nextPollMs: 1_800_000_060_000, overdue: false },
  { account: 'home', polling: true, nextPollMs: null, overdue: false },
]

const record = { name: 'work', lastPollMs: 1_800_000_000_000, lastSuccessMs: 1_799_999_000_000, failures: 0, facts: {} }
const unsettled = { waiting: 4, refused: 3, held: 2, undeleted: 1 }
export const ledger = {
  accounts: () => Promise.resolve([record] as never),
  destinations: () => Promise.resolve([] as never),
  records: { unsettled: () => Promise.resolve(new Map([['work', unsettled]])) },
}

export const watched: Watched = { plan, ledger }
export const anyPort = { host: '127.0.0.1', port: 0, hosts: [] as readonly string[] }

export async function get(port: number, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
  return { status: response.status, text: await response.text() }
}
