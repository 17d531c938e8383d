// What a session is opened with. Only types; what they mean on the wire is in session.ts and connection.ts.
import type { ConnectionOptions } from './network/connection.ts'
import type { Capabilities } from './wire/reply.ts'

export interface SessionOptions extends ConnectionOptions {
  readonly tlsMode: 'implicit' | 'starttls' | 'none'
  /** False: one command at a time whatever the server says. */
  readonly pipelining: boolean
  /** False: CAPA is not asked, because this server cannot bear it (P032). */
  readonly askCapabilities: boolean
  /** What the server said before sign-in another day, when it was under TLS as now: not asked again. Null: asked. */
  readonly remembered: Capabilities | null
  /** The wire for a log, secrets and bodies masked; null: not wanted. */
  readonly trace: ((direction: 'C' | 'S', text: string) => void) | null
}
