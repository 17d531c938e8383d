// Which part of many accounts somebody looks at: the names that contain a text, and one page of them. It is in the address of the page, so
// that it stays when the page is renewed, and works without a script. Pure.
import type { AccountStatus, Status } from '../../../status/status.ts'
import { inOrder } from '../../../status/order.ts'

/** More accounts are on the next pages. */
export const ACCOUNTS_SHOWN = 100

/** What the address asks for. */
export interface View {
  /** '': all accounts. */
  readonly search: string
  /** From 1. */
  readonly page: number
}

export const FIRST_VIEW: View = { search: '', page: 1 }

/** What there is of it. */
export interface Shown {
  readonly search: string
  readonly accounts: readonly AccountStatus[]
  /** From 1, and not behind the last. */
  readonly page: number
  readonly pages: number
  /** The place of the first one, from 0. */
  readonly from: number
  /** How many there are on all pages. */
  readonly found: number
  /** Is there more than fits a page? */
  readonly isPart: boolean
}

export function viewOf(query: URLSearchParams): View {
  const page = Number(query.get('page') ?? '1')
  return { search: (query.get('q') ?? '').trim(), page: Number.isSafeInteger(page) && page > 0 ? page : 1 }
}

/** The address of a view, relative to the page's. */
export function addressOf({ search, page }: View): string {
  const query = new URLSearchParams()
  if (search !== '') query.set('q', search)
  if (page !== 1) query.set('page', String(page))
  return query.size === 0 ? './' : `?${query.toString()}`
}

export function shownOf({ accounts, nowMs }: Pick<Status, 'accounts' | 'nowMs'>, { search, page: asked }: View): Shown {
  const wanted = search.toLowerCase()
  const found = wanted === '' ? accounts : accounts.filter(({ account }) => account.toLowerCase().includes(wanted))
  const pages = Math.max(1, Math.ceil(found.length / ACCOUNTS_SHOWN))
  const page = Math.min(asked, pages)
  const from = (page - 1) * ACCOUNTS_SHOWN
  return {
    search,
    accounts: inOrder(found, nowMs).slice(from, from + ACCOUNTS_SHOWN),
    page,
    pages,
    from,
    found: found.length,
    isPart: accounts.length > ACCOUNTS_SHOWN || search !== '',
  }
}
