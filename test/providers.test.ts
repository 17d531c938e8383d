// The table of providers as a whole, and that `init` and `check` read the same in it.
import { describe, expect, test } from 'vitest'
import type { Account } from '../src/config/schema.ts'
import { PopfetchError } from '../src/errors.ts'
import { diagnose } from '../src/poll/check/diagnosis.ts'
import { enablePopText, firstSteps, PROVIDERS, providerAt, providerOf, secretText } from '../src/providers.ts'
import type { Server } from '../src/providers.ts'
import { SIGN_IN_PROVIDERS } from '../src/sign-in-providers.ts'
import { discover } from '../src/setup/discover.ts'
import { Scene } from './config/scene.ts'

const domains = PROVIDERS.flatMap((provider) => provider.domains)
const offline = { srv: () => Promise.resolve(null), page: () => Promise.resolve(null) }

const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/

describe('the table', () => {
  test('names sign-ins that are known, each but Comcast’s, of which popfetch knows no server', () => {
    const named = PROVIDERS.flatMap(({ oauth }) => (oauth === null ? [] : [oauth]))
    expect([...named, 'comcast'].toSorted()).toEqual(Object.keys(SIGN_IN_PROVIDERS).toSorted())
    for (const { authorization, token, device, revocation, issuer } of Object.values(SIGN_IN_PROVIDERS)) {
      for (const address of [authorization, token, device, revocation, issuer]) {
        if (address !== null) expect(new URL(address.replace('{tenant}', 'common')).protocol).toBe('https:')
      }
    }
  })

  test('has each domain, and each pattern of hosts and exchangers, once', () => {
    for (const all of [domains, PROVIDERS.flatMap(({ hosts }) => hosts), PROVIDERS.flatMap(({ mx }) => mx)]) {
      expect(all.filter((domain, at) => all.indexOf(domain) !== at)).toEqual([])
      expect(all.filter((domain) => !DOMAIN.test(domain))).toEqual([])
    }
  })

  test('has no entry that shows through another: a server is known as its own provider’s', () => {
    for (const provider of PROVIDERS) {
      for (const server of [provider.pop, provider.imap, provider.smtp]) {
        if (server !== null) expect(providerAt(server.host, 'x')?.name).toBe(provider.name)
      }
    }
  })

  test.each(PROVIDERS.map((provider) => [provider.domains[0], provider] as const))(
    'has in the entry of %s all that is asked of it',
    (_, { name, pop, imap, smtp, wants, enablePop, help, limits, ended }) => {
      expect(name).not.toBe('')
      expect(wants).not.toBe('')
      expect([110, 995]).toContain(pop?.port ?? 995)
      expect([143, 993]).toContain(imap?.port ?? 993)
      expect([465, 587]).toContain(smtp?.port ?? 465)
      for (const server of [pop, imap, smtp]) if (server !== null) expect(server.tls).toBe(usualTls(server))
      // A text stands within a line of ours.
      for (const text of [name, wants, enablePop, limits.text, ended.passwords, ended.fetcher]) {
        expect(text ?? 'none').toMatch(/^\S(.*[^\s.:;])?$/)
      }
      if (help !== null) expect(new URL(help).protocol).toBe('https:')
      if (limits.intervalMs !== null) expect(limits.intervalMs % 60_000).toBe(0)
    },
  )

  test('says of a provider without POP3 that it has none', () => {
    const without = PROVIDERS.filter(({ pop }) => pop === null)
    expect(without.length).toBeGreaterThan(0)
    for (const { wants } of without) expect(wants).toMatch(/^nothing: .*(?:no|neither).* POP3/)
  })
})

/** An account like any other; host and user are each test's own. */
const accounts: Promise<readonly Account[]> = (async () => {
  await using scene = await Scene.create()
  const keys = 'host: pop.example.net, user: x, password: {env: P}, deliver: "maildir:/mail"'
  return (await scene.load(`accounts:\n  a: {${keys}}\n`)).accounts
})()

function usualTls({ port }: Server): Server['tls'] {
  return [995, 993, 465].includes(port) ? 'implicit' : 'starttls'
}

test.each([
  ['pop.gmail.com', 'x', 'Gmail'],
  ['notgmail.com', 'x', null],
  ['pop.example.net', 'x@GMAIL.COM', 'Gmail'],
  ['pop.example.net', 'x@sub.gmail.com', null],
  ['pop.example.net', 'gmail.com', null],
  ['pop.google.com', 'x@example.org', 'Gmail'],
  ['outlook.office365.com', 'x@example.org', 'Outlook.com and Microsoft 365'],
])('the provider of %s and %s is %s', (host, user, name) => {
  expect(providerAt(host, user)?.name ?? null).toBe(name)
})

describe.each(domains)('of %s init and check say the same:', (domain) => {
  const address = `alice@${domain}`
  const provider = providerOf(domain)
  if (provider === null) throw new Error(`${domain} is not found`)

  const advice = async (code: 'ERR_AUTH' | 'ERR_TIMEOUT', host: string, user: string): Promise<string> => {
    const error = new PopfetchError(code, 'no', { scope: 'account', retry: 'later' })
    const [any] = await accounts
    if (any === undefined) throw new Error('no account')
    const given = diagnose(
      error,
      { ...any, host, user },
      {
        session: null,
        endpoints: [],
        certificate: null,
        nowMs: 0,
        byApplication: false,
      },
    )
    return given.map(({ cause, next }) => `${cause} → ${next}`).join('\n')
  }

  test('which server it is, and which user', async () => {
    const found = await discover(address, offline)
    expect(found.provider).toBe(provider)
    const text = await advice('ERR_TIMEOUT', 'pop.example.net', address)
    if (found.server === null) {
      expect(text).toContain(`${provider.name} is known to popfetch`)
      return
    }
    const { host, port, tls, user } = found.server
    expect(text).toContain(`set host: ${host} (port ${port}, tls: ${tls})`)
    // With what init writes check finds nothing to correct.
    expect(await advice('ERR_TIMEOUT', host, user)).not.toContain('set host')
    expect(await advice('ERR_AUTH', host, user)).not.toContain('try user')
  })

  test('what has to be switched on, and what it wants for a password', async () => {
    const text = await advice('ERR_AUTH', provider.pop?.host ?? 'pop.example.net', address)
    const [enable, steps] = [enablePopText(provider), firstSteps(provider) ?? '']
    expect(text).toContain(`${provider.name} requires ${secretText(provider)}`)
    if (enable !== null)
      expect([text, steps]).toEqual([expect.stringContaining(enable), expect.stringContaining(enable)])
    if (secretText(provider) !== 'the usual password') expect(steps).toContain(secretText(provider))
  })
})
