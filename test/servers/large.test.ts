// Much mail and large mail from a real Dovecot: complete, unchanged, and in bounded memory (P5).
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startDovecot } from './dovecot.ts'
import { afterField, damaged, makeMessage, readMaildir } from './mail.ts'
import { only, openDesk } from './popfetch.ts'
import { roomyDirectory } from './program.ts'

const memoryLimitBytes = 150e6

test('five thousand messages of 4 kB arrive once and unchanged, in less than 150 MB of memory', async () => {
  await using dovecot = await startDovecot({ parent: await roomyDirectory(200e6) })
  await using desk = await openDesk()
  const original = (index: number): Buffer => makeMessage(index, 4_096)
  await dovecot.seed('alice', 5_000, original)
  await desk.configure({
    accounts: {
      here: {
        host: 'localhost',
        port: dovecot.pop3sPort,
        ca: dovecot.certificate.caFile,
        user: 'alice',
        password: dovecot.password,
        deliver: { type: 'maildir', path: desk.maildir },
      },
    },
  })

  const result = await desk.run()

  expect(only(result)).toMatchObject({ outcome: 'ok', delivered: 5_000 })
  const arrived = await readMaildir(desk.maildir)
  expect(arrived.size).toBe(5_000)
  expect(damaged(arrived, 5_000, original)).toEqual([])
  expect(result.peakMemoryBytes).toBeGreaterThan(20e6)
  expect(result.peakMemoryBytes).toBeLessThan(memoryLimitBytes)
})

test('a message of 1 GB arrives unchanged, in less than 150 MB of memory', async () => {
  const parent = await roomyDirectory(4e9)
  await using dovecot = await startDovecot({ parent })
  await using desk = await openDesk(parent)
  const digest = await dovecot.seedLarge('alice', 1e9)
  await desk.configure({
    accounts: {
      here: {
        host: '127.0.0.1',
        port: dovecot.pop3Port,
        tls: 'none',
        user: 'alice',
        password: dovecot.password,
        deliver: { type: 'maildir', path: desk.maildir },
        delete: 'after-delivery',
      },
    },
  })

  const result = await desk.run()

  expect(only(result)).toMatchObject({ outcome: 'ok', delivered: 1, deleted: 1 })
  const [name, ...others] = await readdir(join(desk.maildir, 'new'))
  expect(others).toEqual([])
  expect(await digestWithoutTrace(join(desk.maildir, 'new', name ?? ''))).toBe(digest)
  expect(await dovecot.remaining('alice')).toBe(0)
  expect(result.peakMemoryBytes).toBeLessThan(memoryLimitBytes)
})

async function digestWithoutTrace(path: string): Promise<string> {
  await using file = await open(path)
  const head = Buffer.alloc(4_096)
  await file.read(head, 0, head.length, 0)
  expect(head.toString('latin1', 0, 9)).toBe('Received:')
  const start = head.length - afterField(head).length
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { start })) hash.update(piece as Buffer)
  return hash.digest('hex')
}
