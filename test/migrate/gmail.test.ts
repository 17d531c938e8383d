// A migration into Gmail, which shows nothing of what it has: the accepted answer with its id is what counts as verified.
import { expect, onTestFinished, test } from 'vitest'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { type GmailAnswer, GmailServer } from '../support/gmail-server.ts'
import { Scene } from './scene.ts'

async function scene() {
  const gmail = await GmailServer.start()
  const at = await Scene.create()
  onTestFinished(async () => {
    await at[Symbol.asyncDispose]()
    await gmail[Symbol.asyncDispose]()
  })
  at.destination = `inbox: { type: gmail, user: ${gmail.user}, token: good, endpoint: "${gmail.endpoint}" }`
  /** How often each letter is there. */
  const copies = (): Map<string, number> => {
    const counts = new Map<string, number>()
    for (const { bytes } of gmail.messages) {
      const subject = /^Subject: (.*)\r$/m.exec(bytes.toString('latin1'))?.[1] ?? ''
      counts.set(subject, (counts.get(subject) ?? 0) + 1)
    }
    return counts
  }
  return { at, gmail, copies }
}

test('each message is there once, and verified by the id that Gmail gave it', async () => {
  const { at, gmail, copies } = await scene()
  at.fill(30)
  expect(await at.migrate()).toMatchObject({ outcome: 'ok', messages: 30, verified: 30, read: 0, readAgain: false })
  expect([...copies().values()]).toEqual(Array(30).fill(1))
  await using ledger = await openLedger(at.path('state/state.db'), { readOnly: true })
  const receipts: string[] = []
  for await (const slice of ledger.records.list('old-isp', 'all'))
    for (const { deliveries } of slice) receipts.push(deliveries[0]?.receipt ?? '')
  for (const { id } of gmail.messages)
    expect(receipts.filter((receipt) => new RegExp(`\\b${id}\\b`).test(receipt))).toHaveLength(1)
})

test('with --delete what Gmail accepted is deleted, and nothing else is', async () => {
  const { at, gmail } = await scene()
  at.fill(20)
  gmail.faults.import = ({ bytes }) =>
    bytes.includes('Subject: letter 7\r\n') ? { status: 400, json: { error: { code: 400, message: 'no' } } } : null
  expect(await at.migrate({ options: { delete: true } })).toMatchObject({ outcome: 'partial', deleted: 19 })
  expect(at.left()).toEqual(['uid-7'])
  gmail.faults.import = null
  expect(await at.migrate({ options: { delete: true } })).toMatchObject({ outcome: 'ok', deleted: 1 })
  expect(at.left()).toEqual([])
  expect(gmail.messages).toHaveLength(20)
})

test.each([
  ['lost', 1],
  ['drop', 0],
] as const)(
  'after answers that end in "%s" it goes on, and costs at most one more copy for each',
  async (fault, extra) => {
    const { at, gmail, copies } = await scene()
    at.fill(40)
    let imports = 0
    let lost = 0
    gmail.faults.import = (): GmailAnswer => {
      if (++imports % 13 !== 0) return null
      lost++
      return fault
    }
    let report = await at.migrate({ options: { delete: true } })
    for (let more = 0; more < 5 && at.left().length > 0; more++)
      report = await at.migrate({ options: { delete: true } })
    expect(report).toMatchObject({ outcome: 'ok', unmovedCount: 0 })
    expect(at.left()).toEqual([])
    expect(lost).toBeGreaterThan(1)
    expect(copies().size).toBe(40)
    expect(gmail.messages.length).toBeLessThanOrEqual(40 + extra * lost)
  },
)

test.each([3, 24, 59])('stopped at import %i and begun again, it goes on where it was', async (stopAt) => {
  const { at, gmail, copies } = await scene()
  // More than may be under way: what is, comes to its end.
  at.fill(180)
  const stop = new AbortController()
  let imports = 0
  gmail.faults.import = () => {
    if (++imports === stopAt) stop.abort(new Error('stopped'))
    return null
  }
  await at.migrate({ options: { delete: true }, signal: stop.signal }).catch(() => null)
  expect(gmail.messages.length).toBeLessThan(180)
  expect(await at.migrate({ options: { delete: true } })).toMatchObject({ outcome: 'ok', unmovedCount: 0 })
  expect(at.left()).toEqual([])
  expect([...copies().values()]).toEqual(Array(180).fill(1))
})
