// Values that may be there at once: five thousand messages are a hundred thousand calls to the file system, which on the
// loop need no promise each.

/** A value now, or a promise of it: `await` does for both. */
export type Awaitable<T> = T | Promise<T>

/** What `onward` makes of the value: at once where it is there. */
export function after<T, U>(value: Awaitable<T>, onward: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(onward) : onward(value)
}

/** `attempt`, or what `failed` makes of its error: at once where nothing is waited for. */
export function trying<T>(attempt: () => Awaitable<T>, failed: (error: unknown) => Awaitable<T>): Awaitable<T> {
  try {
    const value = attempt()
    return value instanceof Promise ? value.catch(failed) : value
  } catch (error) {
    return failed(error)
  }
}
