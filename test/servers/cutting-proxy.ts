// A line that breaks: a TCP proxy in front of a POP3 server that ends every connection after so many multi-line answers, with
// all that came up to there passed on. Where it breaks has nothing to do with what the client has understood so far.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number
  /** Connections that were cut. */
  readonly cuts: number
}

const END = '\r\n.\r\n'

/** `end`: what ends an answer that counts. */
export async function startCuttingProxy(targetPort: number, answers: number, end = END): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let cuts = 0
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    client.pipe(target)
    client.on('close', () => target.destroy())
    target.on('close', () => client.end())
    let left = answers
    let tail = ''
    target.on('data', (chunk: Buffer) => {
      const text = tail + chunk.toString('latin1')
      for (let at = text.indexOf(end); at !== -1; at = text.indexOf(end, at + end.length)) {
        if (--left > 0) continue
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
