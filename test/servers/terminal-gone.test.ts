// A person starts a poll and closes the window, or the line to the machine drops: the terminal is gone while mail comes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { findProgram, temporaryDirectory } from './program.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))
const MESSAGES = 40

test.each([
  ['that shows progress', []],
  ['that shows each step', ['--verbose']],
])('a poll %s delivers all of it though its terminal goes away', async (_, words) => {
  const python = await findProgram('python3', 'python3')
  await using directory = await temporaryDirectory()
  await using server = await Pop3Server.start()
  const mailbox = server.mailbox('alice', 'secret')
  for (let at = 0; at < MESSAGES; at++) mailbox.add(`Subject: letter ${at}\r\n\r\ntext\r\n`)
  const { host, port } = server
  const account = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'maildir:Mail', first: 'all' }
  const config = join(directory.path, 'config.json')
  await writeFile(config, JSON.stringify({ accounts: { work: account } }), { mode: 0o600 })
  const home = join(directory.path, 'home')
  await mkdir(home)

  const command = [
    process.execPath,
    startFile,
    ...words,
    '--config',
    config,
    '--state',
    join(directory.path, 'state.db'),
  ]
  const child = spawn(python, [join(import.meta.dirname, 'passing_terminal.py'), ...command], {
    cwd: directory.path,
    env: { PATH: process.env['PATH'], HOME: home, XDG_RUNTIME_DIR: home, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const said: string[] = []
  const lines = createInterface(child.stdout)
  const isGone = once(lines, 'line')
  lines.on('line', (line) => said.push(line))
  const ended = once(child, 'close')
  // In the middle of the mail, and the server goes on when it has happened.
  let isLate = false
  server.faults.onCommand = async (verb) => {
    if (verb !== 'RETR' || isLate) return 'serve'
    isLate = true
    child.stdin.write('\n')
    await isGone
    return 'serve'
  }
  await ended
  expect(said).toEqual(['gone', '0'])
  expect(await readdir(join(directory.path, 'Mail/new'))).toHaveLength(MESSAGES)
})
