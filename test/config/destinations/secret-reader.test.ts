import { expect, test } from 'vitest'
import { secretReader } from '../../../src/config/destinations/kind.ts'
import type { SignIns, TokenRequest } from '../../../src/oauth/oauth.ts'

test.each([
  ['smtp', 'smtp'],
  ['lmtp', 'smtp'],
  ['imap', 'imap'],
  ['gmail', 'gmail'],
] as const)(
  'a destination of type %s asks for a token for %s, and for another one than was refused',
  async (type, use) => {
    const asked: TokenRequest[] = []
    const signIns: SignIns = {
      tokenFor(request) {
        asked.push(request)
        return Promise.resolve({ token: request.refused === null ? 'first' : 'second', signIn: 'x' })
      },
      state: () => Promise.reject(new Error('not asked')),
      mark: () => Promise.reject(new Error('not asked')),
    }
    const config = {
      name: 'd',
      type,
      user: 'a@example.org',
      password: null,
      token: { kind: 'oauth', client: 'c' } as const,
    }
    const read = secretReader(config, { account: 'x', env: {}, signIns, mailbox: null })
    expect(await read?.()).toBe('first')
    expect(await read?.('first')).toBe('second')
    expect(asked).toMatchObject([
      { client: 'c', user: 'a@example.org', use, refused: null },
      { client: 'c', user: 'a@example.org', use, refused: 'first' },
    ])
  },
)
