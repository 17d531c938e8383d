// The one table of large mail providers. Their servers, what a person must enable there before a program may sign in, their limits,
// and what they have ended. `init` and `check` read it; the table itself decides nothing. As of spring 2026.
//
// To add a provider, add one entry to TABLE: name, domains (each in one entry only), and the servers for POP3, IMAP and SMTP.
// Then add every field that differs from USUAL. Take servers and ports from the provider's own help page. Say in `wants` and
// `enablePop` where to click, in the language of its pages. test/providers.test.ts checks the table as a whole.

export interface Server {
  readonly host: string
  readonly port: number
  readonly tls: 'implicit' | 'starttls'
}

export interface Provider {
  readonly name: string
  /** What is behind the `@` in its addresses, in lower case. */
  readonly domains: readonly string[]
  /** Domains of its servers, where those are others than `domains`. */
  readonly hosts: readonly string[]
  /** Another domain has its mailboxes on these very servers if its MX records lead to hosts within these. */
  readonly mx: readonly string[]
  /** Null: it has no POP3. */
  readonly pop: Server | null
  readonly imap: Server | null
  readonly smtp: Server | null
  /** What is written as the user: the whole address, or what is before the `@`. */
  readonly user: 'address' | 'local'
  /** What a person is asked for. `app password`: not the usual one, but one made for programs. `token`: OAuth 2.0 only. */
  readonly secret: 'password' | 'app password' | 'token'
  /** Its name in sign-in-providers.ts; null: it gives no tokens that popfetch knows. */
  readonly oauth: string | null
  /** The secret in words, and where it is made. */
  readonly wants: string
  /** How POP3 is switched on; null: it is on. */
  readonly enablePop: string | null
  /** Its own help page about POP3; null: none is known. */
  readonly help: string | null
  readonly limits: {
    /** The shortest time between two polls; null: none is known. A LOGIN-DELAY that a server announces comes on top. */
    readonly intervalMs: number | null
    /** What is known of its limits, for people; null: nothing. */
    readonly text: string | null
  }
  /** What worked once and does so no more, and since when. Null: still works, or never did. */
  readonly ended: {
    /** The usual password for programs. */
    readonly passwords: string | null
    /** Fetching from other mailboxes by POP3, in whose place people take popfetch. */
    readonly fetcher: string | null
  }
}

const pop3s = (host: string): Server => ({ host, port: 995, tls: 'implicit' })
const imaps = (host: string): Server => ({ host, port: 993, tls: 'implicit' })
const smtps = (host: string): Server => ({ host, port: 465, tls: 'implicit' })
const submission = (host: string): Server => ({ host, port: 587, tls: 'starttls' })
/** All three with TLS from the first byte, at the usual ports. */
const overTls = (pop: string, imap: string, smtp: string): Pick<Provider, 'pop' | 'imap' | 'smtp'> => ({
  pop: pop3s(pop),
  imap: imaps(imap),
  smtp: smtps(smtp),
})
const words = (text: string): readonly string[] => text.split(' ')

const MINUTE_MS = 60_000

type Usual = 'hosts' | 'mx' | 'user' | 'secret' | 'oauth' | 'wants' | 'enablePop' | 'help' | 'limits' | 'ended'

const USUAL: Pick<Provider, Usual> = {
  hosts: [],
  mx: [],
  user: 'address',
  secret: 'password',
  oauth: null,
  wants: 'the usual password',
  enablePop: null,
  help: null,
  limits: { intervalMs: null, text: null },
  ended: { passwords: null, fetcher: null },
}

const TWO_FACTORS = 'the usual password, or an app password where two-factor sign-in is on'
const ONCE_IN_15_MINUTES = { intervalMs: 15 * MINUTE_MS, text: 'free accounts: one poll in 15 minutes' } as const
const SWITCHES_ITSELF_OFF = '(it is disabled again when it is not used)'

