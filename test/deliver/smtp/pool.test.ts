// How many connections an smtp destination opens, keeps and gives back.
import { describe, expect, test } from 'vitest'
import type { Destination } from '../../../src/deliver/destination.ts'
import { attempt, content, destination, envelope, hello, MAIL, message, never, scripted, sink } from './scene.ts'

describe('connections', () => {
  const many = (smtp: Destination, from: number, count: number): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, n) => smtp.deliver(attempt(`${from + n}`), message(MAIL), never)))

  test('are as many as configured, kept between messages, and ended with QUIT', async () => {
    const server = await sink()
    const smtp = destination(server.port, { concurrency: 3 })
    await many(smtp, 0, 20)
    await many(smtp, 20, 20)
    expect(server.messages).toHaveLength(40)
    expect(server.connections).toBe(3)
    expect(server.peak).toBe(3)
  })

  test('are renewed after a hundred messages (D049)', async () => {
    const server = await sink()
    await many(destination(server.port, { concurrency: 1 }), 0, 201)
    expect(server.messages).toHaveLength(201)
    expect(server.connections).toBe(3)
  })

  test('are fewer when the server takes no more, and everything goes over those', async () => {
    const server = await sink()
    server.faults.connect = () => (server.connections > 2 ? '421 too many connections' : null)
    await many(destination(server.port, { concurrency: 5 }), 0, 30)
    expect(server.messages).toHaveLength(30)
    expect(server.peak).toBeLessThanOrEqual(5)
  })

  test('one that was kept and died unseen is replaced by ready', async () => {
    const server = await scripted(
      [...hello, { expect: 'RSET' }, { cut: 'rst' }],
      [...hello, ...envelope, ...content, { send: '250 ok' }, { expect: 'QUIT' }, { send: '221 bye' }],
    )
    const smtp = destination(server.port)
    await smtp.ready(never)
    await smtp.ready(never)
    await smtp.deliver(attempt(), message(MAIL), never)
    await smtp[Symbol.asyncDispose]()
    await server.done
  })

  test('an idle one is given back', async () => {
    const server = await scripted([...hello, { expect: 'QUIT' }, { send: '221 bye' }])
    await destination(server.port, {}, { idleMs: 1 }).ready(never)
    await server.done
  })
})
