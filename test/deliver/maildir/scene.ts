// What the tests of a Maildir share: a Maildir that is open, and messages received through a spool.
import fs from 'node:fs'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import type { Attempt, Destination } from '../../../src/deliver/destination.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { type MaildirConfig, type MaildirContext, openMaildir } from '../../../src/deliver/maildir/maildir.ts'
import { Spool } from '../../../src/deliver/spool.ts'
import type { Message } from '../../../src/message.ts'
import type { FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import { directory, never, NOW_MS } from '../scene.ts'

export * from '../scene.ts'

export const HOUR_MS = 3_600_000
export const ON_TOP =
  'Received: from pop by laptop\r\n\t(popfetch); Tue, 24 Nov 2026 13:10:22 +0000\r\nX-Popfetch-Account: a\r\n'

export interface Scene {
  readonly root: string
  readonly maildir: Destination
  readonly files: (folder?: 'tmp' | 'new' | 'cur') => readonly string[]
  /** The only file in new/. */
  readonly read: () => Buffer
}

export async function open(
  changes: { config?: Partial<MaildirConfig>; context?: Partial<MaildirContext> } = {},
): Promise<Scene> {
  const root = changes.config?.path ?? path.join(directory(), 'Mail')
  const maildir = openMaildir(
    {
      path: root,
      create: true,
      lineEndings: 'lf',
      mode: 0o600,
      date: 'received',
      description: 'maildir ~/Mail',
      ...changes.config,
    },
    { hostName: 'laptop', nowMs: () => NOW_MS, prefix: () => '', reserve: new Reserve(), ...changes.context },
  )
  onTestFinished(() => maildir[Symbol.asyncDispose]())
  await maildir.ready(never)
  const files = (folder: 'tmp' | 'new' | 'cur' = 'new'): readonly string[] => fs.readdirSync(path.join(root, folder))
  return { root, maildir, files, read: () => fs.readFileSync(path.join(root, 'new', files()[0]!)) }
}

/** Received through a spool, as a poll does it. */
export async function spooled(spool: Spool, bytes: Buffer): Promise<Message> {
  for (let at = 0; at < bytes.length; at += 65_536) await spool.write(bytes.subarray(at, at + 65_536))
  return await spool.complete(NOW_MS)
}

export function spoolFor(maildir: Destination | null, at: string, tried: Attempt, faults?: FaultyFileSystems): Spool {
  const given = { origin: tried.origin, attempt: maildir === null ? null : tried, maxSizeBytes: null, signal: never }
  const place = maildir?.spool ?? null
  return new Spool({
    ...given,
    place,
    directory: path.join(at, 'spool'),
    reserve: new Reserve(),
    ...(faults === undefined ? {} : { fileSystem: faults.offLoop }),
  })
}
