// Pinned certificates at every kind of server that mail goes to.
import { expect, test } from 'vitest'
import type { Destination } from '../../src/deliver/destination.ts'
import { ca, certificates } from '../support/certificates.ts'
import { ImapServer } from '../support/imap-server.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { imapAt } from './imap/imap-settings.ts'
import { closed, destination, failure, never } from './smtp/scene.ts'

interface Keys {
  readonly tls: 'implicit' | 'starttls'
  readonly pin: readonly string[]
  readonly ca: string | null
}

interface Kind {
  readonly start: (tls: Keys['tls']) => Promise<{ readonly port: number; heard(): string }>
  readonly open: (port: number, keys: Keys) => Destination
}

async function sink(tls: Keys['tls'], lmtp: boolean) {
  const server = closed(await SmtpSink.start({ tls, lmtp, certificate: 'good' }))
  return { port: server.port, heard: () => (server.messages.length === 0 ? '' : 'mail') }
}

const KINDS: Readonly<Record<'smtp' | 'lmtp' | 'imap', Kind>> = {
  smtp: { start: (tls) => sink(tls, false), open: (port, keys) => destination(port, keys) },
  lmtp: { start: (tls) => sink(tls, true), open: (port, keys) => destination(port, { ...keys, protocol: 'lmtp' }) },
  imap: {
    async start(tls) {
      const server = closed(await ImapServer.start({ tls, certificate: 'good' }))
      return {
        port: server.port,
        heard: () => server.said.filter((line) => /LOGIN|AUTHENTICATE/i.test(line)).join('\n'),
      }
    },
    open: (port, keys) => closed(imapAt(port, keys)),
  },
}

const { pin: right } = certificates.good
const { pin: other } = certificates.client
const { pin: another } = certificates.rsa

const ROWS = (['smtp', 'lmtp', 'imap'] as const).flatMap((kind) =>
  (['implicit', 'starttls'] as const).map((tls) => ({ kind, tls })),
)

test.each(ROWS)('any certificate of a list is accepted: $kind, $tls', async ({ kind, tls }) => {
  const server = await KINDS[kind].start(tls)
  for (const pin of [[right], [right, other], [other, right], [other, another, right, right]])
    await KINDS[kind].open(server.port, { tls, pin, ca: null }).ready(never)
})

test.each(ROWS)('one that is not in the list gets nothing, and is told with what to do: $kind, $tls', async (row) => {
  const { kind, tls } = row
  const server = await KINDS[kind].start(tls)
  for (const [authorities, why] of [
    [null, 'if its owner says that this is the new one'],
    [ca, 'it was probably renewed'],
  ] as const) {
    const keys = { tls, pin: [other], ca: authorities }
    const error = await failure(KINDS[kind].open(server.port, keys).ready(never))
    expect(error).toMatchObject({ conclusion: 'TLS', verdict: 'temporary', scope: 'destination' })
    expect(error.message).toContain(`expected SHA-256 ${other}, but it has ${right}, valid until`)
    expect(error.message).toContain(why)
    expect(error.message).toMatch(new RegExp(`pin: \\[${other}, ${right}\\]$`))
  }
  expect(server.heard()).toBe('')
})
