// The mail of a whole domain in one mailbox, for tests with real IMAP servers: for whom each message is, and how its folder is called
// there.
import { createHash } from 'node:crypto'
import { makeMessage } from './mail.ts'

/** Names with dots, with signs that folders may not have, and such as servers use themselves. */
const ODD = ['inbox', 'trash', "o'hara", 'a/b', 'x*y', '%', 'jürgen', 'a.b.c']

/** Who has mail in a mailbox of `count` addresses. */
export function localParts(count: number): readonly string[] {
  const plain = Array.from({ length: count }, (_, at) => (at % 2 === 0 ? `first.last${at}` : `user${at}`))
  return [...ODD, ...plain].slice(0, count)
}

/** Message `at`, for one of them in turn. */
export function letterFor(locals: readonly string[], at: number): Buffer {
  const to = `X-Original-To: <${locals[at % locals.length]}@example.org>\n`
  return Buffer.concat([Buffer.from(to), makeMessage(at)])
}

/** `{local}` in the name of a folder, where `delimiter` stands between levels. */
export function folderOf(local: string, delimiter: string): string {
  if (/^[a-z0-9][a-z0-9._-]*$/.test(local)) return local.replaceAll(delimiter, ',')
  const hash = createHash('sha256').update(local).digest('hex').slice(0, 16)
  return `${local.replaceAll(/[^a-z0-9_-]/g, '_')}=${hash}`
}

export const recipient = { header: 'X-Original-To', domains: ['example.org'], otherwise: 'post@example.org' }
