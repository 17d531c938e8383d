// Passwords in a `.netrc`: fetchmail, getmail and mpop all look there. Pure.

interface Entry {
  /** Null: any machine (`default`). */
  readonly machine: string | null
  login: string | null
  password: string | null
}

/** Looks up a password by host and login; the first entry that fits counts. */
export function parseNetrc(text: string): (host: string, login: string) => string | null {
  const entries: Entry[] = []
  // A macro goes on to the next empty line.
  const words = text
    .replace(/^[ \t]*#.*$/gm, '')
    .replace(/\bmacdef\b[\s\S]*?(?:\n[ \t]*\n|$)/g, '\n')
    .matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)
  const list = [...words].map(([, quoted, bare]) =>
    quoted === undefined ? (bare ?? '') : quoted.replace(/\\(.)/g, '$1'),
  )
  for (let at = 0; at < list.length; at++) {
    const current = entries.at(-1)
    const word = list[at]
    if (word === 'default') entries.push({ machine: null, login: null, password: null })
    else if (word === 'machine') entries.push({ machine: list[++at] ?? '', login: null, password: null })
    else if (word === 'login' && current !== undefined) current.login = list[++at] ?? null
    else if (word === 'password' && current !== undefined) current.password = list[++at] ?? null
    else if (word === 'account') at++
  }
  return (host, login) =>
    entries.find(
      (entry) =>
        (entry.machine === null || entry.machine.toLowerCase() === host.toLowerCase()) &&
        (entry.login === null || entry.login === login) &&
        entry.password !== null,
    )?.password ?? null
}
