// A POP3 server with a mailbox for everybody, empty or with the same few messages, in a thread of its own (a worker). It puts its
// port into the shared memory that it is given, and counts sessions there, so that it costs the bench nothing to look.
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { workerData } from 'node:worker_threads'

/** How many sessions there were, and the port once it is known. */
const { shared: memory, messages } = workerData as { readonly shared: SharedArrayBuffer; readonly messages: number }
const shared = new Int32Array(memory)
const [SESSIONS, PORT] = [0, 1]

const MESSAGE = `From: a@example.org\r\nSubject: one of a few\r\n\r\n${'text '.repeat(200)}\r\n`

function list(columnOf: (number: number) => string): string {
  const lines = Array.from({ length: messages }, (_, at) => `${at + 1} ${columnOf(at + 1)}\r\n`)
  return `+OK\r\n${lines.join('')}.\r\n`
}

/** What is not here is answered `+OK`. */
const ANSWERS: Readonly<Record<string, string>> = {
  CAPA: '+OK\r\nTOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nRESP-CODES\r\n.\r\n',
  UIDL: list((number) => `uid-${number}`),
  LIST: list(() => String(MESSAGE.length)),
  STAT: `+OK ${messages} ${messages * MESSAGE.length}\r\n`,
  RETR: `+OK\r\n${MESSAGE}.\r\n`,
}

function serve(socket: Socket): void {
  Atomics.add(shared, SESSIONS, 1)
  let rest = ''
  socket.setNoDelay().on('error', () => socket.destroy())
  socket.write('+OK ready\r\n')
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = `${rest}${chunk}`.split('\r\n')
    rest = lines.pop() ?? ''
    const words = lines.map((line) => line.split(' ', 1)[0]?.toUpperCase() ?? '')
    socket.write(words.map((word) => ANSWERS[word] ?? '+OK\r\n').join(''))
    if (words.includes('QUIT')) socket.end()
  })
}

const server = createServer(serve)
server.listen(0, '127.0.0.1', 4096)
await once(server, 'listening')
Atomics.store(shared, PORT, (server.address() as AddressInfo).port)
Atomics.notify(shared, PORT)
