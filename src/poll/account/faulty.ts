// An account that is wrong by itself while the others are polled: a row that a program printed, a variable that is not set. It
// counts as failed (78), and is told and remembered like any failure. Nothing is connected to and nothing run.
import { faultError } from '../../config/accounts/sound.ts'
import type { Account } from '../../config/schema.ts'
import type { AccountIdentity, Lease } from '../../ledger/ledger.ts'
import type { Run } from '../run/run.ts'
import type { Tally } from '../tally.ts'
import { History } from './history.ts'

/** Its server is not known now. */
const NOWHERE: AccountIdentity = { host: '', port: 0, user: '' }

/** What is recorded of its server stays. */
export async function failFaulty(account: Account, lease: Lease, run: Run, tally: Tally): Promise<void> {
  const identity = lease.record?.identity ?? NOWHERE
  const history = await History.open({ ...account, ...identity }, lease, run)
  tally.fail(faultError(account))
  await history.save(tally)
}
