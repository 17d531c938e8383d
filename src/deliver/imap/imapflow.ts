// The only door to imapflow, which is loaded at first use. It declares only what popfetch uses of the client, so that a newer
// version that changes any of it does not compile. It is not trusted: it gets a connected stream (wire.ts), our limits, no
// proxy and no file. What it says of a failure is read field by field, and what it keeps to itself, from its log. It sends a
// Buffer, so a message is in memory as a whole (`maxSize`): a client that sends a stream would take its place here.
import type { Duplex } from 'node:stream'
import type { FetchMessageObject, ImapFlow } from 'imapflow'

export type Client = Pick<
  ImapFlow,
  | 'append'
  | 'byeReason'
  | 'capabilities'
  | 'close'
  | 'connect'
  | 'download'
  | 'fetch'
  | 'getQuota'
  | 'list'
  | 'logout'
  | 'mailbox'
  | 'mailboxClose'
  | 'mailboxCreate'
  | 'mailboxOpen'
  | 'mailboxSubscribe'
  | 'messageFlagsAdd'
  | 'namespace'
  | 'namespaces'
  | 'noop'
  | 'on'
  | 'search'
  | 'status'
  | 'usable'
>

export type Fetched = FetchMessageObject

export interface ClientOptions {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  readonly starttls: boolean
  readonly user: string
  readonly secret: string
  readonly byToken: boolean
  readonly auth: 'auto' | 'plain' | 'login'
  readonly greetingMs: number
  readonly limitMs: number
  /** The stream to the server, for TLS from the first byte or none. */
  readonly stream: () => Duplex & { setTimeout(ms: number): unknown }
  /** TLS over that stream; calls back when the peer is known to be the one. */
  readonly upgrade: (secured: () => void) => Duplex & { setTimeout(ms: number): unknown }
  /** A refusal that no promise tells, or tells late. */
  readonly refused: (refusal: Refusal) => void
}

/** A NO or BAD. */
export interface Refusal {
  readonly status: string
  /** '': none. */
  readonly code: string
  readonly text: string
}

/** A list of UIDs for a million messages; a header field; a piece of a message. */
const LINE_BYTES = 16 << 20
const LITERAL_BYTES = 4 << 20
const RESPONSE_BYTES = 32 << 20

export async function openClient(options: ClientOptions): Promise<Client> {
  const { ImapFlow: Flow } = await import('imapflow')
  const { user, secret, byToken, auth, greetingMs, limitMs } = options
  const refused = (entry: unknown): void => {
    const refusal = refusalOf(errorIn(entry))
    if (refusal !== null) options.refused(refusal)
  }
  const logger = {
    debug() {},
    info() {},
    warn: refused,
    error: refused,
    fatal: refused,
    trace() {},
    // Otherwise imapflow puts every command and every answer together once more, for the log.
    isLevelEnabled: (level: string) => level === 'warn' || level === 'error' || level === 'fatal',
  }
  const client: Client = new Flow({
    host: options.host,
    port: options.port,
    secure: options.secure,
    doSTARTTLS: options.starttls,
    auth: {
      user,
      ...(byToken ? { accessToken: secret } : { pass: secret }),
      // Asked when the server has said what it offers.
      get loginMethod() {
        if (auth === 'plain') return 'AUTH=PLAIN'
        if (auth === 'login') return client.capabilities.has('AUTH=LOGIN') ? 'AUTH=LOGIN' : 'LOGIN'
        return ''
      },
    },
    clientInfo: { name: 'popfetch', version: false, vendor: false, 'support-url': false },
    logger,
    disableAutoIdle: true,
    disableCompression: true,
    disableIMAP4rev2: true,
    // Names go in modified UTF-7, which every server knows, unless it wants UTF-8 and nothing else (RFC 6855).
    get disableAutoEnable() {
      return !client.capabilities.has('UTF8=ONLY')
    },
    connectionTimeout: limitMs,
    greetingTimeout: greetingMs,
    socketTimeout: limitMs,
    maxLineLength: LINE_BYTES,
    maxLiteralSize: LITERAL_BYTES,
    maxResponseSize: RESPONSE_BYTES,
    transport: {
      connect: (_, connected) => {
        const stream = options.stream()
        setImmediate(connected)
        return stream
      },
      upgrade: (_socket, _options, secured) => options.upgrade(secured),
    },
  })
  // Without a listener it would end the process. Whoever waits for a command is told by that.
  client.on('error', () => {})
  return client
}

/** What its names begin with, what stands between their levels ('': nothing does), and what those of other people and those that
 *  are shared begin with. */
export interface Namespace {
  readonly prefix: string
  readonly delimiter: string
  readonly others: readonly string[]
}

/** Of a client that has signed in. From then on imapflow takes names as they are: it would put the prefix in front of those that are
 *  shared, too. */
export function namespaceOf(client: Client): Namespace {
  // 0 is also what imapflow makes of a limit that it cannot read: the server itself says whether it takes a message.
  if (client.capabilities.get('APPENDLIMIT') === 0) client.capabilities.delete('APPENDLIMIT')
  const { prefix = '', delimiter } = client.namespace ?? {}
  const { personal = [], other, shared } = client.namespaces ?? {}
  const all = [...personal, ...(other || []), ...(shared || [])].map((each) => each.prefix)
  client.namespace = { prefix: '', delimiter }
  // `null`: the server has no levels.
  const between = delimiter === null ? '' : (delimiter ?? '/')
  return { prefix, delimiter: between, others: all.filter((each) => each !== '' && each !== prefix) }
}

function errorIn(entry: unknown): unknown {
  return typeof entry === 'object' && entry !== null && 'err' in entry ? entry.err : null
}

/** What a thrown thing says of a NO or BAD; null: it is something else. */
export function refusalOf(thrown: unknown): Refusal | null {
  if (typeof thrown !== 'object' || thrown === null) return null
  const status = textAt(thrown, 'responseStatus')
  if (status !== 'NO' && status !== 'BAD') return null
  const code = textAt(thrown, 'serverResponseCode') || codeIn(thrown)
  return { status, code, text: textAt(thrown, 'responseText') || textAt(thrown, 'response') }
}

function textAt(thrown: object, key: string): string {
  const value: unknown = Reflect.get(thrown, key)
  return typeof value === 'string' ? value : ''
}

/** `response.attributes[0].section[0].value` of a parsed answer. */
function codeIn(thrown: object): string {
  let at: unknown = thrown
  for (const key of ['response', 'attributes', '0', 'section', '0', 'value']) {
    if (typeof at !== 'object' || at === null) return ''
    at = Reflect.get(at, key)
  }
  return typeof at === 'string' ? at.toUpperCase().trim() : ''
}
