// What this machine is called among those that share a ledger.
import { hostname } from 'node:os'
import type { Configuration } from '../../config/schema.ts'

/** As the configuration says, else its host name. */
export function machineName({ daemon }: Pick<Configuration, 'daemon'>): string {
  return daemon.machine ?? hostname()
}
