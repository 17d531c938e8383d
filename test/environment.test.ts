import { describe, expect, test } from 'vitest'
import { refuseUnsafeEnvironment } from '../src/environment.ts'
import { World } from './cli/world.ts'

const UNSAFE: readonly Readonly<Record<string, string>>[] = [
  { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  { NODE_OPTIONS: '--tls-min-v1.0' },
  { NODE_OPTIONS: '--max-old-space-size=200 --tls_min_v1.1' },
  { NODE_OPTIONS: '--tls-cipher-list=NULL' },
  { NODE_OPTIONS: '"--tls-keylog=/tmp/keys"' },
  { NODE_OPTIONS: '--trace-tls' },
  { NODE_OPTIONS: '--security-revert=CVE-2023-46809' },
  { NODE_OPTIONS: '--insecure-http-parser' },
  { NODE_OPTIONS: '--openssl-legacy-provider' },
  { NODE_OPTIONS: '--inspect=0.0.0.0:9229' },
  { NODE_DEBUG: 'http' },
  { NODE_DEBUG_NATIVE: 'tls' },
]

describe('a variable that takes protection away is refused, with the word that mends it', () => {
  test.each(UNSAFE)('%j', (env) => {
    const [name = ''] = Object.keys(env)
    expect(() => refuseUnsafeEnvironment(env)).toThrow(new RegExp(`^starting: .*${name}.*: unset it$`))
  })

  test.each([
    '',
    'status',
    'check work',
    'config check',
    'init',
    'migrate pop3s://a@b maildir:c',
    'import mpop',
    '--daemon',
  ])('by every command: popfetch %s', async (line) => {
    await using world = await World.make()
    world.env = { NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    expect(await world.run(line)).toBe(78)
    expect(world.stderr.text).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0 switches certificate checks off')
    expect(world.asked).toEqual([])
  })
})

test('other options of Node are no concern of ours', () => {
  const NODE_OPTIONS = '--max-old-space-size=200 --use-openssl-ca --no-warnings'
  expect(() => refuseUnsafeEnvironment({ NODE_OPTIONS, NODE_TLS_REJECT_UNAUTHORIZED: '1' })).not.toThrow()
})
