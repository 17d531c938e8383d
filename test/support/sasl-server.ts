// The server's half of SASL mechanisms for the fakes (RFC 5034, RFC 4616). A mechanism is a generator: it yields challenges,
// is given the decoded responses, and returns who signed in with what. A further mechanism is a further entry of the map.

export interface Claim {
  readonly user: string
  /** Does this password prove it? */
  readonly proves: (password: string) => boolean
}

/** The first challenge is skipped when the client sent an initial response. */
export type Mechanism = () => Generator<string, Claim | null, string>

function* plain(): Generator<string, Claim | null, string> {
  const parts = (yield '').split('\0')
  const [authorization = '', user = '', sent = ''] = parts
  if (parts.length !== 3 || user === '' || (authorization !== '' && authorization !== user)) return null
  return { user, proves: (password) => password === sent }
}

function* login(): Generator<string, Claim | null, string> {
  const user = yield 'Username:'
  const sent = yield 'Password:'
  return { user, proves: (password) => password === sent }
}

export function defaultMechanisms(): Map<string, Mechanism> {
  return new Map<string, Mechanism>([
    ['PLAIN', plain],
    ['LOGIN', login],
  ])
}

/** Strict base64 of UTF-8; null for anything else. `=` is the empty initial response (RFC 5034 section 4). */
export function decodeResponse(text: string): string | null {
  if (text === '=' || text === '') return ''
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes.toString('utf8') : null
}
