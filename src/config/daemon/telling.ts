// The part of a configuration that says who is told, as it is written: `notify`, and the destinations and clients that `notify`
// needs. It is complete without the rest, so it can be kept for a time in which the rest cannot be read (told.ts). References stay
// references: it has no value of an { env }, a { file } or a { command }. What is written out is in it as it is written.
import { SecretText } from '../values/secret.ts'
import { FIRST_OF, isWritten, type Written } from '../values/written.ts'

/** Null: it names nobody. */
export function tellingIn(root: unknown): SecretText | null {
  const part = tellingPart(root)
  return part === null ? null : new SecretText(JSON.stringify(part))
}

/** The same as plain values. With an account, because there is no configuration without one; it delivers where `notify` does. */
export function tellingPart(root: unknown): Written | null {
  if (!isWritten(root)) return null
  const { notify } = root
  if (!Array.isArray(notify) || notify.length === 0) return null
  const mails = notify.flatMap((entry: unknown) => (isWritten(entry) ? [membersOf(entry['mail'])] : []))
  const destinations = chosen(root['destinations'], new Set(mails.flat()))
  const clients = Object.values(destinations).flatMap((keys) =>
    isWritten(keys) && isWritten(keys['token']) ? [keys['token']['oauth']] : [],
  )
  const oauth = chosen(root['oauth'], new Set(clients))
  return {
    accounts: {
      popfetch: { ...STAND_IN, deliver: [NOWHERE, ...mails.flatMap((names) => deliverOf(names, destinations))] },
    },
    ...(Object.keys(destinations).length === 0 ? {} : { destinations }),
    ...(Object.keys(oauth).length === 0 ? {} : { oauth }),
    notify,
  }
}

const STAND_IN = { host: 'localhost', user: 'popfetch', password: { env: 'NONE' } }
const NOWHERE = 'maildir:/dev/null'

/** A group is named by its members (named-destinations.ts). */
function membersOf(mail: unknown): readonly string[] {
  if (typeof mail !== 'string') return []
  const group = `${FIRST_OF}: `
  return mail.startsWith(group) ? mail.slice(group.length).split(', ') : [mail]
}

/** A group, and what is written in place, exist only because an account delivers there. */
function deliverOf(names: readonly string[], destinations: Written): readonly unknown[] {
  if (names.length > 1) return [{ [FIRST_OF]: names }]
  return names.filter((name) => destinations[name] === undefined)
}

function chosen(written: unknown, names: ReadonlySet<unknown>): Written {
  return Object.fromEntries(Object.entries(isWritten(written) ? written : {}).filter(([name]) => names.has(name)))
}
