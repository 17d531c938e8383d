// Waiting for a socket to get somewhere: connected, through a proxy, under TLS. The one rule: it gets there in time, or the
// socket is destroyed.
import type { Socket } from 'node:net'
import type { PopfetchError } from '../../errors.ts'
import { abortedError, timedOut } from './network-error.ts'

export interface ArrivalOptions {
  /** "connecting to …", for people. */
  readonly doing: string
  /** What to look at when it takes too long. */
  readonly hint: string
  /** What an error or the end of the socket means meanwhile. */
  readonly failure: (cause: unknown) => PopfetchError
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Rejects with what `arrived` rejects with, with `failure`, ERR_TIMEOUT or ERR_ABORTED. */
export async function arrival(
  socket: Socket,
  arrived: Promise<void>,
  { doing, hint, failure, timeoutMs, signal }: ArrivalOptions,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(timedOut(doing, timeoutMs, hint)), timeoutMs)
  const aborted = (): void => reject(abortedError(doing))
  const failed = (error: unknown): void => reject(failure(error))
  const closed = (): void => reject(failure(new Error('the connection was closed')))
  arrived.then(resolve, reject)
  // Stays for good: an error after the wait is over must not be one without a listener (N005).
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
