// Messages that are easily damaged on the way. Each is made from a number, so that what arrives can be compared with what was
// sent. And reading Maildirs back. Line ends are LF here, as in the files of both ends.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Message `index` of `sizeBytes` or a little more: dot lines, eight-bit text and long lines take turns. */
export function makeMessage(index: number, sizeBytes = 600): Buffer {
  const head = [
    'Return-Path: <sender@source.test>',
    'Received: from first.source.test (first.source.test [192.0.2.1])',
    '\tby mx.source.test with ESMTP id 4711;',
    `\tTue, ${String((index % 28) + 1).padStart(2, '0')} Oct 2024 10:00:00 +0200`,
    'Date: Tue, 01 Oct 2024 10:00:00 +0200',
    'From: "Sender, One" <sender@source.test>',
    'To: alice@source.test',
    `Message-ID: <${index}.4711@source.test>`,
    `Subject: =?ISO-8859-1?Q?Gr=FC=DFe?= number ${index}`,
    'X-Folded: one',
    ' two   ',
    '\tthree',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=iso-8859-1',
    'Content-Transfer-Encoding: 8bit',
    '',
    '',
  ].join('\n')
  const oddities = [
    '.\n..\n.leading dot\n...\n',
    'Gr\u00fc\u00dfe \u00e0 tous \u00ff\u0080\n',
    `${'long '.repeat(500)}\n`,
    'From the beginning of a line\n>From quoted\n',
    '\n\n  \n\t\n',
    '',
  ]
  const odd = oddities[index % oddities.length] ?? ''
  const line = `${'the quick brown fox jumps over the lazy dog '.repeat(2).slice(0, 71)}\n`
  const missing = Math.max(0, sizeBytes - head.length - odd.length)
  return Buffer.from(head + odd + line.repeat(Math.ceil(missing / line.length)), 'latin1')
}

/** With bytes that a Maildir must keep and SMTP may not carry: a bare CR and NUL (P116). */
export function makeOddMessage(index: number): Buffer {
  return Buffer.concat([makeMessage(index), Buffer.from('bare\rreturn, nul \0, and an end\r without line feed\n')])
}

/** Every message in a Maildir's new/ and cur/, by Message-ID. Rejects when one is there twice or something lies in tmp/. */
export async function readMaildir(path: string): Promise<Map<string, Buffer>> {
  const messages = new Map<string, Buffer>()
  for (const part of ['new', 'cur']) {
    for (const name of await readdir(join(path, part))) {
      const message = await readFile(join(path, part, name))
      const id = messageId(message)
      if (messages.has(id)) throw new Error(`${id} is in ${path} twice`)
      messages.set(id, message)
    }
  }
  const unfinished = await readdir(join(path, 'tmp'))
  if (unfinished.length > 0) throw new Error(`${path}/tmp still has ${unfinished.length} files`)
  return messages
}

export function messageId(message: Buffer): string {
  return /^Message-ID: <([^>]+)>/m.exec(message.toString('latin1', 0, 4_096))?.[1] ?? 'none'
}

/** The message without the topmost header field, which must be a Received field. */
export function withoutTrace(message: Buffer): Buffer {
  if (!message.toString('latin1', 0, 9).startsWith('Received:')) {
    throw new Error(
      `a message begins with ${JSON.stringify(message.toString('latin1', 0, 60))}, not with a Received field`,
    )
  }
  return afterField(message)
}

/** The message without its first header field, continuation lines included (RFC 5322 2.2.3). */
export function afterField(message: Buffer): Buffer {
  let at = message.indexOf(10) + 1
  while (message[at] === 0x20 || message[at] === 0x09) at = message.indexOf(10, at) + 1
  return message.subarray(at)
}

/** The numbers of the messages that differ from what `makeMessage` makes or are not there; [] when all is well. */
export function damaged(arrived: ReadonlyMap<string, Buffer>, count: number, original = makeMessage): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index)
  return numbers.filter((index) => {
    const message = arrived.get(messageId(original(index)))
    return message === undefined || !withoutTrace(message).equals(original(index))
  })
}
