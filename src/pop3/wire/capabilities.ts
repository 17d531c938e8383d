// The answer to CAPA → what the server says it can do (RFC 2449 §5–6). Pure.
import { displayBytes } from '../../display.ts'

/** What a server said it can do; empty for a server without CAPA (P031). */
export interface Capabilities {
  /** Upper-case names, as tokens: `XNOSTLS` is not `STLS` (P034). */
  readonly names: ReadonlySet<string>
  readonly sasl: ReadonlySet<string>
  /** Seconds a client must wait between sign-ins; null: not said or absurd (P039). */
  readonly loginDelaySeconds: number | null
  /** Days a message stays on the server after it was retrieved: 0 may be deleted at once (P129); null: not said, or never. */
  readonly expireDays: number | null
  /** The lines as sent, safe to print. */
  readonly lines: readonly string[]
}

export const noCapabilities: Capabilities = {
  names: new Set(),
  sasl: new Set(),
  loginDelaySeconds: null,
  expireDays: null,
  lines: [],
}

/** More than any server sends; the answer to CAPA must not be a way to fill memory (P033). */
export const CAPABILITIES_LIMIT = 16_384

export function parseCapabilities(answer: Buffer): Capabilities {
  const names = new Set<string>()
  const sasl = new Set<string>()
  const lines: string[] = []
  let loginDelaySeconds: number | null = null
  let expireDays: number | null = null
  for (const line of answer.toString('latin1').split(/\r?\n/).slice(0, 100)) {
    const [name, ...args] = line
      .toUpperCase()
      .split(/[ \t]+/)
      .filter((token) => token !== '')
    if (name === undefined) continue
    lines.push(displayBytes(Buffer.from(line, 'latin1')))
    names.add(name)
    if (name === 'SASL') for (const mechanism of args) sasl.add(mechanism)
    // An old dialect: `AUTH=PLAIN` (P034).
    if (name.startsWith('AUTH=')) sasl.add(name.slice(5))
    if (name === 'LOGIN-DELAY') loginDelaySeconds = smallNumber(args[0])
    if (name === 'EXPIRE') expireDays = smallNumber(args[0])
  }
  return { names, sasl, loginDelaySeconds, expireDays, lines }
}

function smallNumber(token: string | undefined): number | null {
  return token !== undefined && /^\d{1,7}$/.test(token) ? Number(token) : null
}
