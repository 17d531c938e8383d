// The smtp destination against a whole server (SmtpSink) and against servers that do what no library does (ScriptedServer).
import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { createServer, type Socket, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Destination } from '../../../src/deliver/destination.ts'
import { RFC_LIMITS, raised } from '../../../src/deliver/smtp/limits.ts'
import type { SmtpConfig } from '../../../src/deliver/smtp/smtp.ts'
import { DeliveryError, PopfetchError } from '../../../src/errors.ts'
import { badKinds, ca, certificates } from '../../support/certificates.ts'
import { ScriptedServer, type Step } from '../../support/smtp-server.ts'
import {
  attempt,
  content,
  destination,
  envelope,
  failure,
  heardBy,
  hello,
  mail,
  MAIL,
  message,
  never,
  outcome,
  rcpt,
  scripted,
  sink,
  TRACE,
} from '../smtp-scene.ts'

/** What is open at the end of a test. */
let open: AsyncDisposableStack
let directory: string
beforeEach(async () => {
  open = new AsyncDisposableStack()
  directory = await mkdtemp(join(tmpdir(), 'popfetch-smtp-'))
  open.defer(() => rm(directory, { recursive: true }))
})
afterEach(() => open.disposeAsync())

describe('what is sent', () => {
  test('is the message, byte for byte, with the fields on top, to the configured recipient alone (D042, D043, D067)', async () => {
    const server = await sink()
    const smtp = destination(server.port, { trace: true, label: true })
    const text = 'Return-Path: <list@example.org>\r\nTo: other@example.net\r\n\r\n.dot\r\n..\r\n\u0000\u00e9 \r\n\r\n'
    const receipt = await smtp.deliver(attempt(), message(text), never)
    const [sunk] = server.messages
    expect(sunk?.bytes.toString('latin1')).toBe(`${TRACE}X-Popfetch-Account: old-isp\r\n${text}`)
    expect(sunk?.from).toBe('list@example.org')
    expect(sunk?.to).toEqual(['me@example.com'])
    expect(receipt.text).toMatch(/^250 /)
    expect(await smtp.recall(attempt(), never)).toBeNull()
  })

  test.each([
    ['without a last line end', 'Subject: x\r\n\r\nno end', 'Subject: x\r\n\r\nno end\r\n'],
    ['that is empty', '', '\r\n'],
    ['that is a dot', '.', '.\r\n'],
  ])('a message %s arrives (D075)', async (_, text, arrived) => {
    const server = await sink()
    await destination(server.port).deliver(attempt(), message(text), never)
    expect(server.messages[0]?.bytes.toString('latin1')).toBe(arrived)
  })

  test.each(['\n.\n', '\r.\r', '\n.\r\n', '\r.\r\n', '\r\n.\r', '\n.\n\r\n', '\r\r\n.\r\n', '\u0000\r.\r\n'])(
    'has no end of a message within it, though the message has %j (D038, D068)',
    async (trap) => {
      const server = await scripted([
        ...hello,
        ...envelope,
        { expectUntil: 'END\r\n.\r\n' },
        { send: '250 ok' },
        { ignore: true },
      ])
      const text = `Return-Path: <list@example.org>\r\n\r\na${trap}MAIL FROM:<evil@example.com>\r\nEND`
      await destination(server.port).deliver(attempt(), message(text), never)
      const wire = heardBy(server).slice(heardBy(server).indexOf('DATA\r\n') + 6)
      expect(wire).not.toMatch(/\r(?!\n)|(?<!\r)\n/)
      expect(wire.indexOf('\r\n.\r\n')).toBe(wire.length - 5)
    },
  )

  test('declares the size after repair, and eight-bit content; asks for no notices (D033, D052, D069)', async () => {
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok' }, { ignore: true }])
    const text = 'Return-Path: <list@example.org>\r\n\r\n\u00e9\n'
    await destination(server.port).deliver(attempt(), message(text), never)
    const heard = heardBy(server)
    expect(heard).toContain(`MAIL FROM:<list@example.org> BODY=8BITMIME SIZE=${text.length + 1}\r\n`)
    expect(heard).not.toContain('NOTIFY')
  })

  test('is refused before MAIL when the server says it takes no such size (D033, D070)', async () => {
    const server = await scripted([...hello, { expect: 'QUIT' }, { send: '221 bye' }])
    const smtp = destination(server.port)
    const error = await failure(smtp.deliver(attempt(), message(`Subject: x\r\n\r\n${'x'.repeat(10_000)}`), never))
    expect(outcome(error)).toBe('refused message later')
    expect(error.message).toMatch(/10014 bytes, the server takes 10000/)
    await smtp[Symbol.asyncDispose]()
    await server.done
  })

  test('comes from a file as well, whatever its line ends, without the fields another destination put on top', async () => {
    const server = await sink()
    const smtp = destination(server.port, { trace: true })
    const line = `${'.'.repeat(70)}\r\n`
    const text = `Subject: large\r\n\r\n${line.repeat(30_000)}`
    const path = join(directory, 'spooled')
    await writeFile(path, `X: y\r\n${text}`)
    const form = { lineEndings: 'crlf', prefixBytes: 6 } as const
    await smtp.deliver(attempt('1'), message(text, { kind: 'file', path, form }), never)
    await writeFile(path, text.replaceAll('\r\n', '\n'))
    await smtp.deliver(
      attempt('2'),
      message(text, { kind: 'file', path, form: { lineEndings: 'lf', prefixBytes: 0 } }),
      never,
    )
    expect(server.messages.map((sunk) => sunk.bytes.equals(Buffer.from(TRACE + text)))).toEqual([true, true])
  })

  test('ends without a dot when the file stops early (D037, D060, D061)', async () => {
    const text = `Return-Path: <list@example.org>\r\n\r\n${'x'.repeat(78)}\r\n`.padEnd(600_000, 'y')
    const path = join(directory, 'spooled')
    await writeFile(path, text)
    const server = await sink()
    server.faults.rcpt = async () => {
      await truncate(path, 300_000)
      return null
    }
    const body = { kind: 'file', path, form: { lineEndings: 'crlf', prefixBytes: 0 } } as const
    const smtp = destination(server.port)
    const error = await failure(smtp.deliver(attempt(), message(text, body), never))
    expect(outcome(error)).toBe('temporary message soon')
    expect(error.message).toMatch(/300000 bytes where 600000/)
    // It was seen before anything was said, the second time.
    expect(outcome(await failure(smtp.deliver(attempt(), message(text, body), never)))).toBe('temporary message soon')
    expect(server.messages).toEqual([])
  })

  test('ends without a dot when a file in another form than received changes between count and sending', async () => {
    const text = `Return-Path: <list@example.org>\n\n${'x'.repeat(78)}\n`.padEnd(600_000, 'y')
    const path = join(directory, 'spooled')
    const form = { lineEndings: 'lf', prefixBytes: 0 } as const
    const server = await sink()
    const smtp = destination(server.port)
    for (const change of [() => truncate(path, 300_000), () => appendFile(path, 'more')]) {
      await writeFile(path, text)
      server.faults.rcpt = async () => {
        await change()
        return null
      }
      const error = await failure(smtp.deliver(attempt(), message(text, { kind: 'file', path, form }), never))
      expect(outcome(error)).toBe('temporary message soon')
    }
    expect(server.messages).toEqual([])
  })

  test('uses the null sender where the message came with it, and the user where it names nobody (D044)', async () => {
    const server = await sink({ users: { 'me@example.com': 'secret' } })
    const smtp = destination(server.port, { user: 'me@example.com', secret: () => Promise.resolve('secret') })
    await smtp.deliver(attempt('1'), message('Return-Path: <>\r\n\r\n'), never)
    await smtp.deliver(attempt('2'), message('Subject: x\r\n\r\n'), never)
    await destination(server.port, {
      user: 'me@example.com',
      secret: () => Promise.resolve('secret'),
      from: { kind: 'address', address: 'old-isp@example.com' },
    }).deliver(attempt('3'), message(MAIL), never)
    expect(server.messages.map((sunk) => sunk.from)).toEqual(['', 'me@example.com', 'old-isp@example.com'])
  })

  test.each(['', 'a b@example.com', 'a@example.com>\r\nRCPT TO:<b@example.com', '<a@example.com>'])(
    'never goes to %j, which is no address (D045, D069)',
    async (recipient) => {
      const server = await sink()
      const error = await failure(destination(server.port).deliver(attempt('1', recipient), message(MAIL), never))
      expect(outcome(error)).toBe('temporary destination later')
      expect(server.connections).toBe(0)
    },
  )
})