const TABLE: readonly (Omit<Provider, Usual> & Partial<Pick<Provider, Usual>>)[] = [
  {
    name: 'Gmail',
    domains: words('gmail.com googlemail.com'),
    hosts: ['google.com'],
    mx: words('google.com googlemail.com'),
    ...overTls('pop.gmail.com', 'imap.gmail.com', 'smtp.gmail.com'),
    secret: 'app password',
    wants:
      'an app password (myaccount.google.com/apppasswords, with 2-Step Verification on), or a sign-in (token: { oauth: NAME }, popfetch auth)',
    oauth: 'google',
    enablePop:
      'in Gmail, Settings, Forwarding and POP/IMAP: enable POP for all mail (a company account: also its administrator)',
    help: 'https://support.google.com/mail/answer/7104828',
    limits: { intervalMs: 5 * MINUTE_MS, text: 'few sessions at once; after too many it locks POP for up to a day' },
    ended: { passwords: 'May 2022', fetcher: '2026: early in the year for new users, later for all' },
  },
  {
    name: 'Outlook.com and Microsoft 365',
    domains: words(
      'outlook.com outlook.de outlook.fr hotmail.com hotmail.de hotmail.fr hotmail.co.uk live.com live.de msn.com',
    ),
    hosts: ['office365.com'],
    mx: words('mail.protection.outlook.com mx.microsoft'),
    pop: pop3s('outlook.office365.com'),
    imap: imaps('outlook.office365.com'),
    smtp: submission('smtp-mail.outlook.com'),
    secret: 'token',
    wants: 'a sign-in (token: { oauth: NAME }, popfetch auth)',
    oauth: 'microsoft',
    enablePop:
      'Outlook.com: Settings, Mail, Forwarding and IMAP: let devices and apps use POP; Microsoft 365: the administrator allows POP for the mailbox',
    help: 'https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040',
    limits: { intervalMs: null, text: 'too many sign-ins look like a wrong password for a while' },
    ended: { passwords: 'September 2024', fetcher: null },
  },
  {
    name: 'Yahoo',
    domains: words(
      'yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es yahoo.ca yahoo.co.in yahoo.com.br ymail.com rocketmail.com',
    ),
    ...overTls('pop.mail.yahoo.com', 'imap.mail.yahoo.com', 'smtp.mail.yahoo.com'),
    secret: 'app password',
    wants: 'an app password, made at login.yahoo.com, Account security',
    oauth: 'yahoo',
    help: 'https://help.yahoo.com/kb/SLN4724.html',
    ended: { passwords: 'October 2020', fetcher: null },
  },
  {
    name: 'AOL',
    domains: words('aol.com aol.de aol.co.uk aim.com'),
    ...overTls('pop.aol.com', 'imap.aol.com', 'smtp.aol.com'),
    secret: 'app password',
    wants: 'an app password, made at login.aol.com, Account security',
    oauth: 'aol',
    ended: { passwords: 'October 2020', fetcher: null },
  },
  {
    name: 'GMX',
    domains: words('gmx.de gmx.net gmx.at gmx.ch'),
    ...overTls('pop.gmx.net', 'imap.gmx.net', 'mail.gmx.net'),
    wants: TWO_FACTORS,
    enablePop: `E-Mail, Einstellungen, POP3/IMAP Abruf: POP3 und IMAP Zugriff erlauben ${SWITCHES_ITSELF_OFF}`,
    help: 'https://hilfe.gmx.net/pop-imap/',
    limits: ONCE_IN_15_MINUTES,
  },
  {
    name: 'GMX',
    domains: words('gmx.com gmx.us gmx.co.uk gmx.fr gmx.es'),
    ...overTls('pop.gmx.com', 'imap.gmx.com', 'mail.gmx.com'),
    wants: TWO_FACTORS,
    enablePop: `E-mail settings, POP3 & IMAP: enable access ${SWITCHES_ITSELF_OFF}`,
    help: 'https://support.gmx.com/pop-imap/',
  },
  {
    name: 'mail.com',
    domains: ['mail.com'],
    ...overTls('pop.mail.com', 'imap.mail.com', 'smtp.mail.com'),
    wants: TWO_FACTORS,
    enablePop: `E-mail settings, POP3 & IMAP: enable access ${SWITCHES_ITSELF_OFF}`,
  },
  {
    name: 'WEB.DE',
    domains: ['web.de'],
    ...overTls('pop3.web.de', 'imap.web.de', 'smtp.web.de'),
    wants: TWO_FACTORS,
    enablePop: `E-Mail, Einstellungen, POP3/IMAP Abruf: POP3 und IMAP Zugriff erlauben ${SWITCHES_ITSELF_OFF}`,
    help: 'https://hilfe.web.de/pop-imap/',
    limits: ONCE_IN_15_MINUTES,
  },
  {
    name: 'Telekom',
    domains: words('t-online.de magenta.de'),
    ...overTls('securepop.t-online.de', 'secureimap.t-online.de', 'securesmtp.t-online.de'),
    secret: 'app password',
    wants: 'the password for mail programs, set in the Telekom Kundencenter',
  },
  {
    name: 'freenet',
    domains: ['freenet.de'],
    ...overTls('mx.freenet.de', 'mx.freenet.de', 'mx.freenet.de'),
  },
  {
    name: 'Posteo',
    domains: words('posteo.de posteo.net posteo.org'),
    ...overTls('posteo.de', 'posteo.de', 'posteo.de'),
  },
  {
    name: 'mailbox.org',
    domains: ['mailbox.org'],
    mx: ['mailbox.org'],
    ...overTls('pop3.mailbox.org', 'imap.mailbox.org', 'smtp.mailbox.org'),
    wants: TWO_FACTORS,
    help: 'https://kb.mailbox.org/en/private/e-mail/e-mail-configuration',
  },
  {
    name: 'Fastmail',
    domains: words('fastmail.com fastmail.fm'),
    hosts: ['messagingengine.com'],
    mx: ['messagingengine.com'],
    ...overTls('pop.fastmail.com', 'imap.fastmail.com', 'smtp.fastmail.com'),
    secret: 'app password',
    wants: 'an app password for POP, made at fastmail.com, Settings, Privacy & Security',
    oauth: 'fastmail',
  },
  {
    name: 'Zoho',
    domains: words('zoho.com zohomail.com'),
    ...overTls('pop.zoho.com', 'imap.zoho.com', 'smtp.zoho.com'),
    wants: TWO_FACTORS,
    enablePop: 'at mail.zoho.com, Settings, Mail accounts, POP: enable access',
  },
  {
    name: 'Zoho',
    domains: words('zoho.eu zohomail.eu'),
    ...overTls('pop.zoho.eu', 'imap.zoho.eu', 'smtp.zoho.eu'),
    wants: TWO_FACTORS,
    enablePop: 'at mail.zoho.eu, Settings, Mail accounts, POP: enable access',
  },
  {
    name: 'Yandex',
    domains: words('yandex.ru yandex.com ya.ru'),
    mx: words('yandex.ru yandex.net'),
    ...overTls('pop.yandex.com', 'imap.yandex.com', 'smtp.yandex.com'),
    secret: 'app password',
    wants: 'an app password, made at id.yandex.com',
    oauth: 'yandex',
    enablePop: 'at mail.yandex.com, Settings, Email clients: allow POP3',
  },
  {
    name: 'Mail.ru',
    domains: words('mail.ru inbox.ru list.ru bk.ru'),
    mx: ['mail.ru'],
    ...overTls('pop.mail.ru', 'imap.mail.ru', 'smtp.mail.ru'),
    secret: 'app password',
    wants: 'a password for external applications, made at account.mail.ru, Security',
    oauth: 'mailru',
  },
  {
    name: 'QQ Mail',
    domains: words('qq.com foxmail.com'),
    ...overTls('pop.qq.com', 'imap.qq.com', 'smtp.qq.com'),
    secret: 'app password',
    wants: 'the authorisation code that mail.qq.com gives when POP3 is switched on',
    enablePop: 'at mail.qq.com, Settings, Account: switch POP3 on',
  },
  ...['163.com', '126.com', 'yeah.net'].map((domain) => ({
    name: `NetEase ${domain}`,
    domains: [domain],
    ...overTls(`pop.${domain}`, `imap.${domain}`, `smtp.${domain}`),
    secret: 'app password' as const,
    wants: 'the authorisation code that the web mail gives when POP3 is switched on',
    enablePop: `in the web mail of ${domain}, Settings, POP3/SMTP/IMAP: switch POP3 on`,
  })),
  {
    name: 'Orange',
    domains: words('orange.fr wanadoo.fr'),
    ...overTls('pop.orange.fr', 'imap.orange.fr', 'smtp.orange.fr'),
  },
  {
    name: 'Free',
    domains: ['free.fr'],
    ...overTls('pop.free.fr', 'imap.free.fr', 'smtp.free.fr'),
  },
  {
    name: 'La Poste',
    domains: ['laposte.net'],
    ...overTls('pop.laposte.net', 'imap.laposte.net', 'smtp.laposte.net'),
    user: 'local',
  },
  {
    name: 'AT&T',
    domains: words('att.net sbcglobal.net bellsouth.net'),
    ...overTls('inbound.att.net', 'imap.mail.att.net', 'outbound.att.net'),
    secret: 'app password',
    wants: 'a secure mail key, made at att.com, Profile, Sign-in info',
  },
  {
    name: 'BT',
    domains: ['btinternet.com'],
    ...overTls('mail.btinternet.com', 'mail.btinternet.com', 'mail.btinternet.com'),
  },
  {
    name: 'Bluewin',
    domains: ['bluewin.ch'],
    ...overTls('pop3s.bluewin.ch', 'imaps.bluewin.ch', 'smtpauths.bluewin.ch'),
  },
  {
    name: 'Seznam',
    domains: words('seznam.cz email.cz post.cz'),
    ...overTls('pop3.seznam.cz', 'imap.seznam.cz', 'smtp.seznam.cz'),
  },
  {
    name: 'iCloud',
    domains: words('icloud.com me.com mac.com'),
    mx: ['mail.icloud.com'],
    pop: null,
    imap: imaps('imap.mail.me.com'),
    smtp: submission('smtp.mail.me.com'),
    wants: 'nothing: iCloud has only IMAP, no POP3',
  },
  {
    name: 'Proton',
    domains: words('proton.me protonmail.com pm.me'),
    mx: ['protonmail.ch'],
    pop: null,
    imap: null,
    smtp: null,
    wants: 'nothing: neither Proton nor its Bridge has POP3',
  },
  {
    name: 'Tuta',
    domains: words('tuta.com tutanota.com tutanota.de tuta.io'),
    mx: ['tutanota.de'],
    pop: null,
    imap: null,
    smtp: null,
    wants: 'nothing: Tuta has neither POP3 nor IMAP',
  },
]

