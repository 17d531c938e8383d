// Whose process this is. The command line has one to itself, and may change what holds for all of it (flags of V8). A program that
// embeds popfetch has a process of its own ways: nothing of it is changed.

let isOurs = false

/** From now on the process is popfetch's alone. */
export function takeProcess(): void {
  isOurs = true
}

export function isOurProcess(): boolean {
  return isOurs
}
