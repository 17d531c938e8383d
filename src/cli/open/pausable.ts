// What the names of `pause` and `resume` mean: accounts and destinations of the configuration. Also what is paused already, where
// it is no longer configured.
import type { Outline } from '../../config/outline.ts'
import type { Ledger, Paused } from '../../ledger/ledger.ts'
import { unknownAccount, usageError } from '../command-errors.ts'

/** A name that an account and a destination share means both. No names: all accounts. Rejects with ERR_USAGE. */
export async function meantBy(
  names: readonly string[],
  { accounts, configuration }: Outline,
  ledger: Pick<Ledger, 'accounts' | 'pauses'>,
): Promise<readonly Paused[]> {
  if (names.length === 0) {
    if (accounts === null || accounts.length === 0)
      throw usageError('the accounts of the configuration cannot be read: name an account or a destination')
    return accounts.map((name) => ({ kind: 'account', name }))
  }
  const paused = await ledger.pauses.all()
  const recorded = (await ledger.accounts()).map(({ name }) => name)
  const of = (kind: Paused['kind']): readonly string[] =>
    paused.filter((each) => each.kind === kind).map(({ name }) => name)
  const known = {
    account: new Set([...(accounts ?? []), ...recorded, ...of('account')]),
    destination: new Set([...(configuration?.destinations.keys() ?? []), ...of('destination')]),
  }
  const kinds = ['account', 'destination'] as const
  return names.flatMap((name) => {
    const meant = kinds.filter((kind) => known[kind].has(name)).map((kind) => ({ kind, name }))
    if (meant.length > 0) return meant
    const all = [...new Set([...known.account, ...known.destination])]
    throw unknownAccount(name, all, { kind: 'account or destination', what: 'the accounts and destinations are' })
  })
}
