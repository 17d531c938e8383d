// The steps that lead to the tables and functions of this version. `ledger.version` counts those that a schema has been through. A step
// that was released is never edited: add another one below it. Steps only add, and a function that changes gets another number, so
// that the version before goes on working beside this one (K14); what takes away waits for `popfetch state upgrade`.
import { ACCOUNT_FUNCTIONS } from './account-functions.ts'
import { BATCH } from './batch-function.ts'
import { IDENTITY_FUNCTIONS, RETRY_WITH_MACHINE } from './identity-functions.ts'
import { entrances, leaseFunctions } from './lease-functions.ts'
import { BEGIN_WITH_MACHINE, MESSAGE_FUNCTIONS } from './message-functions.ts'
import { SIGN_INS, TABLES } from './tables.ts'

export interface Step {
  readonly sql: string
  /** The oldest version that can go on working on a schema after this step; its own number where none before it can. */
  readonly oldest: number
}

/** This version knows so many steps, and calls `usable`, `claim` and `batch` by this number. */
export const KNOWN = 3

const FIRST = [TABLES, MESSAGE_FUNCTIONS, IDENTITY_FUNCTIONS, ACCOUNT_FUNCTIONS, leaseFunctions(1), BATCH].join('\n')

// Where each attempt was made: only there is the Maildir or the mbox that may have the message. The version before goes on: of its
// attempts nobody knows where they were made, so they are looked for as it looks for them.
const SECOND = [
  'ALTER TABLE @.delivery ADD COLUMN machine bytea;',
  BEGIN_WITH_MACHINE,
  RETRY_WITH_MACHINE,
  entrances(2, BATCH),
].join('\n')

// Sign-ins: the version before has them in files of its machine, and goes on with these. What is paused comes with a lease.
const THIRD = [SIGN_INS, entrances(KNOWN, BATCH)].join('\n')

export const MIGRATIONS: readonly Step[] = [
  { sql: FIRST, oldest: 1 },
  { sql: SECOND, oldest: 1 },
  { sql: THIRD, oldest: 1 },
]
