// POP3 commands → bytes (RFC 1939 §3, RFC 2449 §4, RFC 2595, RFC 5034). Pure. Refuses CR, LF and NUL in arguments: a line
// break would start a second command (P073, injection). Knows which arguments are secret, so that a trace can mask them.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'

export type Verb =
  | 'CAPA'
  | 'STLS'
  | 'UTF8'
  | 'USER'
  | 'PASS'
  | 'APOP'
  | 'AUTH'
  | 'STAT'
  | 'LIST'
  | 'UIDL'
  | 'RETR'
  | 'TOP'
  | 'DELE'
  | 'NOOP'
  | 'RSET'
  | 'LAST'
  | 'QUIT'

interface Shape {
  /** When does `+OK` begin a multi-line answer? `without argument`: LIST and UIDL answer a number with one line. */
  readonly multiline: 'always' | 'never' | 'without argument'
  /** How many leading arguments a trace may show; the others are secret. */
  readonly open: number
}

const shapes: Readonly<Record<Verb, Shape>> = {
  CAPA: { multiline: 'always', open: 0 },
  STLS: { multiline: 'never', open: 0 },
  UTF8: { multiline: 'never', open: 0 },
  USER: { multiline: 'never', open: 1 },
  PASS: { multiline: 'never', open: 0 },
  APOP: { multiline: 'never', open: 1 },
  AUTH: { multiline: 'never', open: 1 },
  STAT: { multiline: 'never', open: 0 },
  LIST: { multiline: 'without argument', open: 1 },
  UIDL: { multiline: 'without argument', open: 1 },
  RETR: { multiline: 'always', open: 1 },
  TOP: { multiline: 'always', open: 2 },
  DELE: { multiline: 'never', open: 1 },
  NOOP: { multiline: 'never', open: 0 },
  RSET: { multiline: 'never', open: 0 },
  LAST: { multiline: 'never', open: 0 },
  QUIT: { multiline: 'never', open: 0 },
}

export interface Command {
  readonly verb: Verb
  /** The number of the message that the command is about; null: none. */
  readonly number: number | null
  /** Ends with CRLF. */
  readonly bytes: Buffer
  readonly multiline: boolean
  /** For a trace: secrets masked, safe to print. */
  readonly shown: string
}

/** Those without arguments: each poll of thousands sends the same ones. */
const bare = Object.fromEntries(
  Object.entries(shapes).map(([verb, { multiline }]) => {
    const bytes = Buffer.from(`${verb}\r\n`, 'latin1')
    return [verb, { verb, number: null, bytes, multiline: multiline !== 'never', shown: verb }]
  }),
) as Readonly<Record<Verb, Command>>

/** Buffers are sent as they are, strings as UTF-8. Throws ERR_CONFIG for an argument that no command line can carry. */
export function command(verb: Verb, ...args: readonly (string | number | Buffer)[]): Command {
  if (args.length === 0) return bare[verb]
  const shape = shapes[verb]
  const [first] = args
  if (args.length === 1 && typeof first === 'number') return numbered(verb, first, shape)
  const parts = args.map((argument) => argumentBytes(verb, argument))
  return {
    verb,
    number: typeof first === 'number' ? first : null,
    bytes: Buffer.concat([Buffer.from(verb), ...parts.flatMap((part) => [SPACE, part]), CRLF]),
    multiline: shape.multiline === 'always',
    // Without a trace nobody asks, and to look for secrets takes its time.
    get shown() {
      return [verb, ...args.map((argument, at) => (at < shape.open ? display(String(argument)) : '****'))].join(' ')
    },
  }
}

/** A fast path for RETR and DELE, which come in thousands: a number is never wrong or secret. */
function numbered(verb: Verb, number: number, shape: Shape): Command {
  const shown = `${verb} ${number}`
  return { verb, number, bytes: Buffer.from(`${shown}\r\n`, 'latin1'), multiline: shape.multiline === 'always', shown }
}

/** A line of a SASL exchange: base64, or `*` to cancel (RFC 5034 §4). Never shown in a trace. */
export function saslLine(payload: Buffer | '*'): Buffer {
  return Buffer.from(`${payload === '*' ? '*' : payload.toString('base64')}\r\n`, 'latin1')
}

const SPACE = Buffer.from(' ')
const CRLF = Buffer.from('\r\n')

function argumentBytes(verb: Verb, argument: string | number | Buffer): Buffer {
  const bytes = Buffer.isBuffer(argument) ? argument : Buffer.from(String(argument))
  if (bytes.includes(0x0d) || bytes.includes(0x0a) || bytes.includes(0)) {
    throw new PopfetchError(
      'ERR_CONFIG',
      `the ${verb === 'PASS' ? 'password' : verb === 'USER' ? 'user name' : `argument of ${verb}`} holds a line break or a NUL, which POP3 cannot carry: correct it`,
      { scope: 'account', retry: 'never' },
    )
  }
  return bytes
}
