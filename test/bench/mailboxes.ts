// The mail in the bench's Dovecot, put there once per case. It is read once before the clock starts, so that no client pays for
// Dovecot's first look at a mailbox.
import { connect } from 'node:net'
import type { Dovecot } from '../servers/dovecot.ts'
import { makeMessage } from '../servers/mail.ts'
import { mailboxNames, type Waiting } from './cases.ts'

export async function fill(dovecot: Dovecot, waiting: Waiting): Promise<void> {
  const isLarge = waiting.sizeBytes > 1_000_000
  for (const user of mailboxNames(waiting)) {
    if ((await dovecot.remaining(user)) > 0) continue
    if (isLarge) for (let count = 0; count < waiting.messages; count++) await dovecot.seedLarge(user, waiting.sizeBytes)
    else await dovecot.seed(user, waiting.messages, (index) => makeMessage(index, waiting.sizeBytes))
    const listed = await warm(dovecot, user)
    if (listed !== waiting.messages)
      throw new Error(`Dovecot lists ${listed} messages for ${user}: ${await dovecot.log()}`)
  }
}

/** Lists the mailbox once; gives the number of messages. */
async function warm(dovecot: Dovecot, user: string): Promise<number> {
  const socket = connect(dovecot.pop3Port, '127.0.0.1')
  // Dovecot wants to see the answer to PASS before it is told more.
  const lines = [`USER ${user}`, `PASS ${dovecot.password}`, 'STAT', 'UIDL', 'LIST', 'QUIT']
  let text = ''
  for await (const chunk of socket.setEncoding('latin1') as AsyncIterable<string>) {
    text = (text + chunk).slice(-200_000_000)
    const isComplete = text.endsWith('\r\n')
    const next = isComplete ? lines.shift() : undefined
    if (next !== undefined) socket.write(`${next}\r\n`)
  }
  return Number(/^\+OK (\d+) \d+\r$/m.exec(text)?.[1] ?? -1)
}
