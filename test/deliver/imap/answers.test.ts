// Every answer of ANSWERS.md at every step of a delivery, with servers of several kinds: nothing is believed that was not said, a
// message is there once in the end, and nobody waits for ever.
import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../../src/errors.ts'
import type { ImapConfig } from '../../../src/deliver/imap/settings.ts'
import { ImapServer } from '../../support/imap-server.ts'
import { attempt, message, never, SMALL } from '../scene.ts'
import { imapAt } from './imap-settings.ts'

const CODES = [
  'ALERT',
  'ALREADYEXISTS',
  'AUTHENTICATIONFAILED',
  'AUTHORIZATIONFAILED',
  'CANNOT',
  'CLIENTBUG',
  'CONTACTADMIN',
  'EXPIRED',
  'INUSE',
  'LIMIT',
  'NONEXISTENT',
  'NOPERM',
  'OVERQUOTA',
  'PRIVACYREQUIRED',
  'READ-ONLY',
  'SERVERBUG',
  'TOOBIG',
  'TRYCREATE',
  'UNAVAILABLE',
]

const WORDS: readonly string[] = [
  'NO no',
  'BAD what',
  'NO Mailbox is full, quota exceeded',
  'NO Message contains invalid header',
  'NO [] no',
  'NO [UNHEARD-OF (a "b")] no',
  '* BYE going down',
  '* BYE [UNAVAILABLE] later',
  'drop',
  'lost',
]

const PLAIN = 'UIDPLUS NAMESPACE AUTH=PLAIN SASL-IR'

const KINDS: readonly (readonly [string, string, Partial<ImapConfig>])[] = [
  ['LITERAL+ and MULTIAPPEND', `LITERAL+ MULTIAPPEND ${PLAIN}`, { folder: 'Old' }],
  ['LITERAL-', `LITERAL- ${PLAIN}`, { folder: 'Old', flags: ['\\Seen'] }],
  ['neither', PLAIN, { folder: 'Old' }],
  ['neither, nor UIDPLUS or NAMESPACE', 'AUTH=PLAIN', {}],
  ['labels', `LITERAL+ X-GM-EXT-1 ${PLAIN}`, { labels: ['Work'] }],
]

/** One delivery in which the server says `answer` at `step`, and what becomes of the message then. False: it has no such step. */
async function tried(capabilities: string, keys: Partial<ImapConfig>, step: number, answer: string): Promise<boolean> {
  await using server = await ImapServer.start({ capabilities })
  await using imap = imapAt(server.port, keys)
  const there = (): number => [...server.folders.values()].reduce((sum, { messages }) => sum + messages.length, 0)
  let steps = 0
  let what = ''
  server.answer = ({ command }) => {
    if (command === 'LOGOUT' || ++steps !== step) return null
    what = command
    return command === 'GREETING' && /^(?:NO|BAD)/.test(answer) ? `* BYE ${answer}` : answer
  }
  const one = attempt()
  const about = (): string => `step ${step}, ${what}: ${answer}`
  const error = await imap
    .ready(never)
    .then(() => imap.deliver(one, message(SMALL), never))
    .then(
      () => null,
      (thrown: unknown) => thrown,
    )
  if (error !== null) {
    expect(error, about()).toBeInstanceOf(DeliveryError)
    if (!(error instanceof DeliveryError)) return false
    expect(error.message, about()).toMatch(/^imap here: [^\p{Cc}]{1,1000}$/u)
    expect([73, 75, 76, 77], about()).toContain(error.exit)
    if (error.verdict !== 'unknown') expect(there(), about()).toBe(0)
    // Only of a message may it be said that it is refused.
    if (error.verdict === 'refused') expect(what, about()).toMatch(/^APPEND/)
  } else expect(there(), about()).toBe(1)
  server.answer = () => null
  await imap.ready(never)
  if ((await imap.recall(one, never)) === null) await imap.deliver(one, message(SMALL), never)
  expect(there(), about()).toBe(1)
  if (keys.labels !== undefined) expect(server.inbox.messages[0]?.labels, about()).toBe('Work')
  return steps >= step
}

/** Codes lead to the same conclusions however the message went. */
const OF_KINDS = KINDS.flatMap(([kind, capabilities, keys]) => {
  const codes = capabilities.includes('LITERAL+') ? CODES.map((code) => `NO [${code}] no`) : []
  return [{ kind, capabilities, keys, answers: [...WORDS, ...codes] }]
})

describe.each(OF_KINDS)('a server with $kind', ({ capabilities, keys, answers }) => {
  test.each(answers)('that says "%s" at any step', async (answer) => {
    for (let step = 1; await tried(capabilities, keys, step, answer); step++) expect(step).toBeLessThan(40)
  })
})
