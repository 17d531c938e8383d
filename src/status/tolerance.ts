// What a person or a monitor overlooks when it asks whether all is well (health.ts). Pure. It imports nothing, because the
// command line loads it with its options.

export interface Tolerance {
  /** What has been wrong for less than that is overlooked. */
  readonly graceMs: number
  /** So large a share of the accounts may fail, from 0 to 1. */
  readonly share: number
}

export const NONE_TOLERATED: Tolerance = { graceMs: 0, share: 0 }

/** A share of the accounts as `--tolerate 2%` and `/healthz?tolerate=2%` write it, from 0 to 1; null: it is not one. */
export function parseShare(text: string): number | null {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text) ?? []
  const percent = Number(digits)
  return digits === undefined || percent > 100 ? null : percent / 100
}
