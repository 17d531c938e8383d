// Messages that go with one command (MULTIAPPEND): which of them, and what becomes of each when the command fails.
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ImapConfig } from '../../../src/deliver/imap/settings.ts'
import { Together } from '../../../src/deliver/together.ts'
import { ImapServer } from '../../support/imap-server.ts'
import { attempt, message, never } from '../scene.ts'
import { imapAt } from './imap-settings.ts'

const CAPABILITIES = 'LITERAL+ MULTIAPPEND UIDPLUS NAMESPACE AUTH=PLAIN SASL-IR'

async function scene(keys: Partial<ImapConfig> = {}, capabilities = CAPABILITIES) {
  const server = await ImapServer.start({ capabilities })
  const imap = imapAt(server.port, keys)
  onTestFinished(async () => {
    await imap[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  const deliver = (count: number, text = (at: number) => `Subject: ${at}\r\n\r\nx\r\n`) =>
    Promise.allSettled(
      Array.from({ length: count }, (_, at) =>
        imap.deliver(attempt(`u${at}`), message(Buffer.from(text(at), 'latin1')), never),
      ),
    )
  /** The subjects there, in their order. */
  const there = (): string[] =>
    server.inbox.messages.map(({ bytes }) => /^Subject: (.*)\r$/m.exec(bytes.toString('latin1'))?.[1] ?? '')
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, at) => String(at))
  return { server, imap, deliver, there, numbers }
}

function rejected(results: readonly PromiseSettledResult<unknown>[]): number[] {
  return results.flatMap(({ status }, at) => (status === 'rejected' ? [at] : []))
}

describe('what waits while a command is on its way', () => {
  test('goes with the next one, more and more, in its order, each with its UID as the receipt', async () => {
    const { server, deliver, there, numbers } = await scene({ concurrency: 1 })
    const results = await deliver(100)
    expect(there()).toEqual(numbers(100))
    expect(server.commands).toEqual([1, 2, 4, 8, 16, 32, 32, 5])
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value.text : ''))).toEqual(
      numbers(100).map((at) => `imap here, UID ${Number(at) + 1}`),
    )
  })

  test('goes over several connections to a server that is far away', async () => {
    const { deliver, there } = await scene({ concurrency: 3 })
    expect(rejected(await deliver(100))).toEqual([])
    expect(new Set(there()).size).toBe(100)
  })

  test('is asked for as far as it is of use', async () => {
    const { imap, deliver } = await scene({ concurrency: 2 })
    expect(imap.atOnce).toBe(4)
    await deliver(100)
    expect(imap.atOnce).toBe(96)
  })

  test.each([
    ['LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN', {}],
    ['LITERAL- MULTIAPPEND UIDPLUS NAMESPACE AUTH=PLAIN', {}],
    ['MULTIAPPEND UIDPLUS NAMESPACE AUTH=PLAIN', {}],
    [`${CAPABILITIES} X-GM-EXT-1`, { labels: ['Old'] }],
    // It could not be found again.
    [CAPABILITIES, { trace: false }],
  ])('goes one by one with %s, %j', async (capabilities, keys) => {
    const { server, deliver, there } = await scene({ concurrency: 1, ...keys }, capabilities)
    expect(rejected(await deliver(20))).toEqual([])
    expect(there()).toHaveLength(20)
    expect(new Set(server.commands)).toEqual(new Set([1]))
  })

  test('goes by itself when it is large', async () => {
    const { server, deliver } = await scene({ concurrency: 1 })
    await deliver(40, (at) => `Subject: ${at}\r\n\r\n${at === 20 ? 'x'.repeat(70_000) : 'x'}\r\n`)
    expect(server.commands.slice(0, 4)).toEqual([1, 2, 4, 8])
    expect(server.commands.slice(4)).toEqual([5, 1, 16, 3])
  })
})

