// An imap destination of tests, in the test's own process and in one that is killed: nothing of vitest here.
import { randomUUID } from 'node:crypto'
import { openImap } from '../../../src/deliver/imap/imap.ts'
import { IMAP_LIMITS, type ImapConfig } from '../../../src/deliver/imap/settings.ts'
import { NOW_MS } from '../letters.ts'

export function imapAt(port: number, keys: Partial<ImapConfig> = {}, limitMs?: number) {
  const limits = Object.fromEntries(Object.entries(IMAP_LIMITS).map(([name, limit]) => [name, limitMs ?? limit]))
  return openImap(
    {
      host: '127.0.0.1',
      port,
      tls: 'none',
      ca: null,
      pin: null,
      tlsName: null,
      user: 'me',
      secret: () => Promise.resolve('secret'),
      byToken: false,
      sharing: randomUUID(),
      auth: 'auto',
      folder: 'INBOX',
      filling: { account: 'old-isp', mailbox: null },
      create: true,
      flags: [],
      labels: [],
      date: 'received',
      concurrency: 2,
      timeoutMs: null,
      maxSize: 3_000_000,
      trace: true,
      description: 'imap here',
      ...keys,
    },
    { nowMs: () => NOW_MS, prefix: () => '' },
    { ...IMAP_LIMITS, ...limits },
  )
}
