// The table of destinations. A new kind is one file that fulfils destination.ts and one line here; what a kind does not use
// is not loaded.
import type { CommandConfig } from './command/command.ts'
import type { Attempt, Destination } from './destination.ts'
import type { Reserve } from './disk/reserve.ts'
import { labelField, traceField } from './envelope.ts'
import type { MaildirConfig } from './maildir/maildir.ts'
import type { MboxConfig } from './mbox/mbox.ts'
import type { SmtpConfig } from './smtp/smtp.ts'

interface Common {
  /** Puts a `Received:` field on top. */
  readonly trace: boolean
  /** Puts `X-Popfetch-Account:` on top. */
  readonly label: boolean
}

export type DestinationSettings =
  | ({ readonly type: 'maildir' } & Common & MaildirConfig)
  | ({ readonly type: 'smtp' | 'lmtp' } & Common & SmtpConfig)
  | ({ readonly type: 'command' } & Common & CommandConfig)
  | ({ readonly type: 'mbox' } & Common & MboxConfig)

export interface DestinationContext {
  readonly hostName: string
  readonly nowMs: () => number
  readonly reserve: Reserve
  /** popfetch's own directory for messages under way. */
  readonly spoolDirectory: string
  readonly env: Readonly<Record<string, string | undefined>>
}

export async function openDestination(
  settings: DestinationSettings,
  context: DestinationContext,
): Promise<Destination> {
  const prefix = fieldsOnTop(settings, context)
  switch (settings.type) {
    case 'command': {
      const { openCommand } = await import('./command/command.ts')
      return openCommand(settings, { ...context, prefix })
    }
    case 'mbox': {
      const { openMbox } = await import('./mbox/mbox.ts')
      return openMbox(settings, { ...context, prefix })
    }
    case 'maildir': {
      const { openMaildir } = await import('./maildir/maildir.ts')
      return openMaildir(settings, { ...context, prefix })
    }
    case 'smtp':
    case 'lmtp': {
      const { openSmtp } = await import('./smtp/smtp.ts')
      return openSmtp(settings, context)
    }
  }
}

/** The fields change once a second and with the account: most messages get the same text as the one before. */
function fieldsOnTop({ trace, label }: Common, { hostName, nowMs }: DestinationContext): (attempt: Attempt) => string {
  let last = { account: '', host: '', protocol: '', second: -1, fields: '' }
  return ({ origin }) => {
    const now = nowMs()
    const { account, host, protocol } = origin
    const second = Math.floor(now / 1000)
    if (last.second !== second || last.account !== account || last.host !== host || last.protocol !== protocol) {
      const fields = (trace ? traceField(origin, { hostName, nowMs: now }) : '') + (label ? labelField(account) : '')
      last = { account, host, protocol, second, fields }
    }
    return last.fields
  }
}
