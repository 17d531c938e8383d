// Pinned certificates: whether the one that came is among them, and the words for one that is not. Pure.
// The one rule: only the digest of the whole leaf decides. A chain that is good, or the right key, changes the words alone.

/** Of a certificate, what is compared and told. */
interface Leaf {
  readonly fingerprint: string
  readonly keyFingerprint: string
  readonly validFromMs: number
  readonly validToMs: number
}

/** What came instead of a pinned certificate, and what to do. Both are safe to print. */
export interface NotPinned {
  readonly came: string
  readonly next: string
}

/** `pin`: lower-case digests. */
export function isPinned(pin: readonly string[], { fingerprint }: Pick<Leaf, 'fingerprint'>): boolean {
  return pin.includes(fingerprint)
}

/** More digests in one text are not read by anybody. */
const MOST_NAMED = 3

/** `isTrusted`: would the certificate do without a pin, by chain, name and date? */
export function notPinned(
  pin: readonly string[],
  { fingerprint, keyFingerprint, validFromMs, validToMs }: Leaf,
  { isTrusted, nowMs }: { readonly isTrusted: boolean; readonly nowMs: number },
): NotPinned {
  const isFew = pin.length <= MOST_NAMED
  const expected =
    pin.length === 1 ? `SHA-256 ${pin[0]}` : `one of the ${pin.length} in pin${isFew ? ` (${pin.join(', ')})` : ''}`
  const valid = `${validFromMs > nowMs ? `valid from ${day(validFromMs)}` : `valid until ${day(validToMs)}`}${
    validToMs < nowMs ? ', which is over' : ''
  }`
  const came = `its certificate is not the pinned one: expected ${expected}, but it has ${fingerprint}, ${valid}`
  if (pin.includes(keyFingerprint))
    return { came, next: `pin has the digest of its key, and takes that of the certificate: pin: ${fingerprint}` }
  // Both at once: some of a server's machines may still show the old one, and a mistake is undone by removing a line.
  const line = isFew
    ? `keep the old one beside it for now: pin: [${[...pin, fingerprint].join(', ')}]`
    : 'add it to pin'
  return {
    came,
    next: isTrusted
      ? `an authority that is trusted here signed it for this name, so it was probably renewed: compare it with what the owner says, then ${line}`
      : `if its owner says that this is the new one, ${line}`,
  }
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
