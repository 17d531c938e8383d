// One message goes to several destinations at once, and the record of one fails. The others end as they would have: their
// results are recorded, and the message stays where they read it until the last of them is done.
import { existsSync, readdirSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { letter, Scene } from '../scene.ts'

/** More than a poll needs to end behind a delivery's back. */
const TURNS = 200

const REJECTIONS = [
  ['the ledger', new PopfetchError('ERR_LEDGER', 'disk I/O error', { scope: 'process', retry: 'soon' }), 'failed'],
  ['a lost right', new PopfetchError('ERR_LEASE_LOST', 'lost', { scope: 'account', retry: 'soon' }), 'failed'],
  ['a bug', new Error('no such row'), 'partial'],
  ['an abort', new DOMException('This operation was aborted', 'AbortError'), 'partial'],
] as const

/** The ledger with other ways to make some changes. */
function changed(ledger: Ledger, changes: Partial<Ledger>): Ledger {
  return new Proxy(ledger, {
    get(target, name) {
      const found: unknown = Reflect.get(name in changes ? changes : target, name)
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
}

const CASES = REJECTIONS.flatMap(([name, error, outcome]) =>
  ['first', 'second'].flatMap((bad) => [0, 25_000].map((lines) => ({ name, error, outcome, bad, lines }))),
)

test.each(CASES)(
  'the record of the $bad destination fails ($name): the other has its message of $lines lines once, and that is recorded',
  async ({ error, outcome, bad, lines }) => {
    await using first = await SmtpSink.start()
    await using second = await SmtpSink.start()
    await using scene = await Scene.create()
    const to = (name: string, port: number): string =>
      `${name}: { type: smtp, host: 127.0.0.1, port: ${port}, tls: none, to: bob@example.net }`
    scene.destinations = [to('first', first.port), to('second', second.port)]
    scene.deliver = '[first, second]'
    scene.server.mailbox('alice').add(letter(0) + 'a long line of a long message, as there are many\r\n'.repeat(lines))
    const underWay = Promise.withResolvers<void>()
    const failed = Promise.withResolvers<void>()
    const spool = scene.path('state/spool')
    const spooled = (): number => (existsSync(spool) ? readdirSync(spool).length : 0)
    const seen: { readonly before: number; readonly after: number }[] = []
    scene.ledgerOf = (ledger) =>
      changed(ledger, {
        settle: async (lease, settlement) => {
          if (settlement.destination !== bad) return await ledger.settle(lease, settlement)
          await underWay.promise
          failed.resolve()
          throw error
        },
        handOver: async (lease, deliveries) => {
          await ledger.handOver(lease, deliveries)
          if (deliveries[0]?.destination === bad) return
          const before = spooled()
          underWay.resolve()
          await failed.promise
          for (let at = 0; at < TURNS; at++) await turn()
          seen.push({ before, after: spooled() })
        },
      })
    expect(await scene.poll()).toMatchObject({ outcome, delivered: 0, deleted: 0 })
    expect(seen).toEqual([{ before: lines > 0 ? 1 : 0, after: lines > 0 ? 1 : 0 }])
    scene.ledgerOf = (ledger) => ledger
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', possibleDuplicates: 1 })
    const counts = { first: first.messages.length, second: second.messages.length }
    expect(counts).toEqual({ first: 1, second: 1, [bad]: 2 })
  },
)
