// The one table of mail servers that do not send mail under somebody else's From: what a forward by way of them meets. `check` warns
// by it, and nothing is decided by it. To add a server, add a line; the reply in the comment is how it is recognised in a log.

interface Servers {
  /** Names of servers, or domains that they are in. */
  readonly hosts: readonly string[]
  /** `replaces`: the author is changed. `refuses`: the message is refused. */
  readonly does: 'replaces' | 'refuses'
}

const TABLE: readonly Servers[] = [
  { hosts: ['smtp.gmail.com', 'smtp.googlemail.com'], does: 'replaces' },
  // 550 5.7.60 SMTP; Client does not have permissions to send as this sender; 554 5.2.252 SendAsDenied
  { hosts: ['office365.com', 'smtp-mail.outlook.com'], does: 'refuses' },
  // 553 From: header sender domain is not verified
  { hosts: ['mail.yahoo.com'], does: 'refuses' },
  // 550 5.7.0 From address is not one of your addresses
  { hosts: ['smtp.mail.me.com'], does: 'refuses' },
  // 550 Requested action not taken: mailbox unavailable. Sender address is not allowed.
  { hosts: ['gmx.net', 'gmx.com', 'web.de', 'ionos.com', 'ionos.de', '1und1.de', '1and1.com'], does: 'refuses' },
  // 550 5.7.0 Sender Address not allowed
  { hosts: ['t-online.de'], does: 'refuses' },
  // 553 5.7.1 Sender address rejected: not owned by auth user
  { hosts: ['smtp.yandex.com', 'smtp.yandex.ru'], does: 'refuses' },
  // 550 not local sender over smtp
  { hosts: ['smtp.mail.ru'], does: 'refuses' },
  // 551 5.7.1 Not authorised to send from this header address
  { hosts: ['fastmail.com', 'messagingengine.com'], does: 'refuses' },
  // 553 Sender is not allowed to relay emails
  { hosts: ['zoho.com', 'zoho.eu', 'zoho.in'], does: 'refuses' },
  // 554 Message rejected: Email address is not verified
  { hosts: ['amazonaws.com'], does: 'refuses' },
  // 550 The from address does not match a verified Sender Identity
  { hosts: ['smtp.sendgrid.net'], does: 'refuses' },
]

/** What this server is known to do to mail whose From is somebody else's, and what helps; null: nothing is known. */
export function foreignFromWarning(host: string): string | null {
  const name = host.toLowerCase()
  const found = TABLE.find(({ hosts }) => hosts.some((one) => name === one || name.endsWith(`.${one}`)))
  if (found === undefined) return null
  return found.does === 'replaces'
    ? `${host} replaces the From of forwarded mail with the address of the account: type: imap or gmail keeps it`
    : `${host} refuses mail whose From is not an address of the account: use wrap: when-refused, first-of, or type: imap`
}
