// The same mailbox through popfetch, Python's poplib and mpop. Mail that every client must read alike, and mail that the
// others are known to damage, where the fake server's own bytes are the judge. The server is ours, so that it serves exactly
// what the corpus says.
import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { makeMessage, makeOddMessage } from './mail.ts'
import { only, openDesk, type Desk } from './popfetch.ts'
import { poplibMessages } from './poplib.ts'
import { installed } from './program.ts'

const CORPORA: readonly (readonly [name: string, messages: readonly string[]])[] = [
  ['plain mail', Array.from({ length: 40 }, (_, at) => makeMessage(at).toString('latin1'))],
  [
    'dots at the start of lines, in every number',
    ['', '.', '..', '...', '.x', '..x', '. ', '.\t', 'x.', 'x\n.\n.\nx', 'x\n\n.\n\n'].map(
      (body, at) => `Subject: dots ${at}\n\n${body}\n`,
    ),
  ],
  [
    'odd shapes (P121): no body, no header, no blank line, From lines, folds',
    [
      'Subject: only a header\n',
      'Subject: an empty body\n\n',
      '\nno header\n',
      'no field at all\n',
      'From sender@source.test Mon Jan  1 00:00:00 2024\nSubject: From_\n\nx\n',
      '>From sender@source.test\nSubject: >From_\n\nx\n',
      ' begins with a fold\nSubject: x\n\nx\n',
      `Subject: ${'long '.repeat(200)}\n folded\n\tand folded\n\n${'line '.repeat(300)}\n`,
    ],
  ],
  [
    'eight-bit text and control characters',
    Array.from({ length: 8 }, (_, at) => {
      const codes = Array.from({ length: 224 }, (_, code) => 32 + ((code * (2 * at + 1)) % 224))
      return `Subject: bytes ${at}\n\n${String.fromCodePoint(...codes)}\n\u0001\u0007\u001b[2J\u007f\u0000x\n`
    }),
  ],
  ['long lines', [`Subject: long\n\n${'x'.repeat(100_000)}\n.${'y'.repeat(70_000)}\n`]],
]

async function serve(messages: readonly string[]): Promise<Pop3Server> {
  const server = await Pop3Server.start()
  const mailbox = server.mailbox('alice')
  for (const message of messages) mailbox.add(Buffer.from(message.replaceAll('\n', '\r\n'), 'latin1'))
  return server
}

async function ours(server: Pop3Server, desk: Desk): Promise<readonly string[]> {
  await desk.configure({
    accounts: {
      here: { host: server.host, port: server.port, tls: 'none', user: 'alice', password: 'secret', deliver: 'inbox' },
    },
    destinations: { inbox: { type: 'maildir', path: desk.maildir, trace: false } },
  })
  expect(only(await desk.run('here'))).toMatchObject({ outcome: 'ok' })
  return (await folder(desk.maildir)).map(latin1).sort()
}

async function folder(maildir: string): Promise<readonly Buffer[]> {
  const names = await readdir(join(maildir, 'new'))
  return await Promise.all(names.map((name) => readFile(join(maildir, 'new', name))))
}

/** Each message as mpop hands it to a program, line ends as LF. */
async function mpop(program: string, server: Pop3Server, directory: string): Promise<readonly string[]> {
  const out = join(directory, 'mpop')
  const delivery = `mda,sh -c 'mkdir -p ${out}/new && cat > "$(mktemp ${out}/new/XXXXXX)"'`
  const options = ['--file=/dev/null', '--tls=off', '--auth=user', '--keep=on', '--received-header=off']
  const address = [`--host=${server.host}`, `--port=${server.port}`, '--user=alice', '--passwordeval=echo secret']
  const files = [`--uidls-file=${directory}/uidls`, `--delivery=${delivery}`]
  const child = spawn(program, [...options, ...address, ...files], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`mpop ended with ${code}: ${said}`)
  return (await folder(out)).map((message) => message.toString('latin1').replaceAll('\r\n', '\n')).sort()
}

describe.each(CORPORA)('%s', (_, messages) => {
  const expected = [...messages].sort()
  let mpopPath: string | null = null
  beforeAll(async () => {
    mpopPath = await installed('mpop')
  })

  test('popfetch and poplib read it alike, and as it was written', async () => {
    await using server = await serve(messages)
    await using desk = await openDesk()
    expect((await poplibMessages({ port: server.port, tls: 'none' }, 'alice', 'secret')).map(latin1).sort()).toEqual(
      expected,
    )
    expect(await ours(server, desk)).toEqual(expected)
  })

  test('popfetch and mpop read it alike, where mpop is installed', async ({ skip }) => {
    if (mpopPath === null) return skip('mpop is not installed')
    await using server = await serve(messages)
    await using desk = await openDesk()
    expect(await ours(server, desk)).toEqual(await mpop(mpopPath, server, desk.directory))
  })
})

function latin1(message: Buffer): string {
  return message.toString('latin1')
}

test('bare CR and NUL arrive as they are; the others may do with them what they like', async () => {
  const messages = Array.from({ length: 6 }, (_, at) => makeOddMessage(at).toString('latin1'))
  await using server = await serve(messages)
  await using desk = await openDesk()
  expect(await ours(server, desk)).toEqual([...messages].sort())
})
