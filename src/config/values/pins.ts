// Fingerprints of certificates, as they are written. What may be written is values.ts.

/** As it is written: one is no list. */
export function pinKeys(pin: readonly string[] | null): string | readonly string[] | null {
  const [only = null, ...others] = pin ?? []
  return others.length === 0 ? only : pin
}
