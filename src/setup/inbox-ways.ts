// The ways in which mail gets into a mailbox elsewhere, the simplest first, each with what it costs. `init` offers them. Pure.
// Each sentence is what the provider says on the page whose address is above it. Those of Fastmail and of Gmail's API were read
// there. Those of Gmail's IMAP, Outlook and iCloud were read on other sites, which repeat them, in November 2026.
import { providerOf, type Server } from '../providers.ts'

/** `imap`: put into a folder. `api`: Gmail's own. `smtp`: sent there. */
export type WayKind = 'imap' | 'api' | 'smtp'

export interface Way {
  readonly kind: WayKind
  /** Null: it is asked for. */
  readonly server: Server | null
  /** What a person is asked for. `client`: of OAuth 2.0, which the person has to register. `none`: nothing. */
  readonly wants: 'password' | 'app password' | 'client' | 'none'
  /** The provider of sign-ins; null: none is needed. */
  readonly oauth: string | null
  /** What it is, and what it costs. */
  readonly text: string
}

const FORWARDED =
  'forwarded by SMTP: needs a mail server that sends for you; SPF of the senders fails there, so mail without a DKIM signature may be marked as spam or refused (examples/forwarding.md)'

const PUT = 'what is delivered there is neither filtered nor checked for spam'

const BY_PROVIDER: Readonly<Record<string, readonly Pick<Way, 'kind' | 'wants' | 'oauth' | 'text'>[]>> = {
  Gmail: [
    {
      kind: 'imap',
      wants: 'app password',
      oauth: null,
      // https://support.google.com/accounts/answer/185833, https://support.google.com/mail/answer/7126229,
      // https://support.google.com/a/answer/1071518
      text: `IMAP with an app password: nothing to register, but 2-Step Verification must be on (myaccount.google.com/apppasswords); ${PUT}; Google stops uploads by IMAP at some 500 MB a day`,
    },
    {
      kind: 'api',
      wants: 'client',
      oauth: 'google',
      // https://developers.google.com/gmail/api/v1/reference/users/messages/import
      text: 'the Gmail API: a client of your own to register at Google, step by step; mail is scanned and classified like mail that arrives, without a check of SPF',
    },
  ],
  'Outlook.com and Microsoft 365': [
    {
      kind: 'imap',
      wants: 'client',
      oauth: 'microsoft',
      // https://support.microsoft.com/office/c5d65390-9676-4763-b41f-d7986499a90d
      text: `IMAP with a sign-in: passwords are no longer accepted since September 2024; a client of your own to register at Microsoft, step by step; ${PUT}`,
    },
  ],
  Fastmail: [
    {
      kind: 'imap',
      wants: 'app password',
      oauth: null,
      // https://www.fastmail.help/hc/en-us/articles/360058752854
      text: `IMAP with an app password (Settings, Privacy & Security, Integrations): the Basic plan has no IMAP; ${PUT}`,
    },
  ],
  iCloud: [
    {
      kind: 'imap',
      wants: 'app password',
      oauth: null,
      // https://support.apple.com/102525, https://support.apple.com/102654
      text: `IMAP with an app-specific password (account.apple.com, Sign-In and Security), for which two-factor authentication must be on; ${PUT}`,
    },
  ],
}

/** The first one is the simplest. */
export function waysInto(address: string): readonly Way[] {
  const provider = providerOf(address.slice(address.lastIndexOf('@') + 1).toLowerCase())
  const server = provider?.imap ?? null
  const known = provider === null ? undefined : BY_PROVIDER[provider.name]
  const usual: Way = {
    kind: 'imap',
    server,
    wants: provider?.secret === 'app password' ? 'app password' : 'password',
    oauth: null,
    text: `IMAP with ${provider === null ? 'the password of the mailbox' : provider.wants}: ${PUT}`,
  }
  const isShut = provider !== null && provider.imap === null
  const own = known?.map((way) => ({ ...way, server: way.kind === 'imap' ? server : null })) ?? (isShut ? [] : [usual])
  return [...own, { kind: 'smtp', server: null, wants: 'none', oauth: null, text: FORWARDED }]
}
