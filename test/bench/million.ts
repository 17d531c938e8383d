// A mailbox of a million messages, listed for the first time and then known (P103): how much memory popfetch takes, how long
// it takes, and how long its event loop stands still at most. `node test/bench/million.ts [MESSAGES]`; ends with status 1
// above the limits. Of the memory some 100 MB are Node and modules, and up to 100 MB what V8 lets lie about before it
// collects (less with NODE_OPTIONS=--max-semi-space-size=8); the listing itself is held to 120 MB by a test of its own.
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { openDesk } from '../servers/popfetch.ts'

const MESSAGES = Number(process.argv[2] ?? 1_000_000)
const MEMORY_LIMIT_BYTES = 320 * 1024 * 1024
const DELAY_LIMIT_MS = 100

function* listing(line: (number: number) => string): Generator<string> {
  let piece = '+OK\r\n'
  for (let number = 1; number <= MESSAGES; number++) {
    piece += `${line(number)}\r\n`
    if (piece.length < 65_536) continue
    yield piece
    piece = ''
  }
  yield `${piece}.\r\n`
}

async function serve(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  socket.write('+OK ready\r\n')
  for await (const line of createInterface(socket)) {
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'CAPA') socket.write('+OK\r\nUIDL\r\nTOP\r\nUSER\r\n.\r\n')
    else if (verb === 'LIST' || verb === 'UIDL') {
      const list =
        verb === 'LIST' ? (n: number) => `${n} ${1000 + (n % 9000)}` : (n: number) => `0000${n.toString(16)}5f3c2b1a`
      for await (const piece of Readable.from(listing((n) => (verb === 'UIDL' ? `${n} ${list(n)}` : list(n))))) {
        if (!socket.write(String(piece))) await new Promise((drained) => socket.once('drain', drained))
      }
    } else socket.write('+OK\r\n')
    if (verb === 'QUIT') socket.end()
  }
}

const server = createServer((socket) => void serve(socket).catch(() => socket.destroy()))
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
const { port } = server.address() as AddressInfo
await using desk = await openDesk()
await desk.configure({
  accounts: {
    here: { host: '127.0.0.1', port, tls: 'none', user: 'a', password: 'b', first: 'new', deliver: 'inbox' },
  },
  destinations: { inbox: { type: 'maildir', path: desk.maildir } },
})

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))
let failed = false
for (const what of ['listed for the first time, all skipped', 'listed again, all known']) {
  const delayFile = join(desk.directory, 'delay')
  const startMs = performance.now()
  const child = spawn(
    process.execPath,
    [
      '--import',
      join(import.meta.dirname, 'loop-delay.ts'),
      startFile,
      'here',
      '--json',
      '--config',
      join(desk.directory, 'config.json'),
      '--state',
      join(desk.directory, 'state.db'),
    ],
    { env: { ...process.env, LOOP_DELAY_FILE: delayFile }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let answer = ''
  child.stdout.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  let peakBytes = 0
  const sampling = setInterval(() => {
    void readFile(`/proc/${child.pid}/status`, 'utf8').then(
      (status) => (peakBytes = Math.max(peakBytes, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024)),
      () => {},
    )
  }, 50)
  const code = await new Promise<number | null>((closed) => child.once('close', closed))
  clearInterval(sampling)
  const delayMs = Number(await readFile(delayFile, 'utf8'))
  const seconds = (performance.now() - startMs) / 1000
  const { listed, outcome } =
    (JSON.parse(answer) as { accounts: { listed: number; outcome: string }[] }).accounts[0] ?? {}
  console.log(
    `${listed} messages ${what}: ${outcome}, ${seconds.toFixed(1)} s, ${Math.round(peakBytes / 1e6)} MB, loop stood still ${Math.round(delayMs)} ms at most`,
  )
  failed ||= code !== 0 || listed !== MESSAGES || peakBytes > MEMORY_LIMIT_BYTES || delayMs > DELAY_LIMIT_MS
}
server.close()
process.exitCode = failed ? 1 : 0
