// Server, ledger and destinations held against each other, message by message (`popfetch verify`). Changes nothing: it takes no lease,
// asks servers for lists alone, and looks at destinations without making, repairing or locking anything.
//
// The story of this room. The ledger's finished deliveries are read into a few columns of numbers (claims.ts, marks.ts), 8 bytes for
// each: the intent of a delivery is in the name of its file, or in its header. Each place is walked once (places.ts), and what
// stands there strikes off its claim. A second walk finds what a mail program moved meanwhile, and what no account of the ledger
// knows. What is still missing is looked for in the folders beside. Then each account's list is asked for (server.ts) and its
// messages are counted (account.ts), with their digests where that is wished. report.ts says what comes of it.
import { asPopfetchError } from '../errors.ts'
import { Concurrency } from '../poll/run/concurrency.ts'
import { Destinations } from '../poll/run/destinations.ts'
import { boundYoung } from '../poll/run/garbage.ts'
import { verifyAccount } from './account.ts'
import { Claims } from './claims.ts'
import { Places } from './places.ts'
import type { Verdict, VerifyRequest } from './report.ts'

export type { VerifyRequest } from './report.ts'

/** One verdict for each account, in their order; `told` is called with each as it comes. Rejects only with ERR_LEDGER, and on a bug
 *  of ours. */
export async function verifyAll(
  request: VerifyRequest,
  told: (verdict: Verdict) => void = () => {},
): Promise<readonly Verdict[]> {
  boundYoung()
  const { configuration, accounts, env, nowMs } = request
  await using destinations = new Destinations(configuration, env, nowMs, true)
  const places = new Places(request, destinations)
  const claims = await Claims.of(request, places)
  await places.lookThrough(claims)
  const concurrency = new Concurrency(configuration)
  const work = accounts.map((account) =>
    concurrency.run(account, async () => {
      const verdict = await verifyAccount(account, { ...request, places, claims })
      told(verdict)
      return verdict
    }),
  )
  return await Promise.all(work).catch((error: unknown) => {
    throw asPopfetchError(error, 'process')
  })
}
