// How a message goes over a connection that is open: which commands together, which answers in which pieces, and the dots.
import { Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Dots, MOST_ENDING, wireForm } from '../../../src/deliver/smtp/line/dots.ts'
import { WireCount } from '../../../src/deliver/smtp/content.ts'
import type { Step } from '../../support/smtp-server.ts'
import {
  attempt,
  content,
  destination,
  envelope,
  failure,
  heardBy,
  hello,
  MAIL,
  mail,
  message,
  never,
  outcome,
  rcpt,
  scripted,
  sink,
} from './scene.ts'

const pipelining: readonly Step[] = [
  { send: '220 mx ESMTP' },
  { expect: 'EHLO host.example' },
  { send: '250-mx\r\n250-PIPELINING\r\n250 8BITMIME' },
]
const all: readonly Step[] = [{ expect: /^MAIL/ }, { expect: 'RCPT TO:<me@example.com>' }, { expect: 'DATA' }]

/** What each socket of this process writes from now on, write by write. */
function writes(): string[] {
  const written = Reflect.get(Socket.prototype, '_writeGeneric') as (this: Socket, ...given: unknown[]) => void
  const texts: string[] = []
  Reflect.set(Socket.prototype, '_writeGeneric', function count(this: Socket, ...given: unknown[]) {
    texts.push(String(given[1]))
    written.apply(this, given)
  })
  onTestFinished(() => void Reflect.set(Socket.prototype, '_writeGeneric', written))
  return texts
}

describe('commands', () => {
  test('up to DATA are one write where the server takes them together, and one for each answer where not', async () => {
    const texts = writes()
    const together = await scripted([
      ...pipelining,
      ...all,
      { send: '250 ok\r\n250 ok\r\n354 go on' },
      ...content,
      { send: '250 taken' },
    ])
    await destination(together.port).deliver(attempt(), message(MAIL), never)
    const ofMail = (): string[] => texts.splice(0).filter((text) => /^(?:MAIL|RCPT|DATA)/.test(text))
    expect(ofMail()).toEqual(['MAIL FROM:<list@example.org>\r\nRCPT TO:<me@example.com>\r\nDATA\r\n'])
    const single = await scripted([...hello, ...envelope, ...content, { send: '250 taken' }])
    await destination(single.port).deliver(attempt(), message(MAIL), never)
    expect(ofMail()).toEqual([
      `MAIL FROM:<list@example.org> SIZE=${MAIL.length}\r\n`,
      'RCPT TO:<me@example.com>\r\n',
      'DATA\r\n',
    ])
  })

  test('that were sent together: what is not offered by name is not used', async () => {
    const texts = writes()
    const server = await scripted([
      { send: '220 mx' },
      { expect: /^EHLO/ },
      { send: '250-PIPELINING\r\n250-XPIPELINING\r\n250 X-SIZE 10' },
      ...envelope,
      ...content,
      { send: '250 taken' },
    ])
    await destination(server.port).deliver(attempt(), message(MAIL), never)
    expect(texts.filter((text) => text.startsWith('MAIL'))).toEqual(['MAIL FROM:<list@example.org>\r\n'])
  })

  test('that were sent together: where the recipient is refused no content goes out, and the session goes on', async () => {
    const server = await scripted([
      ...pipelining,
      ...all,
      { send: '250 ok\r\n550 5.1.1 nobody\r\n554 no recipients' },
      { expect: 'RSET' },
      { send: '250 ok' },
      ...all,
      { send: '250 ok\r\n250 ok\r\n354 go on' },
      ...content,
      { send: '250 taken' },
    ])
    const to = destination(server.port)
    const error = await failure(to.deliver(attempt('1'), message(MAIL), never))
    expect(error.message).toContain('nobody')
    await to.deliver(attempt('2'), message(MAIL), never)
    expect(heardBy(server).split('Body')).toHaveLength(2)
  })

  test('that were sent together: a server that asks for content without a sender gets none, and no dot', async () => {
    const server = await scripted([
      ...pipelining,
      ...all,
      { send: '553 5.1.8 no\r\n503 no\r\n354 go on' },
      { ignore: true },
    ])
    const to = destination(server.port, { from: { kind: 'address', address: 'own@example.com' } })
    await failure(to.deliver(attempt(), message(MAIL), never))
    expect(heardBy(server).split('DATA\r\n')[1]).toBe('')
  })
})

