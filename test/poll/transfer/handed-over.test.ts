// A poll that is killed while it delivers to a server that cannot tell: what was never handed over has not arrived (S042).
import { describe, expect, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { mortal } from '../../support/mortal-ledger.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

test.each([
  ['before the end of a message went out', ['handOver', false], { possibleDuplicates: 0, copies: 1 }],
  ['when it may just have gone out', ['handOver', true], { possibleDuplicates: 1, copies: 1 }],
  ['before the answer to it was recorded', ['settle', false], { possibleDuplicates: 1, copies: 2 }],
  ['when the answer to it was recorded', ['settle', true], { possibleDuplicates: 0, copies: 1 }],
] as const)('killed %s, the next poll knows what may have come twice', async (_, [change, made], expected) => {
  await using sink = await SmtpSink.start()
  await using scene = await Scene.create()
  scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
  scene.deliver = 'next'
  scene.fill(1)
  scene.ledgerOf = (ledger) => mortal(ledger, { change: 1, made }, [change])
  expect(await scene.poll()).toMatchObject({ outcome: 'failed' })
  scene.ledgerOf = (ledger) => ledger
  const { outcome, possibleDuplicates } = await scene.poll()
  expect(outcome).toBe('ok')
  expect({ possibleDuplicates, copies: sink.messages.length }).toEqual(expected)
})

/** The ledger, which cannot record the outcome of the first delivery, and says so of that change alone. */
function onceUnsettled(ledger: Ledger): Ledger {
  let failed = false
  return new Proxy(ledger, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name, target)
      if (typeof found !== 'function') return found
      return (...args: unknown[]): unknown => {
        if ((name !== 'settle' && name !== 'settleAndBegin') || failed) return Reflect.apply(found, target, args)
        failed = true
        return Promise.reject(new Error('no such row'))
      }
    },
  })
}

describe('a delivery of which only the record failed', () => {
  test('to a server that cannot tell is made again, and told as a possible duplicate (P2)', async () => {
    await using sink = await SmtpSink.start()
    await using scene = await Scene.create()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.fill(1)
    scene.ledgerOf = onceUnsettled
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 0, deleted: 0 })
    scene.ledgerOf = (ledger) => ledger
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, possibleDuplicates: 1 })
    expect(sink.messages.length).toBe(2)
  })

  test('to a Maildir is found there, and not made again (P2)', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    scene.ledgerOf = onceUnsettled
    expect(await scene.poll()).toMatchObject({ delivered: 0, deleted: 0 })
    scene.ledgerOf = (ledger) => ledger
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', possibleDuplicates: 0 })
    expect(scene.mail().length).toBe(1)
  })
})
