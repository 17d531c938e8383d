// What an administrator does at Microsoft so that an application may use a mailbox without anybody signing in (client credentials).
// It is four things, in their order, of which the mail server says only that it refuses.
// https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
import type { Advice } from '../report.ts'

const USES = {
  pop: { permission: 'POP.AccessAsApp', off: 'POP is off for the mailbox', on: '-PopEnabled $true' },
  imap: { permission: 'IMAP.AccessAsApp', off: 'IMAP is off for the mailbox', on: '-ImapEnabled $true' },
  smtp: {
    permission: 'SMTP.SendAsApp',
    off: 'SMTP AUTH is off for the mailbox',
    on: '-SmtpClientAuthenticationDisabled $false',
  },
} as const

export function applicationAdvice(use: keyof typeof USES): readonly Advice[] {
  const { permission, off, on } = USES[use]
  return [
    {
      cause: `an administrator has not consented to the application permission ${permission}`,
      next: 'entra.microsoft.com, App registrations, API permissions (Office 365 Exchange Online): add it, and grant admin consent',
    },
    {
      cause: 'Exchange does not know the service principal of the application',
      next: 'New-ServicePrincipal -AppId CLIENT_ID -ObjectId OBJECT_ID (that of the enterprise application)',
    },
    {
      cause: 'the service principal has no right on the mailbox',
      next: 'Add-MailboxPermission -Identity MAILBOX -User OBJECT_ID -AccessRights FullAccess',
    },
    { cause: off, next: `Set-CASMailbox -Identity MAILBOX ${on}` },
  ]
}
