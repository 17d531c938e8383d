// A program that speaks POP3 on its standard input and output, behind a port: what inetd did. The program gets the
// connection itself, not a copy of what goes over it.
import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { findProgram } from './program.ts'

export interface Inetd extends AsyncDisposable {
  readonly port: number
  /** Standard error of all of them so far, the last 64 KiB. */
  output(): string
  /** Ends all of them with `kill -9`. */
  killAll(): void
}

export async function startInetd(command: readonly string[], env: Readonly<Record<string, string>>): Promise<Inetd> {
  const setpriv = await findProgram('setpriv', 'util-linux')
  const children = new Set<ChildProcess>()
  let text = ''
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {})
    const child = spawn(setpriv, ['--pdeathsig', 'TERM', '--', ...command], {
      stdio: [socket, socket, 'pipe'],
      env: { PATH: '/usr/bin:/usr/sbin:/bin', ...env, TCPREMOTEIP: '127.0.0.1', TCPREMOTEPORT: '1' },
    })
    children.add(child)
    child.stderr?.setEncoding('latin1').on('data', (chunk: string) => {
      text = (text + chunk).slice(-65_536)
    })
    // From now on the connection is the child's: ours would keep it open.
    child.once('spawn', () => socket.destroy())
    child.once('error', (error) => {
      text += error.message
      socket.destroy()
    })
    child.once('exit', () => children.delete(child))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    output: () => text,
    killAll() {
      for (const child of children) child.kill('SIGKILL')
    },
    async [Symbol.asyncDispose]() {
      const ended = [...children].map((child) => new Promise((resolve) => child.once('exit', resolve)))
      for (const child of children) child.kill('SIGTERM')
      await Promise.all([...ended, new Promise((resolve) => server.close(resolve))])
    },
  }
}
