// A large message through SMTP: complete, and in memory that does not grow with it (P5).
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { SMTPServer } from 'smtp-server'
import type { AddressInfo } from 'node:net'
import { startDovecot } from './dovecot.ts'
import { only, openDesk } from './popfetch.ts'
import { roomyDirectory } from './program.ts'

const sizeBytes = 300e6
/** 100 MB are Node itself, up to 100 MB what a busy machine has not collected yet; half of the message at once would show. */
const memoryLimitBytes = 250e6

test('a message of 300 MB passes through SMTP unchanged, in memory that does not grow with it', async () => {
  const parent = await roomyDirectory(3 * sizeBytes)
  await using dovecot = await startDovecot({ parent })
  await using desk = await openDesk(parent)
  const digest = await dovecot.seedLarge('alice', sizeBytes)
  const received = Promise.withResolvers<string>()
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onData: (stream, _, done) => {
      const hash = createHash('sha256')
      let top: Buffer | null = Buffer.alloc(0)
      stream.on('data', (chunk: Buffer) => {
        if (top === null) return void hash.update(asLf(chunk))
        top = Buffer.concat([top, chunk])
        const end = top.indexOf('Return-Path: ')
        if (end < 0) return
        hash.update(asLf(top.subarray(end)))
        top = null
      })
      stream.on('end', () => {
        received.resolve(hash.digest('hex'))
        done()
      })
    },
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  const { pop3Port, password } = dovecot
  await desk.configure({
    accounts: {
      here: {
        host: '127.0.0.1',
        port: pop3Port,
        tls: 'none',
        user: 'alice',
        password,
        deliver: { type: 'smtp', host: '127.0.0.1', port, to: 'someone@destination.test' },
      },
    },
  })

  const result = await desk.run()
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })

  expect(only(result)).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(await received.promise).toBe(digest)
  expect(result.peakMemoryBytes).toBeLessThan(memoryLimitBytes)
})

/** All line ends here are CRLF, so that each CR may go, wherever a chunk ends. */
function asLf(chunk: Buffer): Buffer {
  return Buffer.from(chunk.toString('latin1').replaceAll('\r', ''), 'latin1')
}
