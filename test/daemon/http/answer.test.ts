// Long answers, over real connections.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { inPieces } from '../../../src/daemon/http/answer.ts'

/** A server that answers each request so. */
async function serving(answer: (response: ServerResponse) => Promise<void>) {
  const server = createServer((_, response) => void answer(response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('a long answer arrives whole, though no more than some kilobytes are handed over at once', async () => {
  const pieces = Array.from({ length: 20_000 }, (_, at) => `line ${at} of a long answer, with ümläuts\n`)
  const sizes: number[] = []
  await using server = await serving(async (response) => {
    const write = response.write.bind(response) as (text: string) => boolean
    response.write = (text: string) => (sizes.push(text.length), write(text))
    await inPieces(response, 'text/plain', pieces)
  })
  const text = await (await fetch(`http://127.0.0.1:${server.port}/`)).text()
  expect(text).toBe(pieces.join(''))
  expect(sizes.length).toBeGreaterThan(10)
  expect(Math.max(...sizes)).toBeLessThan(40_000)
})

test('others have their turn while a long answer is made', async () => {
  let turns = 0
  let isMade = false
  const others = (): void => {
    turns++
    if (!isMade) setImmediate(others)
  }
  function* slow(): Generator<string> {
    for (let at = 0; at < 20; at++) {
      const untilMs = performance.now() + 10
      while (performance.now() < untilMs);
      yield 'x'
    }
    isMade = true
  }
  await using server = await serving(async (response) => {
    setImmediate(others)
    await inPieces(response, 'text/plain', slow())
  })
  expect(await (await fetch(`http://127.0.0.1:${server.port}/`)).text()).toBe('x'.repeat(20))
  expect(turns).toBeGreaterThanOrEqual(20)
})

test('a client that does not read is not made for, and one that goes away ends the making', async () => {
  const made = Promise.withResolvers<number>()
  let count = 0
  function* endless(): Generator<string> {
    for (;;) {
      count++
      yield 'x'.repeat(1000)
    }
  }
  await using server = await serving(async (response) => {
    const ended = inPieces(response, 'text/plain', endless())
    while (!response.writableNeedDrain) await turn()
    client.destroy()
    await ended
    made.resolve(count)
  })
  const client = connect(server.port, '127.0.0.1')
  client.pause()
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  // What the kernel takes on both sides, and a piece.
  expect(await made.promise).toBeLessThan(20_000)
})
