// `first`: what the very first poll of an account takes, as it is written and as it is meant. Pure.

/** What the very first poll of an account takes. `default`: nothing was written, which means all (and ERR_FIRST_POLL). */
export type FirstPolicy =
  | { readonly kind: 'default' }
  | { readonly kind: 'all' }
  | { readonly kind: 'new' }
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'since'; readonly sinceMs: number }

export const FIRST = /^(?:all|new|last:[1-9]\d{0,8}|since:\d{4}-\d\d-\d\d)$/
export const FIRST_WORDS = 'all, new, last:N such as last:100, or since:DATE such as since:2026-11-01'

/** `text`: it matches FIRST. Null: there is no such day. */
export function firstOf(text: string): FirstPolicy | null {
  if (text === 'all' || text === 'new') return { kind: text }
  if (text.startsWith('since:')) {
    const sinceMs = Date.parse(`${text.slice('since:'.length)}T00:00:00Z`)
    // A day that its month does not have would become another day.
    return sinceText(sinceMs) === text ? { kind: 'since', sinceMs } : null
  }
  return { kind: 'last', count: Number(text.slice('last:'.length)) }
}

/** As it is written. */
export function sinceText(sinceMs: number): string {
  return Number.isNaN(sinceMs) ? '' : `since:${new Date(sinceMs).toISOString().slice(0, 10)}`
}

/** As `first` is written; null: it is not one. */
export function parseFirst(text: string): FirstPolicy | null {
  return FIRST.test(text) ? firstOf(text) : null
}
