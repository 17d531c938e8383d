// What people are told of a refused message, and whether it then comes to pass: nothing that is said of the future may be untrue.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AccountReport } from '../../../src/poll/report.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

const told = ({ problems }: AccountReport): readonly string[] =>
  problems.map(({ kind, reason }) => `${kind}: ${reason}`)

async function refusing(answer: string): Promise<AsyncDisposable & { scene: Scene; answers: (to: string) => void }> {
  const scene = await Scene.create()
  const sink = await SmtpSink.start()
  const answers = (to: string): void => void (sink.faults.dot = () => Promise.resolve(to))
  answers(answer)
  scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
  scene.deliver = 'next'
  scene.fill(1)
  const dispose = async (): Promise<void> => {
    await scene[Symbol.asyncDispose]()
    await sink[Symbol.asyncDispose]()
  }
  return { scene, answers, [Symbol.asyncDispose]: dispose }
}

test('a refused message is said to be tried after an hour, then less and less often, and is', async () => {
  await using at = await refusing('554 5.7.1 no')
  const { scene } = at
  const [line = ''] = told(await scene.poll({ eager: false }))
  expect(line).toContain(
    '"554 5.7.1 no": it stays on the server; it is tried again after an hour, then less and less often',
  )
  const tries: number[] = []
  for (let hour = 0; hour <= 20; hour++) {
    later(HOUR)
    const before = scene.count('RETR')
    expect(told(await scene.poll({ eager: false }))).toEqual([])
    if (scene.count('RETR') > before) tries.push(hour + 1)
  }
  expect(tries).toEqual([1, 3, 7, 15])
})

test('one refused as spam is said to be tried once more after a day, then held without a word of another try', async () => {
  await using at = await refusing('554 5.7.1 spam')
  const { scene } = at
  const [line = ''] = told(await scene.poll({ eager: false }))
  expect(line).toMatch(/^refused: .*: it stays on the server; it is tried once more, after a day$/)
  later(DAY - HOUR)
  expect(told(await scene.poll({ eager: false }))).toEqual([])
  later(HOUR)
  const [held = ''] = told(await scene.poll({ eager: false }))
  expect(held).toMatch(/^held: refused again, as unwanted: .*: it stays on the server$/)
  later(2 * DAY)
  expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'ok', held: 0 })
  expect(scene.count('RETR')).toBe(2)
})

test('one that was refused for something else before is not said to have been refused twice as spam', async () => {
  await using at = await refusing('554 5.7.1 no')
  const { scene, answers } = at
  await scene.poll({ eager: false })
  answers('554 5.7.1 spam')
  later(HOUR)
  const [held = ''] = told(await scene.poll({ eager: false }))
  expect(held).toMatch(/^held: refused again, as unwanted: /)
})
