// The steps that lead to the tables and functions of this version. `ledger.version` counts those that a schema has been through. A step
// that was released is never edited: add another one below it. Steps only add, and a function that changes gets another number, so
// that the version before goes on working beside this one (K14); what takes away waits for `popfetch state upgrade`.
import { ACCOUNT_FUNCTIONS } from './account-functions.ts'
import { BATCH } from './batch-function.ts'
import { IDENTITY_FUNCTIONS } from './identity-functions.ts'
import { leaseFunctions } from './lease-functions.ts'
import { MESSAGE_FUNCTIONS } from './message-functions.ts'
import { TABLES } from './tables.ts'

export interface Step {
  readonly sql: string
  /** The oldest version that can go on working on a schema after this step; its own number where none before it can. */
  readonly oldest: number
}

/** The functions of this version know so many steps. */
const KNOWN = 1

const FIRST = [TABLES, MESSAGE_FUNCTIONS, IDENTITY_FUNCTIONS, ACCOUNT_FUNCTIONS, leaseFunctions(KNOWN), BATCH].join(
  '\n',
)

export const MIGRATIONS: readonly Step[] = [{ sql: FIRST, oldest: 1 }]
