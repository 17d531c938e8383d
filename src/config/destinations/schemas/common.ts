// Keys that every kind of destination has: its schema ends with them.
import * as value from '../../values/values.ts'

/** Of `shared`, which those have that are files of a machine. */
export const SHARED = 'All machines that share a ledger see the same files there (NFS)'

export const common = {
  trace: value.flag.default(true).describe('Adds a Received field on top of each message'),
  label: value.flag.default(false).describe('Adds the field X-Popfetch-Account: NAME'),
}