describe('TLS', () => {
  test.each(['implicit', 'starttls'] as const)('with %s everything goes encrypted', async (tls) => {
    const server = await sink({ tls })
    await destination(server.port, { tls, ca, host: 'localhost' }).deliver(attempt(), message(MAIL), never)
    expect(server.messages.map((sunk) => sunk.secure)).toEqual([true])
  })

  test.each(badKinds.flatMap((kind) => [[kind, 'implicit'] as const, [kind, 'starttls'] as const]))(
    'a certificate that is %s is not believed with %s, and nothing is said to its server',
    async (certificate, tls) => {
      const server = await sink({ tls, certificate })
      const smtp = destination(server.port, { tls, ca, host: 'localhost' })
      const error = await failure(smtp.ready(never))
      expect(outcome(error)).toBe('temporary destination later')
      expect(error.message).toMatch(/^smtp mx: the TLS handshake: .*: check tls, ca and pin$/)
      expect(outcome(await failure(smtp.deliver(attempt(), message(MAIL), never)))).toBe('temporary destination later')
      expect(server.messages).toEqual([])
    },
  )

  test('without a ca of its own the system is trusted, which does not know ours', async () => {
    const server = await sink({ tls: 'implicit' })
    const smtp = destination(server.port, { tls: 'implicit', host: 'localhost' })
    expect((await failure(smtp.ready(never))).message).toMatch(/TLS handshake: /)
  })

  test.each(['implicit', 'starttls'] as const)('a pin replaces all other checks with %s', async (tls) => {
    const server = await sink({ tls, certificate: 'self-signed' })
    const { pin } = certificates['self-signed']
    await destination(server.port, { tls, pin }).deliver(attempt(), message(MAIL), never)
    expect(server.messages).toHaveLength(1)
  })

  test.each(['implicit', 'starttls'] as const)(
    'another certificate than the pinned one gets no password and no mail with %s',
    async (tls) => {
      const server = await sink({ tls, users: { me: 'secret' } })
      const more = { tls, ca, pin: '0'.repeat(64), user: 'me', secret: () => Promise.resolve('secret') }
      let asked = 0
      server.faults.auth = () => `${535 + asked++} no`
      const error = await failure(destination(server.port, more).deliver(attempt(), message(MAIL), never))
      expect(outcome(error)).toBe('temporary destination later')
      expect(error.message).toContain(certificates.good.pin)
      expect(asked).toBe(0)
      expect(server.messages).toEqual([])
    },
  )

  test('STARTTLS that is not offered, or taken away on the wire, ends it (D050)', async () => {
    const server = await scripted([...hello, { expect: 'STARTTLS' }, { send: '502 what' }, { ignore: true }])
    const error = await failure(destination(server.port, { tls: 'starttls' }).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('temporary destination later')
    expect(heardBy(server)).toBe('EHLO host.example\r\nSTARTTLS\r\n')
  })

  test('bytes in clear behind the answer to STARTTLS end it', async () => {
    const server = await scripted([
      ...hello,
      { expect: 'STARTTLS' },
      { send: '220 go\r\n250-mx\r\n250 AUTH PLAIN' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port, { tls: 'starttls', ca }).ready(never))
    expect(outcome(error)).toBe('temporary destination later')
    expect(error.message).toMatch(/bytes in clear/)
    expect(heardBy(server)).not.toContain('MAIL')
  })
})

describe('signing in', () => {
  const signIn = (password: string): Partial<SmtpConfig> => ({
    user: 'me',
    secret: () => Promise.resolve(password),
  })

  test.each(['auto', 'plain', 'login', 'cram-md5'] as const)('works with %s', async (auth) => {
    const server = await sink({ users: { me: 'secret word' } })
    await destination(server.port, { ...signIn('secret word'), auth }).deliver(attempt(), message(MAIL), never)
    expect(server.messages.map((sunk) => sunk.user)).toEqual(['me'])
  })

  test('a server that does not offer it gets no mail (D050)', async () => {
    const server = await scripted([...hello, { ignore: true }])
    const error = await failure(destination(server.port, signIn('secret')).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('temporary destination later')
    expect(error.message).toMatch(/does not offer to sign in: check user, password or token, and auth/)
    expect(heardBy(server)).toBe('EHLO host.example\r\n')
  })

  test('a server that offers only CRAM-MD5 is asked for by name or not at all', async () => {
    const server = await sink({ users: { me: 'secret' }, more: { authMethods: ['CRAM-MD5'] } })
    const error = await failure(destination(server.port, signIn('secret')).ready(never))
    expect(error.message).toMatch(/offers CRAM-MD5, not PLAIN or LOGIN/)
    await destination(server.port, { ...signIn('secret'), auth: 'cram-md5' }).ready(never)
  })

  test('a refused password stops the destination and appears nowhere, though the server repeats it', async () => {
    const secret = 'correct horse battery'
    const server = await sink({ users: { me: 'other' } })
    server.faults.auth = `535 5.7.8 ${secret} (${Buffer.from(`\0me\0${secret}`).toString('base64')}) is wrong`
    const error = await failure(destination(server.port, signIn(secret)).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('temporary destination later')
    expect(error.message).toMatch(/535 5\.7\.8 \*\*\*\*/)
    expect(error.message).not.toContain('horse')
    expect(error.message).not.toMatch(/[A-Za-z0-9+/]{20}/)
    expect(server.messages).toEqual([])
  })

  test('a password that cannot be had is said as it is, and retried as it says', async () => {
    const server = await sink({ users: { me: 'x' } })
    const cause = new PopfetchError('ERR_SECRET', 'pass show failed', { scope: 'destination', retry: 'soon' })
    const error = await failure(
      destination(server.port, { user: 'me', secret: () => Promise.reject(cause) }).ready(never),
    )
    expect(outcome(error)).toBe('temporary destination soon')
    expect(error.message).toContain('pass show failed')
    const missing = await failure(destination(server.port, { user: 'me' }).ready(never))
    expect(missing.message).toContain('no password is configured')
  })
})

describe('a server out of step', () => {
  test('that answers 250 to DATA gets no content, and the message is unknown (D049)', async () => {
    const server = await scripted([
      ...hello,
      ...mail,
      ...rcpt,
      { expect: 'DATA' },
      { send: '250 weird' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('unknown destination later')
    expect(error.message).toMatch(/DATA was answered "250 weird", which is no answer to it: it may have been delivered/)
    expect(heardBy(server)).not.toContain('Body')
  })

  test('that says one thing too much with its last answer makes the message unknown (D049)', async () => {
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok\r\n250 ok' }, { ignore: true }])
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('unknown destination later')
  })

  test('that says it with the answer to the next MAIL never makes a refused message a delivered one', async () => {
    const shifted: readonly Step[] = [
      { expect: /^MAIL/ },
      { send: '250 surplus\r\n250 ok' },
      { expect: /^RCPT/ },
      { send: '250 ok' },
      { expect: 'DATA' },
      { send: '354 go on' },
      { ignore: true },
    ]
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok' }, ...shifted])
    const smtp = destination(server.port, { concurrency: 1 })
    await smtp.deliver(attempt('1'), message(MAIL), never)
    const error = await failure(smtp.deliver(attempt('2'), message(MAIL), never))
    expect(outcome(error)).toBe('unknown destination later')
    expect(heardBy(server).split('Body')).toHaveLength(2)
  })

  test('that agrees before it has heard everything makes the message unknown, and gets no dot', async () => {
    const text = `Return-Path: <list@example.org>\r\n\r\n${'x'.repeat(998)}\r\n`.padEnd(16_000_000, 'y')
    const server = await stalling(async (socket) => {
      socket.pause()
      socket.write('250 taken\r\n')
    })
    const error = await failure(destination(server.port).deliver(attempt(), message(text), never))
    expect(outcome(error)).toBe('unknown destination later')
    expect(server.heard()).not.toContain('\r\n.\r\n')
  })

  test.each([
    ['a greeting that is none', [{ send: 'hello' }]],
    ['two greetings', [{ send: '220 mx\r\n220 mx' }]],
    ['a reply with two codes', [{ send: '220 mx' }, { expect: /^EHLO/ }, { send: '250-mx\r\n550 no' }]],
  ] as const)('with %s is not spoken to', async (_, steps) => {
    const server = await scripted([...steps, { ignore: true }])
    const error = await failure(destination(server.port).ready(never))
    expect(outcome(error)).toBe('temporary destination later')
    expect(heardBy(server)).not.toContain('MAIL')
  })

  test('at RSET takes back the refusal that it may never have said', async () => {
    const server = await scripted([
      ...hello,
      ...mail,
      { expect: /^RCPT/ },
      { send: '550 no' },
      { expect: 'RSET' },
      { send: '250 ok\r\n250 ok' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('temporary destination later')
  })
})

/** A server that asks for the content and then does `then`, without reading on by itself. */
async function stalling(
  then: (socket: Socket) => Promise<void>,
  atMail: (socket: Socket) => void = (socket) => socket.write('250 ok\r\n'),
): Promise<{ port: number; heard: () => string }> {
  let heard = ''
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('220 mx\r\n')
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      heard += text
      if (text.startsWith('DATA')) socket.write('354 go\r\n')
      else if (text.startsWith('MAIL')) atMail(socket)
      else if (/^(?:EHLO|RCPT)/.test(text)) socket.write('250 ok\r\n')
      else void then(socket)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  open.defer(() => {
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, heard: () => heard }
}

/** Answers each of `asks` with one of `says`, and closes once it has said so many bytes. */
async function cutting(
  says: readonly string[],
  asks: readonly RegExp[],
  bytes: number,
): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    let left = bytes
    let next = 0
    let heard = ''
    const answer = (): void => {
      if (!asks[next]?.test(heard)) return
      heard = ''
      const text = says[next++] ?? ''
      socket.write(text.slice(0, left))
      left -= text.length
      if (left < 0) socket.end()
    }
    answer()
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1')
      answer()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

describe('a lost connection', () => {
  const large = `Return-Path: <list@example.org>\r\n\r\n${'x'.repeat(998)}\r\n`.padEnd(16_000_000, 'y')

  test('after the dot leaves the message unknown (D035, D064)', async () => {
    const server = await sink()
    server.faults.dot = 'lost'
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('unknown message soon')
    expect(error.message).toMatch(/it may have been delivered, and may come twice/)
  })

  test('in the middle of the content leaves it temporary (D036, D037, D073)', async () => {
    const server = await stalling(async (socket) => {
      socket.destroy()
    })
    const error = await failure(destination(server.port).deliver(attempt(), message(large), never))
    expect(outcome(error)).toBe('temporary message soon')
  })

  test('in the middle of the content with TLS leaves it temporary, and after the dot unknown', async () => {
    const tls: Step = { tls: 'good' }
    const sizeless: readonly Step[] = [{ send: '220 mx' }, { expect: /^EHLO/ }, { send: '250 mx' }]
    const middle = await scripted([tls, ...sizeless, ...envelope, { expectUntil: 'xxxx' }, { cut: 'rst' }])
    const more = { tls: 'implicit', ca, host: 'localhost' } as const
    const cut = await failure(
      destination(middle.port, more).deliver(
        attempt(),
        message(MAIL.replace('Body', large.slice(40, 9_000_000))),
        never,
      ),
    )
    expect(outcome(cut)).toBe('temporary message soon')
    const end = await scripted([tls, ...hello, ...envelope, ...content, { cut: 'rst' }])
    expect(outcome(await failure(destination(end.port, more).deliver(attempt(), message(MAIL), never)))).toBe(
      'unknown message soon',
    )
  })

  test.each(['greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA'])(
    'instead of an answer to %s delivers nothing (D065, D066)',
    async (stage) => {
      const stages: Readonly<Record<string, readonly Step[]>> = {
        greeting: [],
        EHLO: [{ send: '220 mx' }, { expect: /^EHLO/ }],
        MAIL: [...hello, { expect: /^MAIL/ }],
        RCPT: [...hello, ...mail, { expect: /^RCPT/ }],
        DATA: [...hello, ...mail, ...rcpt, { expect: 'DATA' }],
      }
      for (const cut of ['fin', 'rst'] as const) {
        const server = await scripted([...(stages[stage] ?? []), { cut }])
        const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
        expect(error.verdict).toBe('temporary')
        expect(error.scope).toBe(stage === 'RCPT' || stage === 'DATA' ? 'message' : 'destination')
      }
    },
  )

  test('that breaks off the final answer is no answer, unless it was a refusal', async () => {
    const half = await scripted([...hello, ...envelope, ...content, { send: Buffer.from('250 o') }, { cut: 'fin' }])
    const error = await failure(destination(half.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('unknown message soon')
    const less = await scripted([...hello, ...envelope, ...content, { send: Buffer.from('2') }, { cut: 'fin' }])
    expect(outcome(await failure(destination(less.port).deliver(attempt(), message(MAIL), never)))).toBe(
      'unknown message soon',
    )
    const no = await scripted([...hello, ...envelope, ...content, { send: Buffer.from('554 n') }, { cut: 'fin' }])
    expect(outcome(await failure(destination(no.port).deliver(attempt(), message(MAIL), never)))).toBe(
      'refused message later',
    )
  })

  test('at any byte of what the server says delivers only with the whole final answer', async () => {
    const says = [
      '220 mx\r\n',
      '250-mx\r\n250 SIZE 9999\r\n',
      '250 ok\r\n',
      '250 ok\r\n',
      '354 go\r\n',
      '250 taken\r\n',
    ]
    const asks = [/^/, /^EHLO/, /^MAIL/, /^RCPT/, /^DATA/, /Body\r\n\.\r\n$/]
    const total = says.join('').length
    const seen: string[] = []
    for (let bytes = 0; bytes <= total; bytes++) {
      await using server = await cutting(says, asks, bytes)
      await using smtp = destination(server.port, {}, { quitMs: 1 })
      const result = await smtp.deliver(attempt(), message(MAIL), never).then(
        () => 'delivered',
        (error: unknown) => (error instanceof DeliveryError ? error.verdict : 'bug'),
      )
      seen.push(result)
    }
    const beforeContent = says.slice(0, 5).join('').length
    expect(seen.slice(0, beforeContent)).toEqual(Array(beforeContent).fill('temporary'))
    expect(seen.slice(beforeContent, total)).toEqual(Array(total - beforeContent).fill('unknown'))
    expect(seen[total]).toBe('delivered')
  })

  test('byte by byte is no loss: a server that sends single bytes is understood', async () => {
    const steps = [...hello, ...envelope, ...content, { send: '250-ok\r\n250 ok' }, { ignore: true } as const]
    const server = open.use(await ScriptedServer.start([steps], { split: 1 }))
    const receipt = await destination(server.port).deliver(attempt(), message(MAIL), never)
    expect(receipt.text).toBe('250-ok 250 ok')
  })

  test('that was idle is replaced, and the message is delivered once', async () => {
    const server = await sink()
    const smtp = destination(server.port)
    await smtp.deliver(attempt('1'), message(MAIL), never)
    server.crash()
    await smtp.deliver(attempt('2'), message(MAIL), never)
    expect(server.messages).toHaveLength(2)
    expect(server.connections).toBe(2)
  })

  test('that the server ends with 421 at the next MAIL is replaced (D049)', async () => {
    const server = await scripted(
      [
        ...hello,
        ...envelope,
        ...content,
        { send: '250 ok' },
        { expect: /^MAIL/ },
        { send: '421 enough' },
        { cut: 'fin' },
      ],
      [...hello, ...envelope, ...content, { send: '250 ok' }, { ignore: true }],
    )
    const smtp = destination(server.port)
    await smtp.deliver(attempt('1'), message(MAIL), never)
    await smtp.deliver(attempt('2'), message(MAIL), never)
    expect(server.connections).toBe(2)
  })

  test('announced with 421 behind the final answer leaves the message delivered', async () => {
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok\r\n421 bye' }, { ignore: true }])
    const receipt = await destination(server.port).deliver(attempt(), message(MAIL), never)
    expect(receipt.text).toBe('250 ok')
  })
})

describe('time limits', () => {
  // Short only where the answer never comes: a busy machine must not make another wait too long. Commands share a limit.
  test.each([
    ['the greeting', { greetingMs: 20 }, [], 'temporary'],
    ['EHLO', { commandMs: 600 }, [{ send: '220 mx' }, { expect: /^EHLO/ }], 'temporary'],
    ['MAIL FROM <list@example.org>', { commandMs: 600 }, [...hello, { expect: /^MAIL/ }], 'temporary'],
    ['RCPT TO <me@example.com>', { commandMs: 600 }, [...hello, ...mail, { expect: /^RCPT/ }], 'temporary'],
    ['DATA', { dataMs: 20 }, [...hello, ...mail, ...rcpt, { expect: 'DATA' }], 'temporary'],
    ['the message', { contentMs: 20 }, [...hello, ...envelope, ...content], 'unknown'],
  ] as const)('end a wait for %s', async (name, limits, steps, verdict) => {
    const server = await scripted([...steps, { cut: 'stall' }])
    const error = await failure(destination(server.port, {}, limits).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe(`${verdict} destination soon`)
    expect(error.message).toMatch(`smtp mx: ${name} was not answered in time: `)
  })

  test('end a content that does not get through as temporary', async () => {
    const server = await stalling(async (socket) => {
      socket.pause()
    })
    const text = 'x'.repeat(998).concat('\r\n').repeat(16_000)
    const error = await failure(destination(server.port, {}, { blockMs: 20 }).deliver(attempt(), message(text), never))
    expect(outcome(error)).toBe('temporary destination soon')
  })

  test('hold for the message as a whole, so that a drip keeps nobody waiting (D061, D072)', async () => {
    const server = await stalling(
      async () => {},
      (socket) => {
        const drip = setInterval(() => socket.write('2'), 5)
        socket.on('close', () => clearInterval(drip))
      },
    )
    // The limit of silence is never reached, the one for the whole is.
    const limits = { commandMs: 600, dataMs: 1, blockMs: 1, contentMs: 1, bytesPerSecond: 1_000_000 }
    const error = await failure(destination(server.port, {}, limits).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('temporary destination soon')
  })

  test('hold for a TLS handshake', async () => {
    const server = await scripted([{ cut: 'stall' }])
    const error = await failure(destination(server.port, { tls: 'implicit', ca }, { tlsMs: 20 }).ready(never))
    expect(error.message).toMatch(/^smtp mx: the TLS handshake was not answered in time/)
  })

  test('hold for QUIT when it is closed', async () => {
    const server = await scripted([...hello, { expect: 'QUIT' }, { cut: 'stall' }])
    const smtp = destination(server.port, {}, { quitMs: 20 })
    await smtp.ready(never)
    await smtp[Symbol.asyncDispose]()
    await server.done
  })

  test('are raised by the configuration, and never lowered (D072)', () => {
    expect(raised(RFC_LIMITS, 1000)).toEqual(RFC_LIMITS)
    expect(raised(RFC_LIMITS, null)).toEqual(RFC_LIMITS)
    const { contentMs, dataMs, greetingMs, quitMs } = raised(RFC_LIMITS, 400_000)
    expect([contentMs, dataMs, greetingMs, quitMs]).toEqual([600_000, 400_000, 400_000, RFC_LIMITS.quitMs])
  })
})

describe('refusals', () => {
  test.each([
    ['rcpt', '550 5.1.1 no such user', 'refused message later'],
    ['rcpt', '450 4.2.1 mailbox busy', 'temporary message soon'],
    ['dot', '554 5.7.1 spam', 'refused message later'],
    ['dot', '451 4.3.0 later', 'temporary message soon'],
    ['mail', '451 4.3.0 later', 'temporary destination soon'],
    ['mail', '530 5.7.0 sign in first', 'temporary destination later'],
    ['connect', '554 5.7.1 blocked', 'temporary destination later'],
    ['connect', '421 busy', 'temporary destination soon'],
  ] as const)('at %s, "%s" is %s (D030, D031, D071)', async (stage, answer, expected) => {
    const server = await sink()
    server.faults[stage] = answer
    const smtp = destination(server.port, { from: { kind: 'address', address: 'me@example.com' } })
    const error = await failure(smtp.deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe(expected)
    expect(error.message).toContain(`"${answer.slice(0, 3)}`)
    expect(server.messages).toEqual([])
  })

  test('leave the connection good for the next message', async () => {
    const server = await sink()
    const smtp = destination(server.port)
    for (const [index, stage] of (['rcpt', 'dot', 'mail'] as const).entries()) {
      server.faults[stage] = stage === 'mail' ? '550 5.1.8 bad sender' : '451 later'
      await failure(smtp.deliver(attempt(`f${index}`), message(MAIL), never))
      server.faults[stage] = null
      await smtp.deliver(attempt(`g${index}`), message(MAIL), never)
    }
    expect(server.messages).toHaveLength(3)
    expect(server.connections).toBe(1)
  })

  test('a server without PIPELINING and without RSET is only asked again on a new connection (D049)', async () => {
    const server = await scripted(
      [
        ...hello,
        ...mail,
        { expect: /^RCPT/ },
        { send: '450 later' },
        { expect: 'RSET' },
        { send: '502 what' },
        { ignore: true },
      ],
      [...hello, ...envelope, ...content, { send: '250 ok' }, { ignore: true }],
    )
    const smtp = destination(server.port)
    await failure(smtp.deliver(attempt('1'), message(MAIL), never))
    await smtp.deliver(attempt('2'), message(MAIL), never)
  })

  test('of three messages in a row with the same words are the destination, and the rest is not tried (D032)', async () => {
    const server = await sink()
    let asked = 0
    server.faults.rcpt = () => `554 5.7.1 relaying denied ${asked++}`
    const smtp = destination(server.port, { concurrency: 1 })
    await smtp.ready(never)
    const outcomes: string[] = []
    for (let n = 0; n < 10; n++)
      outcomes.push(outcome(await failure(smtp.deliver(attempt(`${n}`), message(MAIL), never))))
    expect(outcomes.slice(0, 3)).toEqual([
      'refused message later',
      'refused message later',
      'temporary destination later',
    ])
    expect(new Set(outcomes.slice(3))).toEqual(new Set(['temporary destination later']))
    expect(asked).toBe(3)
  })
  test('after a message that got as far as its content are counted anew', async () => {
    const server = await sink()
    const smtp = destination(server.port)
    for (const [n, stage] of (['rcpt', 'rcpt', 'dot', 'rcpt', 'rcpt'] as const).entries()) {
      server.faults[stage] = '554 5.7.1 no'
      expect((await failure(smtp.deliver(attempt(`${n}`), message(MAIL), never))).scope).toBe('message')
      server.faults[stage] = null
    }
  })
})

describe('a failed destination', () => {
  test('refuses at once until it is asked again whether it is there', async () => {
    const server = await sink()
    server.faults.mail = '451 4.3.0 later'
    const smtp = destination(server.port, { from: { kind: 'null' } })
    const first = await failure(smtp.deliver(attempt('1'), message(MAIL), never))
    server.faults.mail = null
    expect(await failure(smtp.deliver(attempt('2'), message(MAIL), never))).toBe(first)
    expect(server.messages).toEqual([])
    await smtp.ready(never)
    await smtp.deliver(attempt('3'), message(MAIL), never)
    expect(server.messages).toHaveLength(1)
  })

  test('makes others temporary where it left one message unknown', async () => {
    const server = await scripted([
      ...hello,
      ...mail,
      ...rcpt,
      { expect: 'DATA' },
      { send: '250 weird' },
      { ignore: true },
    ])
    const smtp = destination(server.port)
    expect((await failure(smtp.deliver(attempt('1'), message(MAIL), never))).verdict).toBe('unknown')
    expect(outcome(await failure(smtp.deliver(attempt('2'), message(MAIL), never)))).toBe('temporary destination later')
    expect(server.connections).toBe(1)
  })

  test('is one nobody listens at', async () => {
    const server = await sink()
    const { port } = server
    await server[Symbol.asyncDispose]()
    const smtp = destination(port)
    const error = await failure(smtp.ready(never))
    expect(outcome(error)).toBe('temporary destination soon')
    expect(error.message).toMatch(/^smtp mx: connecting failed: .*ECONNREFUSED/)
  })

  test('is told to all who wait for a connection, not one after the other', async () => {
    const server = await sink()
    server.faults.connect = '421 busy'
    const smtp = destination(server.port, { concurrency: 2 })
    const all = Array.from({ length: 6 }, (_, n) => failure(smtp.deliver(attempt(`${n}`), message(MAIL), never)))
    expect((await Promise.all(all)).map(outcome)).toEqual(Array(6).fill('temporary destination soon'))
    expect(server.connections).toBe(2)
  })
})

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

describe('being stopped', () => {
  test('ends a wait for a connection, a wait for an answer, and leaves the others alone', async () => {
    const server = await sink()
    const reached = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<string | null>()
    server.faults.rcpt = () => {
      reached.resolve()
      return answer.promise
    }
    const smtp = destination(server.port, { concurrency: 1 })
    const first = smtp.deliver(attempt('1'), message(MAIL), never)
    await reached.promise
    const stop = new AbortController()
    const waiting = failure(smtp.deliver(attempt('2'), message(MAIL), stop.signal))
    stop.abort()
    expect(outcome(await waiting)).toBe('temporary message soon')
    answer.resolve(null)
    await first
    expect(server.messages).toHaveLength(1)
  })

  test('before the content is through is temporary, and after it unknown', async () => {
    for (const [stage, verdict] of [
      ['rcpt', 'temporary'],
      ['dot', 'unknown'],
    ] as const) {
      const server = await sink()
      const stop = new AbortController()
      server.faults[stage] = () => {
        stop.abort()
        return 'stall'
      }
      const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), stop.signal))
      expect(outcome(error)).toBe(`${verdict} message soon`)
    }
  })

  test('by closing it ends what is under way', async () => {
    const server = await sink()
    const smtp = destination(server.port)
    server.faults.rcpt = () => {
      void smtp[Symbol.asyncDispose]()
      return 'stall'
    }
    expect((await failure(smtp.deliver(attempt(), message(MAIL), never))).verdict).toBe('temporary')
    expect((await failure(smtp.deliver(attempt(), message(MAIL), never))).verdict).toBe('temporary')
  })
})

test('nodemailer is pinned to the version whose log and callbacks were read (D076)', () => {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, '../../..', file), 'utf8'))
  expect(read('package.json')).toMatchObject({ devDependencies: { nodemailer: '10.6.1' } })
  expect(read('node_modules/nodemailer/package.json')).toMatchObject({ version: '10.6.1' })
})
