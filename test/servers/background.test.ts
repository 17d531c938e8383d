// The background process under systemd and in a container, as far as that goes without a running systemd and without an engine:
// the units are checked by systemd's own tools, its notifications are received, the Dockerfile's steps are done by hand.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { readArguments } from '../../src/cli/arguments/read.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { findProgram, isRoot, runProgram, startProgram, temporaryDirectory, type Running } from './program.ts'

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

describe('the container', () => {
  const folder = join(repository, 'examples/container')

  test('is built from what its Dockerfile copies, and runs as its user with nothing but its volumes to write to', async () => {
    const dockerfile = await readFile(join(folder, 'Dockerfile'), 'utf8')
    const ignored = (await readFile(join(folder, 'Dockerfile.dockerignore'), 'utf8')).split('\n')
    const [build = '', final = ''] = dockerfile.split(/^FROM .*$/m).slice(1)
    await using directory = await temporaryDirectory()
    const context = join(directory.path, 'build')
    for (const [, words = ''] of build.matchAll(/^COPY (.*)$/gm)) {
      for (const source of words.split(' ').slice(0, -1)) {
        expect(ignored).toContain(`!${source}`)
        await cp(join(repository, source), join(context, source), { recursive: true })
      }
    }
    // Instead of npm ci: what is installed here.
    expect(build.match(/^RUN .*$/gm)).toEqual(['RUN npm ci --ignore-scripts', 'RUN npm run build'])
    await symlink(join(repository, 'node_modules'), join(context, 'node_modules'))
    await runProgram('npm', ['run', 'build'], context)

    const user = /^USER (\d+):(\d+)$/m.exec(final)
    const entry = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(final)?.[1] ?? 'null') as string[]
    const command = JSON.parse(/^CMD (.*)$/m.exec(final)?.[1] ?? 'null') as string[]
    expect(entry).toEqual(['popfetch'])
    expect(final).toContain('ln -s /opt/popfetch/popfetch.js /usr/local/bin/popfetch')
    expect(Number(user?.[1])).toBeGreaterThan(0)
    expect(JSON.parse(/^VOLUME (.*)$/m.exec(final)?.[1] ?? 'null')).toEqual(['/state', '/mail'])

    await using server = await Pop3Server.start()
    const uid = isRoot ? Number(user?.[1]) : (process.getuid?.() ?? 0)
    for (const volume of ['state', 'mail']) {
      await mkdir(join(directory.path, volume))
      if (isRoot) await chown(join(directory.path, volume), uid, uid)
    }
    const config = await configure(directory.path, server, join(directory.path, 'mail'))
    if (isRoot) await chown(config, uid, uid)
    server.mailbox('alice').add('Subject: one\n\nbody\n', { uidl: 'u1' })
    const state = join(directory.path, 'state')
    const prefix = isRoot ? [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'] : ['--']
    const env = [`HOME=${state}`, `STATE_DIRECTORY=${state}`, `POPFETCH_CONFIG=${config}`]
    const setpriv = await findProgram('setpriv', 'util-linux')
    // As the image has it: the program by its name in PATH, with the first line of the file naming node.
    const bin = join(directory.path, 'bin')
    await mkdir(bin)
    await chmod(join(context, 'dist/popfetch.js'), 0o755)
    await symlink(join(context, 'dist/popfetch.js'), join(bin, 'popfetch'))
    await symlink(process.execPath, join(bin, 'node'))
    const inside = [...prefix, 'env', '-i', ...env, `PATH=${bin}:/usr/bin:/bin`]
    const popfetch = [...inside, ...entry]
    const healthy = JSON.parse(/^HEALTHCHECK .*CMD (.*)$/m.exec(final)?.[1] ?? 'null') as string[]
    expect(run(setpriv, [...inside, ...healthy]).status).not.toBe(0)
    await using running = await startProgram(setpriv, [...popfetch, ...command, '--verbose'], '/')
    // It is asked as HEALTHCHECK and a person with `docker exec` ask.
    await eventually(running, () => run(setpriv, [...popfetch, 'wake']).status === 0)
    await eventually(
      running,
      async () => (await readdir(join(directory.path, 'mail/new')).catch(() => [])).length === 1,
    )
    expect((await readdir(state)).toSorted()).toEqual(expect.arrayContaining(['state.db', 'state.db.socket']))
    expect(run(setpriv, [...inside, ...healthy]).status).toBe(0)
    expect(run(setpriv, [...popfetch, 'stop']).status).toBe(0)
    expect(await running.exited).toBe(0)
    expect(run(setpriv, [...inside, ...healthy]).status).not.toBe(0)
  })

  test('has the same end from a checkout and from the package', async () => {
    const [checkout = '', npm = ''] = await Promise.all(
      ['Dockerfile', 'Dockerfile.npm'].map(async (name) => await readFile(join(folder, name), 'utf8')),
    )
    const end = checkout.slice(checkout.indexOf('RUN install -d'))
    expect(end).toContain('HEALTHCHECK')
    expect(npm.endsWith(end)).toBe(true)
  })
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

/** Asks again and again; the limit is the test's own, or the end of the program. */
async function eventually(running: Running, fact: () => boolean | Promise<boolean>): Promise<void> {
  const end = running.exited.then((code) => {
    throw new Error(`it ended with ${code}: ${running.output()}`)
  })
  end.catch(() => {})
  while (!(await fact())) await Promise.race([end, new Promise((next) => setTimeout(next, 50))])
}
