// A limit on a wait that cannot be cancelled, such as a file system call on a server that hangs. The call itself goes on;
// nobody waits for it any longer.

/** Looks like what the system says, so that it is told and retried like that. */
export class NoAnswer extends Error {
  readonly code = 'ETIMEDOUT'
}

/** `work`, or NoAnswer after `limitMs`, or the signal's reason when it is aborted. */
export function within<T>(work: Promise<T>, limitMs: number, signal: AbortSignal | null = null): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => {
      leave()
      reject(signal?.reason instanceof Error ? signal.reason : new Error('stopped'))
    }
    const timer = setTimeout(() => {
      leave()
      reject(new NoAnswer(`no answer within ${Math.round(limitMs / 1000)} s`))
    }, limitMs)
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted === true) onAbort()
    work.then(
      (value) => {
        leave()
        resolve(value)
      },
      (error: unknown) => {
        leave()
        reject(error instanceof Error ? error : new Error(String(error)))
      },
    )
  })
}
