// A TCP proxy that makes a server far away. Every chunk waits half a round trip in each direction, none waits for another,
// so throughput is not limited. It runs as a process of its own (`node proxy.ts TARGET_PORT ROUND_TRIP_MS`), or its work
// would be counted in the bench's event loop. The TCP handshake itself is not delayed. Of each connection it counts the
// exchanges: how often the client, having been told something, said something. What is sent within one round trip is one.
// With files of a certificate and its key it ends TLS: what it counts is POP3.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { startProgram } from '../servers/program.ts'

export interface Proxy extends AsyncDisposable {
  readonly port: number
  /** The exchanges of the connection that ended as the n-th, from 1; waits for it. */
  exchanges(nth: number): Promise<number>
}

export async function startProxy(
  targetPort: number,
  roundTripMs: number,
  directory: string,
  tls: readonly [certificateFile: string, keyFile: string] | null = null,
): Promise<Proxy> {
  await using stack = new AsyncDisposableStack()
  const args = [import.meta.filename, String(targetPort), String(roundTripMs), ...(tls ?? [])]
  const running = stack.use(await startProgram(process.execPath, args, directory))
  const said = async (what: string, nth: number): Promise<number> => {
    const deadline = performance.now() + 10_000
    while (performance.now() < deadline) {
      const found = [...running.output().matchAll(new RegExp(`^${what} (\\d+)$`, 'gm'))][nth - 1]
      if (found !== undefined) return Number(found[1])
      await wait(10)
    }
    throw new Error(`the delaying proxy did not say its ${what}: ${running.output()}`)
  }
  const port = await said('port', 1)
  const ending = stack.move()
  return {
    port,
    exchanges: (nth) => said('exchanges', nth),
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

function serve(targetPort: number, oneWayMs: number, certificateFile?: string, keyFile?: string): void {
  const options = { allowHalfOpen: true, noDelay: true }
  const accept = (client: Socket): void => {
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    let exchanges = 0
    let wasAnswered = false
    client.on('data', () => {
      if (wasAnswered) exchanges++
      wasAnswered = false
    })
    client.on('close', () => console.log(`exchanges ${exchanges}`))
    delay(client, target, oneWayMs, () => {})
    delay(target, client, oneWayMs, () => (wasAnswered = true))
  }
  const server =
    certificateFile === undefined || keyFile === undefined
      ? createServer(options, accept)
      : createTlsServer({ ...options, cert: readFileSync(certificateFile), key: readFileSync(keyFile) }, accept)
  server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`))
}

/** Timers of one duration fire in the order in which they were set: chunks keep theirs. */
function delay(from: Socket, to: Socket, oneWayMs: number, passed: () => void): void {
  from.on('data', (chunk) => {
    setTimeout(() => {
      to.write(chunk)
      passed()
    }, oneWayMs)
  })
  from.on('end', () => void setTimeout(() => to.end(), oneWayMs))
  from.on('error', () => void setTimeout(() => to.destroy(), oneWayMs))
}

if (import.meta.main) {
  const [targetPort, roundTripMs, certificateFile, keyFile] = process.argv.slice(2)
  serve(Number(targetPort), Number(roundTripMs) / 2, certificateFile, keyFile)
}
