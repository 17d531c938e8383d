// An IMAP server as a destination keeps the contract of destinations.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { ImapServer, type ImapReply } from '../../support/imap-server.ts'
import { destinationContract } from '../contract.ts'
import type { Held, Place } from '../place.ts'
import { imapAt } from './imap-settings.ts'

const MOST_BYTES = 3_000_000

/** What it answers at a step that fails. */
const FAILURES: Readonly<Record<string, string>> = {
  'says not now': 'NO [UNAVAILABLE] try later',
  refuses: 'NO not so',
  'does not understand': 'BAD what',
  'says good-bye': '* BYE going down',
  'cuts the connection': 'drop',
  'cuts the connection, and has done it': 'lost',
}

destinationContract({
  name: 'imap',
  failures: Object.keys(FAILURES),
  async place() {
    const server = await ImapServer.start({ capabilities: 'LITERAL+ MULTIAPPEND UIDPLUS NAMESPACE AUTH=PLAIN SASL-IR' })
    onTestFinished(() => server[Symbol.asyncDispose]())
    return placeAt(server)
  },
})

function placeAt(server: ImapServer): Place {
  let steps = 0
  const answer = (next: (step: number) => ImapReply | Promise<ImapReply>): void => {
    steps = 0
    server.answer = ({ command }) => (command === 'LOGOUT' ? null : next(++steps))
  }
  const seen = () =>
    Promise.resolve(
      server.inbox.messages.map(({ bytes }) => ({
        recipient: '',
        bytes: bytes.subarray(
          bytes.toString('latin1').startsWith('X-Popfetch-Delivery: ') ? bytes.indexOf('\n') + 1 : 0,
        ),
      })),
    )
  const holdAt = (wanted: number): Held => {
    const reached = Promise.withResolvers<void>()
    const released = Promise.withResolvers<null>()
    answer((step) => {
      if (step !== wanted) return null
      reached.resolve()
      return released.promise
    })
    return { reached: reached.promise, release: () => released.resolve(null) }
  }
  return {
    mostBytes: MOST_BYTES,
    open: (limitMs) => imapAt(server.port, { maxSize: MOST_BYTES }, limitMs),
    seen,
    afterPowerCut: seen,
    leftovers: () => Promise.resolve([]),
    failAt: (wanted, how) => answer((step) => (step === wanted ? (FAILURES[how] ?? null) : null)),
    holdAt,
    steps: () => steps,
    goDown: () => answer(() => 'drop'),
    fillUp() {
      server.answer = ({ command }) => (command === 'APPEND' ? 'NO [OVERQUOTA] full' : null)
    },
    heal: () => answer(() => null),
    async killAt(step, { intent }) {
      const held = holdAt(step)
      const victim = path.join(import.meta.dirname, 'imap-victim.ts')
      const child = spawn(process.execPath, [victim, String(server.port), intent], { stdio: 'inherit' })
      const exited = once(child, 'exit')
      await Promise.race([held.reached, exited])
      const isReached = steps >= step
      if (isReached) child.kill('SIGKILL')
      const [code, signal] = await exited
      if (!isReached && code !== 0) throw new Error(`the victim ended with ${code ?? signal}`)
      held.release()
      answer(() => null)
      return isReached
    },
  }
}
