// The answer to CAPA → what the server says it can do (RFC 2449 §5–6). Pure.
import { displayBytes } from '../../display.ts'

/** What the server says it can do. Empty for a server without CAPA (P031). */
export interface Capabilities {
  /** In upper case, compared as whole tokens: `XNOSTLS` is not `STLS` (P034, odd lines). */
  readonly names: ReadonlySet<string>
  /** Names of SASL mechanisms, in upper case. */
  readonly sasl: ReadonlySet<string>
  /** Seconds that a client must wait between sign-ins. Null: not given, or absurd (P039). */
  readonly loginDelaySeconds: number | null
  /** Days that the server keeps a message after RETR. 0: it may delete it at once (P129). Null: not given, or forever. */
  readonly expireDays: number | null
  /** The lines of the answer, safe to print. */
  readonly lines: readonly string[]
}

export const noCapabilities: Capabilities = {
  names: new Set(),
  sasl: new Set(),
  loginDelaySeconds: null,
  expireDays: null,
  lines: [],
}

/** Bytes of the answer that are kept: more than any server sends (P033, endless CAPA). */
export const CAPABILITIES_LIMIT = 16_384

/** What was parsed last, by the answer: thousands of accounts of a server get the same one twice in each poll. */
const parsed = new Map<string, Capabilities>()
const MOST_PARSED = 32
const MOST_KEPT_LENGTH = 2048

export function parseCapabilities(answer: Buffer): Capabilities {
  const text = answer.toString('latin1')
  const known = parsed.get(text)
  if (known !== undefined) return known
  const capabilities = parse(text)
  if (text.length > MOST_KEPT_LENGTH) return capabilities
  if (parsed.size >= MOST_PARSED) parsed.clear()
  parsed.set(text, capabilities)
  return capabilities
}

function parse(answer: string): Capabilities {
  const names = new Set<string>()
  const sasl = new Set<string>()
  const lines: Buffer[] = []
  let loginDelaySeconds: number | null = null
  let expireDays: number | null = null
  for (const line of answer.split(/\r?\n/).slice(0, 100)) {
    const [name, ...args] = line
      .toUpperCase()
      .split(/[ \t]+/)
      .filter((token) => token !== '')
    if (name === undefined) continue
    lines.push(Buffer.from(line, 'latin1'))
    names.add(name)
    if (name === 'SASL') for (const mechanism of args) sasl.add(mechanism)
    // An old dialect: `AUTH=PLAIN` (P034).
    if (name.startsWith('AUTH=')) sasl.add(name.slice(5))
    if (name === 'LOGIN-DELAY') loginDelaySeconds = smallNumber(args[0])
    if (name === 'EXPIRE') expireDays = smallNumber(args[0])
  }
  return {
    names,
    sasl,
    loginDelaySeconds,
    expireDays,
    // Only a person asks for them, and to look for secrets takes its time.
    get lines() {
      return lines.map((line) => displayBytes(line))
    },
  }
}

function smallNumber(token: string | undefined): number | null {
  return token !== undefined && /^\d{1,7}$/.test(token) ? Number(token) : null
}
