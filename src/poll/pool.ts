// Many accounts at once: how many in all, how many at one host. p-queue's only door. Its `timeout` is not used: it frees
// the place while the task runs on; accounts end by their own limits.
import { isIP } from 'node:net'
import PQueue from 'p-queue'
import type { Account } from '../config/schema.ts'
import { asPopfetchError } from '../errors.ts'
import { checkAccount } from './check.ts'
import { Destinations } from './destinations.ts'
import { pollAccount } from './poll.ts'
import type { AccountReport, CheckReport } from './report.ts'
import type { RunRequest } from './run.ts'
import { MEMORY_BUDGET_BYTES, MemoryBudget } from './window.ts'

/** Providers limit connections from one address, often to 10 or 20 (N008). */
const PER_HOST = 8

/** After a signal, what is complete may still be delivered for so long; the command line waits 10 s (N001). */
const LAST_DELIVERIES_MS = 8000

/** Polls each account once; reports in the order of `request.accounts`. Rejects only on a bug of ours. */
export async function pollAll(request: RunRequest): Promise<readonly AccountReport[]> {
  const deliveries = new AbortController()
  const onAbort = (): void => void setTimeout(() => deliveries.abort(), LAST_DELIVERIES_MS).unref()
  request.signal.addEventListener('abort', onAbort, { once: true })
  try {
    await using destinations = new Destinations(request.configuration, request.env, Date.now)
    await destinations.sweep()
    const run = {
      ...request,
      destinations,
      budget: new MemoryBudget(MEMORY_BUDGET_BYTES),
      deliverySignal: deliveries.signal,
      nowMs: Date.now,
    }
    return await each(request, (account) => pollAccount(account, run))
  } finally {
    request.signal.removeEventListener('abort', onAbort)
  }
}

/** Signs in to each account and says what waits there; reports in the order of `request.accounts`. */
export function checkAll(request: RunRequest): Promise<readonly CheckReport[]> {
  return each(request, (account) => checkAccount(account, request, Date.now))
}

async function each<T>({ configuration, accounts }: RunRequest, work: (account: Account) => Promise<T>): Promise<T[]> {
  const overall = new PQueue({ concurrency: configuration.concurrency })
  const hosts = new Map<string, PQueue>()
  return await Promise.all(
    accounts.map(async (account) => {
      const inTurn = () => overall.add(() => work(account))
      const limit = configuration.perHost ?? (isLoopback(account.host) ? null : PER_HOST)
      if (limit === null) return await inTurn()
      const host = hosts.get(account.host) ?? new PQueue({ concurrency: limit })
      hosts.set(account.host, host)
      return await host.add(inTurn)
    }),
  ).catch((error: unknown) => {
    throw asPopfetchError(error, 'process')
  })
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
