// A TCP proxy that makes a server far away: every chunk waits half a round trip in each direction, none waits for another,
// so throughput is not limited. It runs as a process of its own (`node proxy.ts TARGET_PORT ROUND_TRIP_MS`), or its work
// would be counted in the bench's event loop. The TCP handshake itself is not delayed.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { startProgram, type Running } from '../servers/program.ts'
import { setTimeout as wait } from 'node:timers/promises'

export interface Proxy extends AsyncDisposable {
  readonly port: number
}

export async function startProxy(targetPort: number, roundTripMs: number, directory: string): Promise<Proxy> {
  const args = [import.meta.filename, String(targetPort), String(roundTripMs)]
  const running: Running = await startProgram(process.execPath, args, directory)
  const deadline = performance.now() + 10_000
  while (performance.now() < deadline) {
    const port = /^port (\d+)$/m.exec(running.output())?.[1]
    if (port !== undefined) return { port: Number(port), [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() }
    await wait(10)
  }
  await running[Symbol.asyncDispose]()
  throw new Error(`the delaying proxy did not start: ${running.output()}`)
}

function serve(targetPort: number, oneWayMs: number): void {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    delay(client, target, oneWayMs)
    delay(target, client, oneWayMs)
  })
  server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`))
}

/** Timers of one duration fire in the order in which they were set: chunks keep theirs. */
function delay(from: Socket, to: Socket, oneWayMs: number): void {
  from.on('data', (chunk) => void setTimeout(() => to.write(chunk), oneWayMs))
  from.on('end', () => void setTimeout(() => to.end(), oneWayMs))
  from.on('error', () => void setTimeout(() => to.destroy(), oneWayMs))
}

if (import.meta.main) {
  const [targetPort, roundTripMs] = process.argv.slice(2).map(Number)
  serve(targetPort ?? 0, (roundTripMs ?? 0) / 2)
}
