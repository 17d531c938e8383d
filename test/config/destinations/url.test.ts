import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DestinationKeys, kindOf, parseDestinationUrl } from '../../../src/config/destinations/destinations.ts'
import { destination } from '../../../src/config/destinations/schemas/destination.ts'
import { isUrl, parseSourceUrl } from '../../../src/config/destinations/url.ts'

const schema = destination((path) => path)

function keysOf(url: string): DestinationKeys {
  const parsed = parseDestinationUrl(url)
  if (parsed.kind === 'wrong') throw new Error(parsed.expected)
  return schema.parse(parsed.written)
}

describe('a mailbox as a URL', () => {
  test.each([
    ['pop3s://alice@pop.example.net', { host: 'pop.example.net', user: 'alice', tls: 'implicit' }],
    ['pop3s://alice@pop.example.net:1995/', { host: 'pop.example.net', user: 'alice', tls: 'implicit', port: 1995 }],
    ['pop3://alice@pop.example.net', { host: 'pop.example.net', user: 'alice', tls: 'starttls' }],
    ['pop3://alice@pop.example.net?tls=none', { host: 'pop.example.net', user: 'alice', tls: 'none' }],
    [
      'pop3s://alice@example.net@pop.example.net',
      { host: 'pop.example.net', user: 'alice@example.net', tls: 'implicit' },
    ],
    ['pop3s://alice%40example.net@[::1]:995', { host: '[::1]', user: 'alice@example.net', tls: 'implicit', port: 995 }],
    ['pop3s://DOMAIN/alice@h', { host: 'h', user: 'DOMAIN/alice', tls: 'implicit' }],
  ])('%s', (url, written) => {
    expect(parseSourceUrl(url)).toEqual({ kind: 'written', written })
  })

  test.each([
    'pop3s://pop.example.net',
    'pop3s://@pop.example.net:',
    'pop3s:alice@h',
    'pop3s://alice@h?tls=none',
    'pop3://alice@h?tsl=none',
    'pop3s://alice@h/inbox',
    'pop3s://al%ice@h',
    'imaps://alice@h',
    'alice@h',
  ])('%s is none', (url) => {
    expect(parseSourceUrl(url)).toMatchObject({ kind: 'wrong' })
  })

  test.each(['pop3s://alice:hunter2@h', 'smtp://alice:hunter2@h?to=a@b.c', 'smtp://alice:@h?to=a@b.c'])(
    '%s is refused for its password, without repeating it',
    (url) => {
      const parsed = url.startsWith('pop3') ? parseSourceUrl(url) : parseDestinationUrl(url)
      expect(parsed).toEqual({ kind: 'wrong', expected: expect.stringContaining('password') })
      expect(JSON.stringify(parsed)).not.toContain('hunter2')
    },
  )
})

describe('a destination as a URL', () => {
  test.each([
    ['maildir:/home/a/Mail', 'maildir:/home/a/Mail'],
    ['maildir:Mail/with space?and=%41#x', 'maildir:Mail/with space?and=%41#x'],
    ['maildir:///home/a/Mail', 'maildir:///home/a/Mail'],
    ['smtp://h?to=a+b@c.example', 'smtp://h:587?to=a+b@c.example'],
    ['smtp://localhost?to=a@b.c', 'smtp://localhost:25?to=a@b.c'],
    ['smtp://localhost?tls=starttls&to=a@b.c', 'smtp://localhost:587?to=a@b.c&tls=starttls'],
    ['smtp://h:2525/?to=a@b.c,d@e.f', 'smtp://h:2525?to=a@b.c,d@e.f'],
    ['smtp://h?to=a@b.c&to=d@e.f', 'smtp://h:587?to=a@b.c,d@e.f'],
    ['smtp://h?tls=none&to=a@b.c', 'smtp://h:25?to=a@b.c&tls=none'],
    ['lmtp:/run/dovecot/lmtp?to=alice', 'lmtp:/run/dovecot/lmtp?to=alice'],
    ['lmtp:/run/a%3Fb%25?to=alice,bob', 'lmtp:/run/a%3Fb%25?to=alice,bob'],
    ['lmtp://localhost?to=a@b.c', 'lmtp://localhost:24?to=a@b.c'],
    ['lmtp://127.0.0.1:2424?to=%7Baccount%7D', 'lmtp://127.0.0.1:2424?to={account}'],
    ['smtps://[::1]?to=%7Baccount%7D@b.c', 'smtps://[::1]:465?to={account}@b.c'],
  ])('%s is called %s', (url, name) => {
    expect(kindOf(keysOf(url)).canonicalUrl(keysOf(url))).toBe(name)
  })

  test.each([
    'maildir://~/Mail',
    'maildir://Mail',
    'smtp://h',
    'smtps://h?tls=none&to=a@b.c',
    'smtp:h?to=a@b.c',
    'lmtp:/run/lmtp',
    'lmtp:?to=alice',
    'lmtp:/run/%zz?to=alice',
    'lmtp:/run/lmtp?tls=none&to=alice',
    'mailto:a@b.c',
  ])('%s is none', (url) => {
    expect(parseDestinationUrl(url)).toMatchObject({ kind: 'wrong' })
  })

  test('its name means the same destination again, whatever is in it', () => {
    const atext = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/=?^_`|~-]{1,20}$/)
    const keys = fc.record({
      type: fc.constant('smtp'),
      host: fc.constantFrom('localhost', 'mx.example.net', '::1', '192.0.2.1'),
      tls: fc.constantFrom('none', 'starttls', 'implicit'),
      port: fc.integer({ min: 1, max: 65_535 }),
      user: fc.option(fc.stringMatching(/^[ -~é]{1,20}$/), { nil: undefined }),
      to: fc.uniqueArray(
        atext.map((local) => `${local}@b.example`),
        { minLength: 1, maxLength: 3 },
      ),
      from: fc.constant('original'),
    })
    fc.assert(
      fc.property(keys, (written) => {
        const config = schema.parse(written)
        expect({ ...keysOf(kindOf(config).canonicalUrl(config)), from: null }).toEqual({ ...config, from: null })
      }),
    )
  })
})

test.each([
  ['maildir:x', true],
  ['smtp://h', true],
  ['x:', true],
  ['inbox', false],
  ['~/a:b', false],
  ['/a:b', false],
])('whether %s means a URL is %s', (text, url) => {
  expect(isUrl(text)).toBe(url)
})
