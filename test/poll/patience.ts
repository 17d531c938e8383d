// Polls of servers that fall silent. Time passes only while nothing can happen but that a timer fires: all that was sent has been read,
// and neither the disk nor the event loop has anything to do. So no test waits, and nothing else comes too late.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { vi } from 'vitest'
import { expectedHands } from '../../src/deliver/disk/hands.ts'
import type { Pop3Server } from '../support/pop3-server.ts'

/** A part of the 60 s after which a silent server is given up. */
const STEP_MS = 5000
/** A read, a write or a call to the disk that is under way, a connection that is being made, or what this turn of the event loop does next. */
const WORK = /^FSReq|Req$|ReqWrap$|ConnectWrap$|WriteWrap$|ShutdownWrap$|^Immediate$/
const TIMERS = ['setTimeout', 'clearTimeout', 'performance', 'hrtime'] as const

/** Polls `server`. Its clocks, `Date` among them, are ahead of the real ones by as much as was waited; where `Date` is made up anyway, it
 *  stays where the poll ended. */
export async function patiently<T>(server: Pop3Server, poll: () => Promise<T>): Promise<T> {
  const isDateMadeUp = vi.isFakeTimers()
  vi.useFakeTimers({ toFake: ['Date', ...TIMERS], now: Date.now() })
  using line = new Line(server.port)
  try {
    const state = { isSettled: false }
    const polled = poll().finally(() => (state.isSettled = true))
    // oxlint-disable-next-line eslint/no-unmodified-loop-condition
    while (!state.isSettled) {
      const isAtWork =
        expectedHands()?.isBusy === true || process.getActiveResourcesInfo().some((name) => WORK.test(name))
      if (line.isSilent && !isAtWork) vi.advanceTimersByTime(STEP_MS)
      await turn()
    }
    return await polled
  } finally {
    if (isDateMadeUp) vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    else vi.useRealTimers()
  }
}

/** The connections to one port of this process, both ends of each. */
class Line implements Disposable {
  readonly #port: number
  readonly #clients = new Set<Socket>()
  readonly #served = new Set<Socket>()

  constructor(port: number) {
    this.#port = port
    subscribe('net.client.socket', this.#dialled)
    subscribe('net.server.socket', this.#accepted)
  }

  /** There is a connection, and neither side has yet to read something. */
  get isSilent(): boolean {
    const open = [...this.#clients].filter((socket) => !socket.destroyed)
    return open.length > 0 && open.every((client) => this.#isSilent(client))
  }

  [Symbol.dispose](): void {
    unsubscribe('net.client.socket', this.#dialled)
    unsubscribe('net.server.socket', this.#accepted)
  }

  readonly #dialled = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket }
    socket.once('connect', () => {
      if (socket.remotePort === this.#port) this.#clients.add(socket)
    })
  }

  readonly #accepted = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket }
    if (socket.localPort === this.#port) this.#served.add(socket)
  }

  #isSilent(client: Socket): boolean {
    const peer = [...this.#served].find(({ remotePort }) => remotePort === client.localPort)
    if (peer === undefined || peer.destroyed || peer.writableEnded) return false
    // A server may take its time before it reads on.
    return client.bytesRead === peer.bytesWritten && (peer.isPaused() || peer.bytesRead === client.bytesWritten)
  }
}
