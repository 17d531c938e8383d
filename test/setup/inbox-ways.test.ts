import { describe, expect, test } from 'vitest'
import { PROVIDERS } from '../../src/providers.ts'
import { waysInto } from '../../src/setup/inbox-ways.ts'
import { SIGN_IN_PROVIDERS } from '../../src/sign-in-providers.ts'

describe('the ways into a mailbox', () => {
  test.each([
    ['bob@gmail.com', ['imap app password imap.gmail.com', 'api client -', 'smtp none -']],
    ['bob@outlook.com', ['imap client outlook.office365.com', 'smtp none -']],
    ['bob@fastmail.com', ['imap app password imap.fastmail.com', 'smtp none -']],
    ['bob@icloud.com', ['imap app password imap.mail.me.com', 'smtp none -']],
    ['bob@Me.Com', ['imap app password imap.mail.me.com', 'smtp none -']],
    ['bob@example.org', ['imap password -', 'smtp none -']],
    ['bob@posteo.de', ['imap password posteo.de', 'smtp none -']],
    ['bob@yahoo.com', ['imap app password imap.mail.yahoo.com', 'smtp none -']],
    ['bob@proton.me', ['smtp none -']],
  ])('%s', (address, expected) => {
    expect(waysInto(address).map(({ kind, wants, server }) => `${kind} ${wants} ${server?.host ?? '-'}`)).toEqual(
      expected,
    )
  })

  test.each(PROVIDERS.map(({ name, domains }) => [name, domains[0] ?? ''] as const))(
    'of %s each say what they cost',
    (_, domain) => {
      const ways = waysInto(`bob@${domain}`)
      expect(ways.at(-1)?.kind).toBe('smtp')
      for (const { kind, text, oauth, wants } of ways) {
        expect(text).toMatch(/^[^\p{Cc}]{30,400}$/u)
        // What is put into a folder is told to be neither filtered nor checked, what is sent to depend on SPF.
        expect(text).toMatch(kind === 'imap' ? /neither filtered nor checked/ : /SPF/)
        expect(wants === 'client').toBe(oauth !== null)
        if (oauth !== null) expect(SIGN_IN_PROVIDERS[oauth]?.client.length).toBeGreaterThan(0)
      }
    },
  )
})