describe('a command with several messages that', () => {
  test('is refused for one of them: the others are there once, and that one alone is refused', async () => {
    const { server, deliver, there, numbers } = await scene({ concurrency: 1 })
    server.refuses = (bytes) => bytes.includes('Subject: 50\r\n')
    expect(rejected(await deliver(100))).toEqual([50])
    expect(there()).toEqual(numbers(100).filter((at) => at !== '50'))
  })

  test('is refused as a whole, but half of it kept against the rules: each is there once', async () => {
    const { server, deliver, there, numbers } = await scene({ concurrency: 1 })
    server.refuses = (bytes) => bytes.includes('Subject: 50\r\n')
    server.takesHalf = true
    expect(rejected(await deliver(100))).toEqual([50])
    expect(there()).toEqual(numbers(100).filter((at) => at !== '50'))
  })

  test('finds no room: what waits is offered one by one, and no more is asked for', async () => {
    const { server, imap, deliver, there } = await scene({ concurrency: 1 })
    let taken = 0
    server.refuses = () => ++taken > 31
    server.refusal = '[OVERQUOTA] full'
    const results = await deliver(60)
    expect(rejected(results)).toEqual(Array.from({ length: 29 }, (_, at) => at + 31))
    expect(there()).toHaveLength(31)
    expect(imap.atOnce).toBe(2)
  })

  test('has an answer that is lost: each is found there', async () => {
    const { server, deliver, there, numbers } = await scene({ concurrency: 1 })
    let appends = 0
    server.answer = ({ command }) => (command === 'APPEND' && ++appends === 5 ? 'lost' : null)
    expect(rejected(await deliver(100))).toEqual([])
    expect(there()).toEqual(numbers(100))
    expect(server.commands.slice(0, 6)).toEqual([1, 2, 4, 8, 16, 1])
  })

  test.each(['drop', '* BYE going down'])('ends in "%s": none is there, and each may be', async (fault) => {
    const { server, deliver, there } = await scene({ concurrency: 1 })
    let appends = 0
    server.answer = ({ command }) => (command === 'APPEND' && ++appends === 4 ? fault : null)
    const results = await deliver(30)
    expect(rejected(results)).toEqual([7, 8, 9, 10, 11, 12, 13, 14])
    for (const result of results.slice(7, 15))
      expect(result).toMatchObject({ reason: { verdict: 'unknown', conclusion: 'LOST' } })
    expect(there()).toHaveLength(22)
    expect(new Set(there()).size).toBe(22)
  })

  test('comes to a folder that has vanished: that is made, and each is there', async () => {
    const { server, deliver } = await scene({ concurrency: 1, folder: 'Old' })
    let appends = 0
    server.answer = ({ command }) => {
      if (command === 'APPEND' && ++appends === 3) server.folders.delete('Old')
      return null
    }
    expect(rejected(await deliver(30))).toEqual([])
    // Three were in the folder that is gone.
    expect(server.folder('Old').messages).toHaveLength(27)
  })

  test('comes to a server that has no such command any more: each is there', async () => {
    const { server, imap, deliver, there } = await scene({ concurrency: 1 })
    await deliver(30)
    server.crash()
    Object.assign(server.options, { capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN' })
    // Nobody has noticed yet that the connection is gone.
    await Promise.allSettled([imap.deliver(attempt('before'), message(Buffer.from('\r\n')), never)])
    const more = Array.from({ length: 30 }, (_, at) =>
      imap.deliver(attempt(`v${at}`), message(Buffer.from(`Subject: v${at}\r\n\r\nx\r\n`)), never),
    )
    expect(rejected(await Promise.allSettled(more))).toEqual([])
    expect(new Set(there()).size).toBe(60)
  })
})

describe('waiting', () => {
  test('ends with the signal, and what is on its way goes on', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const stop = new AbortController()
    const together = new Together<number, number>(1, async (items) => {
      await promise
      return items.map((item) => ({ result: item }))
    })
    const first = together.add(1, 10, stop.signal)
    const second = together.add(2, 10, stop.signal)
    const third = together.add(3, 10, never)
    stop.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')
    resolve()
    expect(await Promise.all([first, third])).toEqual([1, 3])
  })

  test('goes on behind work that fails as a whole', async () => {
    const together = new Together<number, number>(1, (items) =>
      items[0] === 1 ? Promise.reject(new Error('a bug')) : Promise.resolve(items.map((item) => ({ result: item }))),
    )
    const [first, second] = [together.add(1, 10, never), together.add(2, 10, never)]
    await expect(first).rejects.toThrow('a bug')
    expect(await second).toBe(2)
  })

  test('never puts items of two signals together', async () => {
    const seen: (readonly number[])[] = []
    const other = new AbortController().signal
    const together = new Together<number, number>(1, (items) => {
      seen.push(items)
      together.went(items.length)
      return Promise.resolve(items.map((item) => ({ result: item })))
    })
    const signals = [never, never, never, other, other, never]
    await Promise.all(signals.map((signal, at) => together.add(at, 10, signal)))
    expect(seen).toEqual([[0], [1, 2], [3, 4], [5]])
  })
})
