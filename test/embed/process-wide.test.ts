// The process belongs to the program that embeds popfetch: what holds for all of it is as it was, after the import, after polls of
// many megabytes, and at the end; and it ends by itself.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { expect, inject, test } from 'vitest'
import { Scene } from './scene.ts'

interface Told {
  readonly before: object
  readonly imported: object
  readonly polled: object
  readonly closed: object
  readonly running: readonly string[]
  readonly delivered: number
}

test.each([
  ['the sources', path.join(import.meta.dirname, '../../src/index.ts')],
  ['the build', path.join(path.dirname(inject('popfetch')), 'index.js')],
])('importing and using popfetch changes nothing of the process: %s', async (_, from) => {
  await using scene = await Scene.create()
  const mailbox = scene.server.mailbox('alice')
  for (let at = 0; at < 40; at++)
    mailbox.add(`Subject: large ${at}\r\n\r\n${'a line of a large message\r\n'.repeat(20_000)}`, {
      uidl: `large-${at}`,
    })
  const guest = path.join(import.meta.dirname, 'guest.ts')
  const child = fork(guest, [from, String(scene.server.port), scene.folder], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (printed += String(chunk)))
  const [[told], [code]] = (await Promise.all([once(child, 'message'), once(child, 'exit')])) as [[Told], [number]]
  expect({ code, printed, delivered: told.delivered }).toEqual({ code: 0, printed: '', delivered: 40 })
  for (const later of [told.imported, told.polled, told.closed]) expect(later).toEqual(told.before)
  expect(told.running.filter((name) => name !== 'PipeWrap')).toEqual([])
})