export const PROVIDERS: readonly Provider[] = TABLE.map((entry) => ({ ...USUAL, ...entry }))

const BY_DOMAIN: ReadonlyMap<string, Provider> = new Map(
  PROVIDERS.flatMap((provider) => provider.domains.map((domain) => [domain, provider] as const)),
)

/** The provider of a mail domain, in lower case; null: it is not in the table. */
export function providerOf(domain: string): Provider | null {
  return BY_DOMAIN.get(domain) ?? null
}

/** By the server's name, or else by the domain of an address; null: it is not in the table. */
export function providerAt(host: string, user: string): Provider | null {
  const byHost = PROVIDERS.find(({ domains, hosts }) => [...domains, ...hosts].some((domain) => isWithin(host, domain)))
  if (byHost !== undefined) return byHost
  return user.includes('@') ? providerOf(user.slice(user.lastIndexOf('@') + 1).toLowerCase()) : null
}

/** The provider that takes a domain's mail, by its MX hosts; null: none of the table. */
export function providerByMx(hosts: readonly string[]): Provider | null {
  const names = hosts.map((host) => host.toLowerCase().replace(/\.$/, ''))
  const isTheirs = ({ mx }: Provider): boolean => mx.some((domain) => names.some((name) => isWithin(name, domain)))
  return PROVIDERS.find(isTheirs) ?? null
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`)
}

/** Goes on after "NAME wants": which secret, where it is made, and why no other will do. */
export function secretText({ secret, wants, ended }: Provider): string {
  const since = ended.passwords === null ? '' : `, since ${ended.passwords}`
  switch (secret) {
    case 'password':
      return wants
    case 'app password':
      return `${wants}; the usual password is refused${since}`
    case 'token':
      return `${wants}; passwords are no longer accepted over POP3${since}`
  }
}

/** How to switch POP3 on; null: it is on. */
export function enablePopText({ enablePop, help }: Provider): string | null {
  return enablePop === null || help === null ? enablePop : `${enablePop}: see ${help}`
}

/** What a person has to do before a program may sign in; null: nothing but to know the usual password. */
export function firstSteps(provider: Provider): string | null {
  const secret = provider.wants === USUAL.wants ? [] : [`it requires ${secretText(provider)}`]
  const steps = [enablePopText(provider), ...secret].filter((step) => step !== null)
  return steps.length === 0 ? null : steps.join('; ')
}
