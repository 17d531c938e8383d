// What the first poll of an account takes: as the configuration has it, else as somebody answered `init`. The answer lies in the
// ledger, not in the configuration: once the ledger is lost, the guards are to ask again (DESIGN 4.4).
import type { Account } from '../../config/schema.ts'
import { type FirstPolicy, parseFirst } from '../../config/values/first.ts'
import type { AccountIdentity, AccountRecord, Ledger } from '../../ledger/ledger.ts'

/** In AccountRecord.facts: the answer, in the words of `first`. */
const ANSWER = 'first'

export function firstPolicy({ first }: Account, { facts }: Pick<AccountRecord, 'facts'>): FirstPolicy {
  const answer = facts[ANSWER]
  return first.kind !== 'default' || answer === undefined ? first : (parseFirst(answer) ?? first)
}

/** Remembers the answer. An account that was polled before is not changed by it. */
export async function rememberFirst(
  ledger: Ledger,
  { name, host, port, user }: AccountIdentity & { readonly name: string },
  answer: string,
): Promise<void> {
  await using lease = await ledger.lease(name)
  // Whoever has the lease has made the account known.
  if (lease !== null) await ledger.admit(lease, { host, port, user })
  await ledger.records.note(name, { [ANSWER]: answer })
}
