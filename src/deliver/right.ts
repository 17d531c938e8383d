// The right to deliver, at the last moment: a process or its machine may have slept, and another one have taken over meanwhile. What
// no database can fence is a file that becomes visible. So it is complete where nobody looks, then the right is looked at, then it is
// published; whoever takes over removes what is not published yet before it delivers again (Destination.recall). A process that
// sleeps between the look and the publishing finds nothing there to publish.

/** See Lease of the ledger, which is one. */
export interface Right {
  /** Throws ERR_LEASE_LOST where somebody else may deliver the same by now. By a clock that counts sleep. */
  requireHeld(): void
}

/** Which of these deliveries may not become visible any more, and why. Each right is looked at once, for all that hangs on it. */
export function lostRights<Delivery extends { readonly right?: Right | undefined }>(
  deliveries: readonly Delivery[],
): ReadonlyMap<Delivery, unknown> {
  const looked = new Map<Right, { readonly why: unknown } | null>()
  const lost = new Map<Delivery, unknown>()
  for (const delivery of deliveries) {
    const { right } = delivery
    if (right === undefined) continue
    const known = looked.get(right)
    const state = known === undefined ? lookAt(right) : known
    looked.set(right, state)
    if (state !== null) lost.set(delivery, state.why)
  }
  return lost
}

/** Null: it is held. */
function lookAt(right: Right): { readonly why: unknown } | null {
  try {
    right.requireHeld()
    return null
  } catch (why) {
    return { why }
  }
}
