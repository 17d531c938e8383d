// An mbox that popfetch wrote. formail, which has read such files for decades, reads it; procmail writes to it at the same
// time.
import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { makeMessage, messageId } from './mail.ts'
import { only, openDesk, type Desk } from './popfetch.ts'
import { findProgram, runProgram } from './program.ts'

const COUNT = 60
const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot())
})
afterAll(() => servers.disposeAsync())

async function fetch(desk: Desk, user: string): Promise<string> {
  const mbox = join(desk.directory, 'inbox')
  await dovecot.seed(user, COUNT, makeMessage)
  const { pop3Port, password } = dovecot
  await desk.configure({
    accounts: {
      here: { host: '127.0.0.1', port: pop3Port, tls: 'none', user, password, deliver: 'in', delete: 'after-delivery' },
    },
    destinations: { in: { type: 'mbox', path: mbox } },
  })
  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: COUNT, deleted: COUNT })
  return mbox
}

/** As it was sent, from what a program made of it: the quoting of mboxrd and popfetch's own fields taken off. */
function original(text: Buffer): Buffer {
  const fields = /^(?:From [^\n]*\n)?Received: [^\n]*\n\t[^\n]*\nX-Popfetch-Delivery: [^\n]*\n/
  return Buffer.from(
    text
      .toString('latin1')
      .replace(fields, '')
      .replace(/^>(>*From )/gm, '$1'),
    'latin1',
  )
}

test('formail finds every message, to the byte', async () => {
  const formail = await findProgram('formail', 'procmail')
  await using desk = await openDesk()
  const mbox = await fetch(desk, 'formail')
  const parts = join(desk.directory, 'parts')
  await mkdir(parts)
  const script = `${formail} -s sh -c 'cat > "${parts}/$FILENO"' < ${mbox}`
  await runProgram('/bin/sh', ['-c', `FILENO=000 ${script}`], desk.directory)
  for (let index = 0; index < COUNT; index++) {
    const part = await readFile(join(parts, String(index).padStart(3, '0')))
    // The empty line that ends a message in an mbox.
    const sent = original(part.subarray(0, -1))
    const expected = Array.from({ length: COUNT }, (_, at) => makeMessage(at)).find(
      (one) => messageId(one) === messageId(sent),
    )
    expect(sent.equals(expected ?? Buffer.alloc(0)), messageId(sent)).toBe(true)
  }
})

test('procmail writes to it at the same time, and neither spoils a message of the other', async () => {
  const procmail = await findProgram('procmail', 'procmail')
  const formail = await findProgram('formail', 'procmail')
  await using desk = await openDesk()
  const mbox = join(desk.directory, 'inbox')
  const rules = join(desk.directory, 'rules')
  await writeFile(rules, `LOCKSLEEP=1\n:0:\n${mbox}\n`, { mode: 0o600 })
  const drop = async (index: number): Promise<void> => {
    const child = spawn(procmail, [rules], { stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.end(
      `From x@y.z Tue Nov 24 13:10:22 2026\nMessage-ID: <procmail.${index}>\nSubject: x\n\nbody ${index}\n`,
    )
    await new Promise((resolve) => child.on('exit', resolve))
  }
  const others = (async () => {
    for (let index = 0; index < 40; index++) await drop(index)
  })()
  await fetch(desk, 'procmail')
  await others
  const ids = await runProgram('/bin/sh', ['-c', `${formail} -s ${formail} -czxMessage-ID: < ${mbox}`], desk.directory)
  expect(new Set(ids.trim().split('\n')).size).toBe(COUNT + 40)
})
