// How a ledger is to be opened, of either kind.
import type { Environment } from '../paths.ts'
import type { Configuration } from '../schema.ts'

export interface Opening {
  /** Nothing is made or changed. A file that is not there is an empty ledger; a database in which there is none is told. */
  readonly readOnly?: boolean
  /** `state.headers`; absent: `all`. */
  readonly headers?: Configuration['headers']
  /** `daemon.machine`; absent: the host's name. */
  readonly machine?: string
  /** Where a password may be. */
  readonly env: Environment
}
