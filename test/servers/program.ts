// Starting other people's programs for the tests with real servers and the bench: finding them, a free port, readiness,
// the end. Knows no server in particular. The one rule: nothing that was started outlives its scope, not even when the
// test run itself is killed.
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, chmod, mkdtemp, rm, statfs, readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** The program's path. Rejects with the line that installs it. */
export async function findProgram(name: string, packages: string): Promise<string> {
  const found = await installed(name)
  if (found === null)
    throw new Error(`${name} is not installed: run apt-get install -y --no-install-recommends ${packages}`)
  return found
}

/** The program's path, or null. Servers live in sbin, which is not on the path of everybody. */
export async function installed(name: string): Promise<string | null> {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin']
  for (const directory of directories) {
    const path = join(directory, name)
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  return null
}

export interface Running extends AsyncDisposable {
  readonly pid: number
  /** Standard output and standard error so far, the last 64 KiB. */
  output(): string
  readonly exited: Promise<number | null>
}

/** Starts a program that stays in the foreground; disposing of it sends SIGTERM and waits. */
export async function startProgram(command: string, args: readonly string[], directory: string): Promise<Running> {
  const setpriv = await findProgram('setpriv', 'util-linux')
  const child = spawn(setpriv, ['--pdeathsig', 'TERM', '--', command, ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-65_536)
    })
  }
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('exit', resolve)
  })
  if (child.pid === undefined) await exited
  return {
    pid: child.pid ?? 0,
    output: () => text,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const stubborn = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(stubborn)
    },
  }
}

/** The processes that a process started, and that have not ended. */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const pids = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return pids
    .trim()
    .split(' ')
    .filter((each) => each !== '')
    .map(Number)
}

/** Resolves when something on the port greets with `greeting`; rejects with what the program said when it does not. */
export async function greets(port: number, greeting: string, why: () => string, timeoutMs = 15_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    const line = await firstBytes(port)
    if (line.startsWith(greeting)) return
    await wait(20)
  }
  throw new Error(`nothing greeted with "${greeting}" on 127.0.0.1:${port} within ${timeoutMs} ms: ${why()}`)
}

function firstBytes(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const finish = (text: string): void => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(2_000, () => finish(''))
    socket.once('error', () => finish(''))
    socket.once('close', () => resolve(''))
    socket.once('data', (chunk) => finish(chunk.toString('latin1')))
  })
}

/** A free loopback port. Below the range the kernel gives to outgoing connections: otherwise one of those could take it
 *  before the server does. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Runs a program to its end and gives what it printed. Rejects with that when it fails. */
export async function runProgram(command: string, args: readonly string[], directory: string): Promise<string> {
  await using running = await startProgram(command, args, directory)
  const code = await running.exited
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${running.output().trim()}`)
  return running.output()
}

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string
}

/** A new directory, removed at the end. Others may pass through it: servers give up root's rights. */
export async function temporaryDirectory(parent = tmpdir()): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(parent, 'popfetch-'))
  await chmod(path, 0o755)
  return {
    path,
    async [Symbol.asyncDispose]() {
      // Files of a server that was just told to end may still appear.
      await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}

/** A directory with that much room: in memory if there is enough (containers often have 64 MB), else the system's. */
export async function roomyDirectory(sizeBytes: number): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => null)
  return memory !== null && memory.bavail * memory.bsize > sizeBytes ? '/dev/shm' : tmpdir()
}

/** Whom servers started by root handle mail as: Debian's user for mail spools; any that exists and is not root would do. */
export const debianMailUser = { uid: 8, gid: 8 }

export const isRoot = process.getuid?.() === 0
