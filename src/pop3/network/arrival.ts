// Waits until a socket has reached a state: connected, through the proxy, or under TLS. The one rule: it reaches it in time, or
// the socket is destroyed.
import type { Duplex } from 'node:stream'
import type { PopfetchError } from '../../errors.ts'
import { abortedError, timedOut } from './network-error.ts'

export interface ArrivalOptions {
  /** For people, as in "connecting to …". */
  readonly doing: string
  /** What the user should check when it takes too long. */
  readonly hint: string
  /** The error to report when the socket fails or ends meanwhile. */
  readonly failure: (cause: unknown) => PopfetchError
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Resolves when `arrived` does. Rejects with its error, `failure`, ERR_TIMEOUT or ERR_ABORTED; the socket is destroyed then. */
export async function arrival(
  socket: Duplex,
  arrived: Promise<void>,
  { doing, hint, failure, timeoutMs, signal }: ArrivalOptions,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(timedOut(doing, timeoutMs, hint)), timeoutMs)
  const aborted = (): void => reject(abortedError(doing))
  const failed = (error: unknown): void => reject(failure(error))
  const closed = (): void => reject(failure(new Error('the connection was closed')))
  arrived.then(resolve, reject)
  // Never removed: an error after the wait must still have a listener (N005, unhandled 'error').
  socket.on('error', failed)
  socket.once('close', closed)
  signal.addEventListener('abort', aborted, { once: true })
  if (signal.aborted) aborted()
  try {
    await promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', aborted)
    socket.off('close', closed)
  }
}
