// What people have to know of large providers that no error text tells them: where POP3 is switched on, which password it
// wants, how many sessions it bears. Facts for `popfetch check`; nothing is decided by them. A provider is one entry.

export interface ProviderHint {
  readonly name: string
  /** Domains of hosts and of addresses. */
  readonly domains: readonly string[]
  /** The POP3 server, port 995 with TLS from the first byte; null: there is none. */
  readonly host: string | null
  /** What sign-in wants. */
  readonly signIn: string
  /** What has to be switched on first, and where; null: nothing. */
  readonly pop: string | null
  /** What it limits; null: nothing that is known. */
  readonly limits: string | null
}

const appPassword = 'an app password, made in the security settings of the account: its usual password is refused'

const HINTS: readonly ProviderHint[] = [
  {
    name: 'Gmail',
    domains: ['gmail.com', 'googlemail.com', 'google.com'],
    host: 'pop.gmail.com',
    signIn:
      'an app password (myaccount.google.com/apppasswords, with 2-step verification on), or a token with auth: xoauth2; the usual password is refused',
    pop: 'Settings, Forwarding and POP/IMAP: enable POP (a company account: also its administrator)',
    limits: 'few sessions at once; after too many it locks POP for up to a day',
  },
  {
    name: 'Outlook.com and Microsoft 365',
    domains: [
      'outlook.com',
      'outlook.de',
      'hotmail.com',
      'live.com',
      'msn.com',
      'office365.com',
      'outlook.office365.com',
    ],
    host: 'outlook.office365.com',
    signIn: 'a token with auth: xoauth2; passwords are no longer taken over POP3',
    pop: 'Outlook.com: Settings, Mail, Forwarding and IMAP: let devices and apps use POP; Microsoft 365: the administrator allows POP for the mailbox',
    limits: 'too many sign-ins look like a wrong password for a while',
  },
  {
    name: 'Yahoo',
    domains: ['yahoo.com', 'yahoo.de', 'yahoo.fr', 'yahoo.co.uk', 'ymail.com', 'rocketmail.com'],
    host: 'pop.mail.yahoo.com',
    signIn: appPassword,
    pop: null,
    limits: null,
  },
  { name: 'AOL', domains: ['aol.com', 'aol.de'], host: 'pop.aol.com', signIn: appPassword, pop: null, limits: null },
  {
    name: 'GMX',
    domains: ['gmx.net', 'gmx.de', 'gmx.at', 'gmx.ch'],
    host: 'pop.gmx.net',
    signIn: 'the usual password, or an app password where two-factor sign-in is on',
    pop: 'E-Mail, Einstellungen, POP3/IMAP Abruf: POP3 und IMAP Zugriff erlauben (it switches itself off when it is not used)',
    limits: 'free accounts: one poll in 15 minutes',
  },
  {
    name: 'GMX',
    domains: ['gmx.com', 'mail.com'],
    host: 'pop.gmx.com',
    signIn: 'the usual password, or an app password where two-factor sign-in is on',
    pop: 'E-mail settings, POP3 & IMAP: enable access (it switches itself off when it is not used)',
    limits: null,
  },
  {
    name: 'WEB.DE',
    domains: ['web.de'],
    host: 'pop3.web.de',
    signIn: 'the usual password, or an app password where two-factor sign-in is on',
    pop: 'E-Mail, Einstellungen, POP3/IMAP Abruf: POP3 und IMAP Zugriff erlauben (it switches itself off when it is not used)',
    limits: 'free accounts: one poll in 15 minutes',
  },
  {
    name: 'Telekom',
    domains: ['t-online.de', 'magenta.de'],
    host: 'securepop.t-online.de',
    signIn: 'the password for mail programs, which is set in the customer centre and is not the one of the login',
    pop: null,
    limits: null,
  },
  {
    name: 'Yandex',
    domains: ['yandex.ru', 'yandex.com', 'ya.ru'],
    host: 'pop.yandex.com',
    signIn: appPassword,
    pop: 'Settings, Email clients: allow POP3',
    limits: null,
  },
  {
    name: 'Mail.ru',
    domains: ['mail.ru', 'inbox.ru', 'list.ru', 'bk.ru'],
    host: 'pop.mail.ru',
    signIn: appPassword,
    pop: null,
    limits: null,
  },
  {
    name: 'Zoho',
    domains: ['zoho.com', 'zoho.eu', 'zohomail.com'],
    host: 'pop.zoho.com',
    signIn: 'the usual password, or an app password where two-factor sign-in is on',
    pop: 'Settings, Mail accounts, POP: enable POP access',
    limits: null,
  },
  {
    name: 'QQ Mail and NetEase',
    domains: ['qq.com', 'foxmail.com', '163.com', '126.com', 'yeah.net'],
    host: null,
    signIn: 'the authorisation code that the web mail gives when POP3 is switched on, not the usual password',
    pop: 'web mail, Settings, POP3/SMTP/IMAP: switch POP3 on',
    limits: null,
  },
  {
    name: 'iCloud',
    domains: ['icloud.com', 'me.com', 'mac.com'],
    host: null,
    signIn: 'nothing: iCloud has IMAP alone, no POP3',
    pop: null,
    limits: null,
  },
  {
    name: 'Proton',
    domains: ['proton.me', 'protonmail.com', 'pm.me'],
    host: null,
    signIn: 'nothing: Proton has no POP3, its Bridge neither',
    pop: null,
    limits: null,
  },
]

/** By the host, or else by the domain of an address. Null: not in the list. */
export function providerHint(host: string, user: string): ProviderHint | null {
  const address = user.slice(user.lastIndexOf('@') + 1).toLowerCase()
  const byHost = HINTS.find(({ domains }) => domains.some((domain) => isWithin(host, domain)))
  return byHost ?? (user.includes('@') ? (HINTS.find(({ domains }) => domains.includes(address)) ?? null) : null)
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`)
}
