// The daemon under systemd, as far as that goes without a running systemd. The units are checked by systemd's own
// tools, its notifications are received. The container has a file of its own.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { readArguments } from '../../src/cli/arguments/read.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { findProgram, runProgram, temporaryDirectory } from './program.ts'

const repository = join(import.meta.dirname, '../..')
const startFile = join(repository, 'bin/popfetch.ts')
const units = join(repository, 'examples/systemd')

describe('the systemd units', () => {
  test('are correct, and their command lines are understood', async () => {
    const analyze = await findProgram('systemd-analyze', 'systemd')
    await using directory = await temporaryDirectory()
    for (const folder of ['.', 'user']) {
      for (const name of (await readdir(join(units, folder))).filter((each) => /\.(service|timer)$/.test(each))) {
        const text = await readFile(join(units, folder, name), 'utf8')
        for (const [, line = ''] of text.matchAll(/^Exec\w+=\/usr\/bin\/popfetch ?(.*)$/gm)) {
          expect(['reload', 'poll']).toContain((await readArguments(line.split(' ').filter(Boolean), 80)).command)
        }
        await mkdir(join(directory.path, folder), { recursive: true })
        // popfetch is not installed here; any program that is will do.
        await writeFile(join(directory.path, folder, name), text.replaceAll('/usr/bin/popfetch', '/bin/true'))
      }
    }
    // For --user, which wants to know where a manager would run.
    const env = { ...process.env, XDG_RUNTIME_DIR: directory.path }
    const names = ['popfetch.service', 'popfetch-poll.service', 'popfetch-poll.timer']
    for (const args of [
      names.map((name) => join(directory.path, name)),
      ['--user', join(directory.path, 'user/popfetch.service')],
    ]) {
      const { status, stderr } = run(analyze, ['verify', '--man=no', '--recursive-errors=no', ...args], env)
      expect({ status, stderr: stderr.split('\n').filter((line) => line.includes('popfetch')) }).toEqual({
        status: 0,
        stderr: [],
      })
    }
  })

  test.each(['popfetch.service', 'popfetch-poll.service'])(
    '%s leaves its process little to do harm with',
    async (name) => {
      const analyze = await findProgram('systemd-analyze', 'systemd')
      // 2.0 of 10 at most; an ordinary service has 9.
      const { status, stdout } = run(analyze, [
        'security',
        '--offline=true',
        '--threshold=20',
        '--no-pager',
        join(units, name),
      ])
      expect({ status, stdout: status === 0 ? '' : stdout }).toEqual({ status: 0, stdout: '' })
    },
  )
})

/** Prints what is sent to a datagram socket, word by word. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    data, ancillary, flags, address = s.recvmsg(4096, 4096)
    for level, kind, fds in ancillary:
        import array, os
        for fd in array.array('i', fds[:len(fds) // 4 * 4]): os.close(fd)
    for word in data.decode().split('\\n'): print(word, flush=True)
`

test('systemd hears that it is ready, alive and ending, in its own words (N035)', async () => {
  await findProgram('systemd-notify', 'systemd')
  const python = await findProgram('python3', 'python3')
  await using directory = await temporaryDirectory()
  await using server = await Pop3Server.start()
  await configure(directory.path, server, join(directory.path, 'Mail'))
  const socket = join(directory.path, 'notify')
  const receiver = spawn(python, ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  const words = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
  const until = async (word: string): Promise<void> => {
    for (let next = await words.next(); next.value !== word; next = await words.next())
      if (next.done) throw new Error(word)
  }
  try {
    await until('bound')
    const child = spawn(
      process.execPath,
      [startFile, '--daemon', '--foreground', '--config', join(directory.path, 'config.json')],
      {
        env: { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' },
        stdio: 'ignore',
      },
    )
    await until('READY=1')
    await until('STATUS=polling 1 account')
    await until('WATCHDOG=1')
    child.kill('SIGTERM')
    await until('STOPPING=1')
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(0)
  } finally {
    receiver.kill()
  }
})

/** Runs a command on a terminal, waits for a file and hangs up. */
const HANG_UP = `
import os, pty, sys, time
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
while not os.path.exists(sys.argv[1]): time.sleep(0.02)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

test('in the foreground of a terminal it ends with the terminal', async () => {
  const python = await findProgram('python3', 'python3')
  await using directory = await temporaryDirectory()
  await using server = await Pop3Server.start()
  const file = await configure(directory.path, server, join(directory.path, 'Mail'))
  const command = [process.execPath, startFile, '--daemon', '--foreground', '--config', file]
  const up = join(directory.path, 'state.db.socket')
  expect(await runProgram(python, ['-c', HANG_UP, up, ...command], directory.path)).toBe('0\n')
})

async function configure(directory: string, server: Pop3Server, maildir: string): Promise<string> {
  server.mailbox('alice', 'secret')
  const { host, port } = server
  const account = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: `maildir:${maildir}` }
  const file = join(directory, 'config.json')
  const state = maildir.endsWith('Mail') ? { state: join(directory, 'state.db') } : {}
  await writeFile(file, JSON.stringify({ accounts: { work: account }, ...state }), { mode: 0o600 })
  return file
}

function run(
  program: string,
  args: readonly string[],
  env = process.env,
): { status: number; stdout: string; stderr: string } {
  try {
    return { status: 0, stdout: execFileSync(program, args, { env, encoding: 'utf8', stdio: 'pipe' }), stderr: '' }
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string }
    return { status, stdout, stderr }
  }
}
