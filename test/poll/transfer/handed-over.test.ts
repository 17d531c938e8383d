// A poll that is killed while it delivers to a server that cannot tell: what was never handed over has not arrived (S042).
import { expect, test } from 'vitest'
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
