// The table of destinations. A new kind is one file that fulfils destination.ts and one line here; what a kind does not use
// is not loaded.
import type { Attempt, Destination } from './destination.ts'
import { labelField, traceField } from './envelope.ts'
import type { MaildirConfig } from './maildir.ts'
import type { Reserve } from './reserve.ts'
import type { SmtpConfig } from './smtp.ts'

interface Common {
  /** Puts a `Received:` field on top. */
  readonly trace: boolean
  /** Puts `X-Popfetch-Account:` on top. */
  readonly label: boolean
}

export type DestinationSettings =
  | ({ readonly type: 'maildir' } & Common & MaildirConfig)
  | ({ readonly type: 'smtp' } & Common & SmtpConfig)

export interface DestinationContext {
  readonly hostName: string
  readonly nowMs: () => number
  readonly reserve: Reserve
}

export async function openDestination(
  settings: DestinationSettings,
  context: DestinationContext,
): Promise<Destination> {
  switch (settings.type) {
    case 'maildir': {
      const { openMaildir } = await import('./maildir.ts')
      return openMaildir(settings, { ...context, prefix: (attempt) => fieldsOnTop(settings, attempt, context) })
    }
    case 'smtp': {
      const { openSmtp } = await import('./smtp.ts')
      return openSmtp(settings, context)
    }
  }
}

function fieldsOnTop({ trace, label }: Common, { origin }: Attempt, { hostName, nowMs }: DestinationContext): string {
  return (trace ? traceField(origin, { hostName, nowMs: nowMs() }) : '') + (label ? labelField(origin.account) : '')
}
