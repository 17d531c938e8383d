// A line that breaks. A TCP proxy in front of a POP3 server. It passes on a number of multi-line answers, then ends the
// connection. Where it breaks has nothing to do with what the client has understood so far. The same in front of an IMAP
// server, which may end in the middle of a message.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number
  /** Connections that were cut. */
  readonly cuts: number
}

const END = '\r\n.\r\n'
const APPENDED = 'OK [APPENDUID '

/** In front of an IMAP server: ends every connection at the answer to the n-th message, which is lost, or, every second time, in the
 *  middle of the message after it; `inTheMiddle` is called then, before the connection ends. */
export async function startAppendCuttingProxy(
  targetPort: number,
  messages: number,
  inTheMiddle: () => Promise<void> | void = () => {},
): Promise<CuttingProxy> {
  return await startCuttingProxy(targetPort, messages, { end: APPENDED, weigh: appended, inTheMiddle })
}

/** How many messages the answer is about, by the UIDs behind APPENDED. */
function appended(text: string): number {
  const [, from = '1', to = from] = /^\d+ (\d+)(?::(\d+))?\]/.exec(text) ?? []
  return Number(to) - Number(from) + 1
}

interface Cutting {
  /** What ends an answer that counts. */
  readonly end?: string
  /** How much it counts, by what is behind it. */
  readonly weigh?: (text: string) => number
  /** Absent: the connection always ends behind an answer. */
  readonly inTheMiddle?: () => Promise<void> | void
}

export async function startCuttingProxy(
  targetPort: number,
  answers: number,
  { end = END, weigh = () => 1, inTheMiddle }: Cutting = {},
): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let cuts = 0
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    let cutsNext = false
    client.on('data', (chunk: Buffer) => {
      if (cutsNext) {
        cuts++
        client.pause()
        target.write(chunk.subarray(0, chunk.length / 2))
        void Promise.resolve(inTheMiddle?.()).then(() => {
          client.destroy()
          target.destroy()
        })
      } else if (!target.write(chunk)) {
        client.pause()
        target.once('drain', () => client.resume())
      }
    })
    client.on('end', () => target.end())
    client.on('close', () => target.destroy())
    target.on('close', () => client.end())
    let left = answers
    let tail = ''
    target.on('data', (chunk: Buffer) => {
      const text = tail + chunk.toString('latin1')
      for (let at = text.indexOf(end); at !== -1; at = text.indexOf(end, at + end.length)) {
        left -= weigh(text.slice(at + end.length))
        if (left > 0) continue
        if (inTheMiddle !== undefined && cuts % 2 === 1) {
          cutsNext = true
          continue
        }
        cuts++
        client.end(chunk.subarray(0, Math.max(0, at + end.length - tail.length)))
        target.destroy()
        return
      }
      tail = text.slice(-(end.length - 1))
      if (!client.write(chunk)) {
        target.pause()
        client.once('drain', () => target.resume())
      }
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
