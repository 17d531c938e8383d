// How the time limits for mail servers follow from the configuration: `timeout` raises them and never lowers them. A client
// that gives up before the server has answered sends the same message again and again (D035, RFC 1047).

/** For a trial, which a person waits for: no step takes longer than `mostMs`. */
export function lowered<Limits extends object>(limits: Limits, mostMs: number): Limits {
  const entries = Object.entries(limits).map(([name, limit]) => [
    name,
    typeof limit === 'number' && name.endsWith('Ms') ? Math.min(limit, mostMs) : limit,
  ])
  return { ...limits, ...Object.fromEntries(entries) }
}

/** `fixed`: limits that it does not concern. */
export function raised<Limits extends object>(
  limits: Limits,
  timeoutMs: number | null,
  fixed: readonly (keyof Limits)[],
): Limits {
  if (timeoutMs === null) return limits
  const kept = new Set<PropertyKey>(fixed)
  const entries = Object.entries(limits).map(([name, limit]) => [
    name,
    typeof limit === 'number' && !kept.has(name) ? Math.max(limit, timeoutMs) : limit,
  ])
  return { ...limits, ...Object.fromEntries(entries) }
}
