// Sent is what the kernel has taken whole: what is still in our own buffers no server can have (D128). The line is slow:
// Node has the content and the kernel takes none of it.
import { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import {
  attempt,
  content,
  destination,
  envelope,
  failure,
  hello,
  MAIL,
  mail,
  message,
  never,
  outcome,
  rcpt,
  scripted,
} from './scene.ts'

type Write = (this: Socket, several: boolean, data: unknown, encoding: string, done: (error?: Error) => void) => void

const write = Reflect.get(Socket.prototype, '_writeGeneric') as Write

afterEach(() => {
  Reflect.set(Socket.prototype, '_writeGeneric', write)
})

/** From now on no socket sends what has `marker` in it. Resolves with what sends it after all. */
function slowFor(marker: string): Promise<() => void> {
  const { promise, resolve } = Promise.withResolvers<() => void>()
  const stall: Write = function stall(several, data, encoding, done) {
    const chunks = several && Array.isArray(data) ? data.map((each: { readonly chunk: Buffer }) => each.chunk) : [data]
    const text = chunks.map(String).join('')
    if (!text.includes(marker)) {
      write.call(this, several, data, encoding, done)
      return
    }
    // As libuv counts what it was given, whatever the kernel took of it.
    const handle = Reflect.get(this, '_handle') as object
    const taken = Number(Reflect.get(handle, 'bytesWritten'))
    Object.defineProperty(handle, 'bytesWritten', { configurable: true, value: taken + text.length })
    resolve(() => {
      Reflect.deleteProperty(handle, 'bytesWritten')
      write.call(this, several, data, encoding, done)
    })
  }
  Reflect.set(Socket.prototype, '_writeGeneric', stall)
  return promise
}

describe('on a slow line', () => {
  test('a 250 in the middle of a small message is not believed', async () => {
    void slowFor('Body')
    const server = await scripted([
      ...hello,
      ...mail,
      ...rcpt,
      { expect: 'DATA' },
      { send: '354 go\r\n250 taken' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('LOST unknown destination 76')
    expect(error.message).toContain('which is not an answer to it')
  })

  test.each(['fin', 'rst'] as const)(
    'a connection that ends (%s) in the middle of a small message has delivered nothing',
    async (cut) => {
      const stalled = slowFor('Body')
      const server = await scripted([...hello, ...envelope, { cut }])
      // After FIN it is silence that ends it: what is being written may yet get through.
      const limits = { blockMs: 20 }
      const delivering = failure(destination(server.port, {}, limits).deliver(attempt(), message(MAIL), never))
      await stalled
      expect(outcome(await delivering)).toBe('CUT temporary message 75')
    },
  )

  test('silence in the middle of a small message has delivered nothing', async () => {
    void slowFor('Body')
    const server = await scripted([...hello, ...envelope, { cut: 'stall' }])
    const limits = { blockMs: 20 }
    const error = await failure(destination(server.port, {}, limits).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('CUT temporary message 75')
  })

  test('being stopped in the middle of a small message has delivered nothing', async () => {
    const stalled = slowFor('Body')
    const stop = new AbortController()
    const server = await scripted([...hello, ...envelope, { cut: 'stall' }])
    const delivering = failure(destination(server.port).deliver(attempt(), message(MAIL), stop.signal))
    await stalled
    stop.abort()
    expect(outcome(await delivering)).toBe('TEMP temporary message 75')
  })

  test('a message that gets through in the end is delivered', async () => {
    const stalled = slowFor('Body')
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok' }, { ignore: true }])
    const delivering = destination(server.port).deliver(attempt(), message(MAIL), never)
    ;(await stalled)()
    expect((await delivering).text).toBe('250 ok')
  })
})

test('a 250 that came together with 354 is no answer to the message, however fast the line (D049, D128)', async () => {
  const server = await scripted([
    ...hello,
    ...mail,
    ...rcpt,
    { expect: 'DATA' },
    { send: '354 go\r\n250 taken' },
    { ignore: true },
  ])
  const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
  expect(outcome(error)).toBe('LOST unknown destination 76')
})
