// Which of many accounts the page shows, and how large it is.
import { expect, test } from 'vitest'
import { ACCOUNTS_SHOWN, addressOf, FIRST_VIEW, shownOf, viewOf } from '../../../src/daemon/http/page/view.ts'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import { failing, record, REFUSED_SIGN_IN, status } from '../../status/scene.ts'
import { anyPort, get, ledger, noNames, watched } from './scene.ts'

const names = Array.from({ length: 2 * ACCOUNTS_SHOWN + 30 }, (_, at) => `account-${String(at).padStart(3, '0')}`)
const many = status({
  records: names.map((name) => (name.endsWith('9') ? failing(name, REFUSED_SIGN_IN) : record(name))),
  unsettled: new Map([['account-228', { waiting: 0, refused: 0, held: 1, undeleted: 0 }]]),
})

test('accounts that need a person come first, then those of which messages are told', () => {
  const { accounts, pages, found } = shownOf(many, FIRST_VIEW)
  expect([accounts.length, pages, found]).toEqual([ACCOUNTS_SHOWN, 3, names.length])
  const first = accounts.map(({ account }) => account).slice(0, 25)
  expect(first.slice(0, 23).every((name) => name.endsWith('9'))).toBe(true)
  expect(first.slice(23)).toEqual(['account-228', 'account-000'])
})

test('every account is on one page, and on one alone', () => {
  const pages = [1, 2, 3].map((page) => shownOf(many, { search: '', page }).accounts.map(({ account }) => account))
  expect(pages.flat().toSorted()).toEqual(names)
})

test.each([
  ['', FIRST_VIEW],
  ['q=%20Account-0%20', { search: 'Account-0', page: 1 }],
  ['q=a&page=2', { search: 'a', page: 2 }],
  ['page=0', FIRST_VIEW],
  ['page=-1', FIRST_VIEW],
  ['page=1e99', FIRST_VIEW],
  ['page=x', FIRST_VIEW],
])('the address %j asks for %j', (query, view) => {
  expect(viewOf(new URLSearchParams(query))).toEqual(view)
})

test('a view comes back from its own address, whatever was searched for', () => {
  for (const view of [FIRST_VIEW, { search: '"><b>&=+ %', page: 3 }])
    expect(viewOf(new URL(addressOf(view), 'http://nas.example/').searchParams)).toEqual(view)
})

test('a page behind the last is the last, and a search finds names by any part, in any case', () => {
  expect(shownOf(many, { search: '', page: 99 })).toMatchObject({ page: 3, from: 2 * ACCOUNTS_SHOWN })
  expect(shownOf(many, { search: 'COUNT-01', page: 1 })).toMatchObject({ found: 10, pages: 1, isPart: true })
  expect(shownOf(many, { search: 'nobody', page: 1 })).toMatchObject({ found: 0, pages: 1, page: 1, accounts: [] })
})

test('the page of ten thousand accounts that all fail is no larger than that of a few hundred', async () => {
  const sizeOf = async (count: number): Promise<number> => {
    const all = Array.from({ length: count }, (_, at) =>
      failing(`account-${at}`, { code: 'ERR_CONNECT', message: `no answer from host ${at}`, retry: 'soon' }),
    )
    const configured = all.map(({ name }) => name)
    const world = { ...watched, configured, ledger: { ...ledger, accounts: () => Promise.resolve(all) } }
    await using server = await HttpServer.listen(anyPort, noNames, world)
    return (await get(server.port, '/')).text.length
  }
  expect(await sizeOf(10_000)).toBeLessThan(1.1 * (await sizeOf(300)))
})

test('a form is allowed where there is the search, and leads nowhere else', async () => {
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  const policy = async (path: string) =>
    (await fetch(`http://127.0.0.1:${server.port}${path}`)).headers.get('content-security-policy')
  expect(await policy('/')).toContain("form-action 'none'")
  expect(await policy('/?q=work')).toContain("form-action 'self'")
})
