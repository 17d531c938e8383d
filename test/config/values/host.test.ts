import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isLoopback, parseHost } from '../../../src/config/values/host.ts'

test.each([
  ['pop.example.net', 'pop.example.net'],
  ['POP.Example.NET', 'pop.example.net'],
  ['localhost', 'localhost'],
  ['mail_server', 'mail_server'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['192.0.2.1', '192.0.2.1'],
  ['2001:DB8::1', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
])('%s is the host %s', (text, host) => {
  expect(parseHost(text)).toBe(host)
})

test.each([
  '',
  ' ',
  'pop.example.net.',
  '.example.net',
  'pop..net',
  '-pop.example.net',
  'pop-.example.net',
  'pop.example.net:995',
  'pop3s://pop.example.net',
  'alice@pop.example.net',
  'pop example',
  'pop/example',
  'pop%41.example',
  '1.2.3',
  '1.2.3.256',
  '0127.0.0.1',
  '0x7f.0.0.1',
  '0x7f000001',
  'example.0x1',
  '[pop.example.net]',
  '[::1',
  'pop\r\n.example.net',
  'pop\0.example.net',
  `${'a'.repeat(64)}.example`,
  `${'a.'.repeat(127)}aa`,
])('%j is no host', (text) => {
  expect(parseHost(text)).toBeNull()
})

test('a host never holds anything but letters, digits and a few signs, and is itself the same host', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.ipV6(), fc.string({ unit: 'grapheme' })), (text) => {
      const host = parseHost(text)
      return host === null || (/^[a-z0-9._:%-]+$/i.test(host) && parseHost(host) === host)
    }),
  )
})

test.each(['localhost', '127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1'])(
  '%s is this machine itself',
  (host) => {
    expect(isLoopback(host)).toBe(true)
  },
)

test.each(['localhost.example.net', '128.0.0.1', '::2', '::ffff:127.0.0.1', 'fe80::1%lo', '127.example.net', ''])(
  '%j is not this machine as far as can be said',
  (host) => {
    expect(isLoopback(host)).toBe(false)
  },
)
