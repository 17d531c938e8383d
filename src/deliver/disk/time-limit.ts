// A limit on a wait that cannot be cancelled, such as a file system call on a server that hangs. The call itself goes on,
// but nobody waits for it any longer.

/** Has the code of a system call that timed out, and is reported and retried like one. */
export class NoAnswer extends Error {
  readonly code = 'ETIMEDOUT'
}

/** Waits for `work`. Rejects with NoAnswer after `limitMs`, or with the signal's reason when it is aborted. */
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
