// A mailbox of a million messages, listed once and then known (P103). How long does the next poll take, how much memory, and
// how long does its event loop pause? No peer takes part. The server is this process: nothing else is to be done here.
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { alone, type Contender } from './contender.ts'
import { loopDelay, loopDelayIn } from './instrument.ts'
import { measure, type Usage } from './measure.ts'
import { popfetchCommand } from './peers.ts'

const MESSAGES = 1_000_000
const TIMEOUT_MS = 120_000

export interface Million extends AsyncDisposable {
  readonly contender: Contender
}

/** `parent`: where its directory is made. */
export async function startMillion(parent: string): Promise<Million> {
  const server = createServer((socket) => void serve(socket).catch(() => socket.destroy()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const directory = await mkdtemp(join(parent, 'million-'))
  const mail = join(directory, 'Mail')
  await mkdir(mail)
  const config = join(directory, 'config.json')
  const here = { host: '127.0.0.1', port, tls: 'none', user: 'a', password: 'b', first: 'new', deliver: 'inbox' }
  const destinations = { inbox: { type: 'maildir', path: mail } }
  await writeFile(config, JSON.stringify({ accounts: { here }, destinations }), { mode: 0o600 })
  const delayFile = join(directory, 'delay')
  const files = ['--config', config, '--state', join(directory, 'state.db')]
  const { program, args, success } = popfetchCommand(directory, 'here', '--json', ...files)
  const command = {
    program,
    args: [...loopDelay(), ...args],
    directory,
    success,
    environment: { LOOP_DELAY_FILE: delayFile },
  }
  const poll = async (): Promise<Usage> => {
    const usage = await measure(command, TIMEOUT_MS)
    const { accounts } = JSON.parse(usage.printed) as { accounts: { listed: number; skipped: number }[] }
    const [{ listed, skipped } = { listed: 0, skipped: 0 }] = accounts
    if (listed !== MESSAGES || skipped !== MESSAGES) throw new Error(`listed ${listed} messages and skipped ${skipped}`)
    return { ...usage, standstillMs: (await loopDelayIn(delayFile)).longestMs }
  }
  return {
    contender: alone(poll),
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}

async function serve(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  socket.write('+OK ready\r\n')
  for await (const line of createInterface(socket)) {
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'CAPA') socket.write('+OK\r\nUIDL\r\nTOP\r\nUSER\r\nPIPELINING\r\n.\r\n')
    else if (verb === 'LIST') await list(socket, (number) => String(1000 + (number % 9000)))
    else if (verb === 'UIDL') await list(socket, (number) => `0000${number.toString(16)}5f3c2b1a`)
    else socket.write('+OK\r\n')
    if (verb === 'QUIT') socket.end()
  }
}

async function list(socket: Socket, columnOf: (number: number) => string): Promise<void> {
  let piece = '+OK\r\n'
  for (let number = 1; number <= MESSAGES; number++) {
    piece += `${number} ${columnOf(number)}\r\n`
    if (piece.length < 65_536) continue
    if (!socket.write(piece)) await once(socket, 'drain')
    piece = ''
  }
  socket.write(`${piece}.\r\n`)
}