describe('answers', () => {
  test('are the same in one piece, byte by byte, and with empty lines in between', async () => {
    const say = '250-one\r\n250 ok\r\n\r\n250 ok\r\n354 go on\r\n'
    for (const split of [0, 1, 7]) {
      const bytes: readonly Step[] = [{ split }, { send: Buffer.from(say) }]
      const server = await scripted([...pipelining, ...all, ...bytes, ...content, { send: '250 taken' }])
      const receipt = await destination(server.port).deliver(attempt(), message(MAIL), never)
      expect(receipt.text).toBe('250 taken')
    }
  })

  test('in UTF-8 are read as that, others byte by byte', async () => {
    const taken = (text: Buffer): readonly Step[] => [...envelope, ...content, { send: text }]
    const server = await scripted([
      ...hello,
      ...taken(Buffer.from('250 übernommen\r\n')),
      ...taken(Buffer.from('250 übernommen\r\n', 'latin1')),
    ])
    const to = destination(server.port, { concurrency: 1 })
    expect((await to.deliver(attempt('1'), message(MAIL), never)).text).toBe('250 übernommen')
    expect((await to.deliver(attempt('2'), message(MAIL), never)).text).toBe('250 übernommen')
  })

  test.each([
    ['a line', ['250 ', 'x'.repeat(40_000), 'x'.repeat(40_000)]],
    ['lines', ['250-', ...Array.from({ length: 80 }, () => `${'x'.repeat(1_000)}\r\n250-`)]],
  ])('that have no end are given up: %s', async (_, pieces) => {
    const server = await scripted([
      ...hello,
      { expect: /^MAIL/ },
      ...pieces.flatMap((piece): readonly Step[] => [{ send: Buffer.from(piece) }, { pause: true }]),
      { ignore: true },
    ])
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(error.verdict).toBe('temporary')
  })

  test('421 ends the session, whatever it answers: the next message has another one', async () => {
    const good: readonly Step[] = [...hello, ...envelope, ...content, { send: '250 taken' }]
    const server = await scripted(
      [...hello, ...mail, { expect: /^RCPT/ }, { send: '421 too many' }, { ignore: true }],
      good,
    )
    const to = destination(server.port, { concurrency: 1 })
    await failure(to.deliver(attempt(), message(MAIL), never))
    await to.ready(never)
    await to.deliver(attempt(), message(MAIL), never)
    expect(server.heard).toHaveLength(2)
    expect(heardBy(server)).not.toContain('RSET')
  })

  test('421 that nobody asked for leaves no session to be used', async () => {
    const good: readonly Step[] = [...hello, ...envelope, ...content, { send: '250 taken' }]
    const server = await scripted([...good, { send: '421 idle for too long' }, { ignore: true }], good)
    const to = destination(server.port, { concurrency: 1 })
    await to.deliver(attempt('1'), message(MAIL), never)
    await to.deliver(attempt('2'), message(MAIL), never)
    expect(server.heard).toHaveLength(2)
  })

  test('to DATA that come too late for a message that was given up send nothing of it', async () => {
    const noted = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const handingOver = (): Promise<void> => {
      asked.resolve()
      return noted.promise
    }
    const server = await scripted([
      ...hello,
      ...mail,
      ...rcpt,
      { expect: 'DATA' },
      { send: '354 go on' },
      { ignore: true },
    ])
    const stop = new AbortController()
    const delivering = failure(
      destination(server.port).deliver({ ...attempt(), handingOver }, message(MAIL), stop.signal),
    )
    await asked.promise
    stop.abort()
    noted.resolve()
    expect(outcome(await delivering)).toMatch(/^TEMP/)
    expect(heardBy(server)).not.toContain('Body')
  })
})

describe('dots', () => {
  const texts = [
    '',
    '.',
    '..\r\n.',
    'a\r\n.\r\nb\r\n',
    '.a\r\n..b\r\nc.\r\n.d',
    '\r\n.\r\n.\r\n',
    'x'.repeat(100_000),
    '.\r\n'.repeat(1_000),
  ]
  const usual = (text: string): string => `${text.replace(/^\./gm, '..')}${text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`

  test.each(texts)('at the beginning of a line are two, and one ends all: %#', (text) => {
    const count = new WireCount()
    count.add(Buffer.from(text))
    const form = (wireBytes: number): Buffer | null => {
      const room = Buffer.alloc(text.length + MOST_ENDING)
      room.write(text)
      return wireForm(room, text.length, wireBytes)
    }
    expect(form(count.wireBytes)?.toString()).toBe(usual(text))
    expect(form(count.wireBytes + 1)).toBeNull()
    expect(form(count.wireBytes - 1)).toBeNull()
  })

  test.each(texts.filter(({ length }) => length < 100))('are the same wherever a piece ends: %#', (text) => {
    for (let cut = 0; cut <= text.length; cut++) {
      const dots = new Dots()
      const parts = [text.slice(0, cut), text.slice(cut)].map((part) => dots.add(Buffer.from(part)))
      const wire = Buffer.concat([...parts, dots.end()])
      expect(wire.toString()).toBe(usual(text))
      expect(dots.wireBytes).toBe(wire.length)
    }
  })

  test('come to the server as they were', async () => {
    const server = await sink()
    const text = `${MAIL}.\r\n..\r\n.end\r\n`
    await destination(server.port).deliver(attempt(), message(text), never)
    expect(server.messages[0]?.bytes.toString()).toBe(text)
  })
})
