// Signatures of another implementation, over headers and bodies that are easily damaged, still verify after a delivery (P3): in
// a Maildir, in an mbox, behind SMTP, LMTP or a command.
import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { makeMessage, readMaildir } from './mail.ts'
import { only, openDesk, type Desk } from './popfetch.ts'
import { startSink } from './postfix.ts'
import { runProgram } from './program.ts'

const COUNT = 48
const script = join(import.meta.dirname, 'signatures.py')
const servers = new AsyncDisposableStack()
let dovecot: Dovecot
/** Not another Python that comes first on the path: the package is installed for this one. */
const python = '/usr/bin/python3'

beforeAll(async () => {
  dovecot = servers.use(await startDovecot({ lmtp: true }))
  if (!existsSync('/usr/lib/python3/dist-packages/dkim'))
    throw new Error('dkimpy is not installed: apt-get install -y python3-dkim')
})
afterAll(() => servers.disposeAsync())

async function dkim(desk: Desk, command: 'sign' | 'verify', secret: string, messages: readonly Buffer[]) {
  const paths = messages.map((_, index) => join(desk.directory, `${command}-${index}`))
  for (const [index, message] of messages.entries()) await writeFile(paths[index] ?? '', message)
  await writeFile(join(desk.directory, 'secret'), secret)
  const printed = await runProgram(python, [script, command, join(desk.directory, 'secret'), ...paths], desk.directory)
  return {
    printed: printed.split('\n').filter(Boolean),
    messages: await Promise.all(paths.map((path) => readFile(path))),
  }
}

/** The form undone, by its definition: From_ lines and the empty lines before them out, one `>` away. */
function inMbox(text: string): readonly Buffer[] {
  const messages = `\n${text}`.split(/\nFrom [^\n]*\n/).slice(1)
  return messages.map((one) => Buffer.from(`\n${one}`.replaceAll(/\n>(>*From )/g, '\n$1').slice(1), 'latin1'))
}

test('DKIM signatures verify after Maildir, mbox, SMTP, LMTP and command, whether simple or relaxed', async () => {
  await using desk = await openDesk()
  await using sink = await startSink({ dump: true })
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const record = `v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
  const originals = Array.from({ length: COUNT }, (_, index) => makeMessage(index))
  const key = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const signed = (await dkim(desk, 'sign', key, originals)).messages
  await dovecot.seed('signed', COUNT, (index) => signed[index] ?? Buffer.alloc(0))
  const { pop3Port, password, lmtpSocket } = dovecot
  const mbox = join(desk.directory, 'mbox')
  const taken = join(desk.directory, 'taken')
  await mkdir(taken)
  const deliver = [
    { type: 'maildir', path: desk.maildir },
    { type: 'smtp', host: '127.0.0.1', port: sink.port, to: 'someone@destination.test', label: true },
    { type: 'lmtp', socket: lmtpSocket, to: 'signed-in' },
    { type: 'mbox', path: mbox, label: true },
    { type: 'command', run: ['sh', '-c', 'cat > "$(mktemp "$0/XXXXXXXX")"', taken], concurrency: 8 },
  ]
  await desk.configure({
    accounts: { here: { host: '127.0.0.1', port: pop3Port, tls: 'none', user: 'signed', password, deliver } },
  })

  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: COUNT })

  const inbox = (await dovecot.mailbox('signed-in')).maildir
  const places = [
    [...(await readMaildir(desk.maildir)).values()],
    await sink.messages(),
    [...(await readMaildir(inbox)).values()],
    inMbox(await readFile(mbox, 'latin1')),
    await Promise.all((await readdir(taken)).map((name) => readFile(join(taken, name)))),
  ]
  for (const messages of places) {
    expect(messages).toHaveLength(COUNT)
    expect((await dkim(desk, 'verify', record, messages)).printed).toEqual([])
  }
  // They would not if a byte were another one.
  const spoilt = signed.map((message) => Buffer.from(message.toString('latin1').replace('number', 'numbers'), 'latin1'))
  expect((await dkim(desk, 'verify', record, spoilt)).printed).toHaveLength(COUNT)
})
