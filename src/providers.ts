// Large providers: their POP3 servers, and what a person has to do there before a program may sign in. As of 2026; what a
// domain says of itself (DNS, autoconfig) goes before it. Only a table and the look-up in it.

export interface Provider {
  readonly name: string
  /** All are reached at port 995 with TLS from the first byte; null: it has no POP3. */
  readonly host: string | null
  /** With a space between. */
  readonly domains: string
  /** What is written as the user: the whole address, or what stands before the `@`. */
  readonly user: 'address' | 'local'
  /** What opens the mailbox. `app`: not the usual password but one made for programs. `oauth2`: tokens only. */
  readonly secret: 'password' | 'app' | 'oauth2'
  /** What to switch on, and where; null: nothing. */
  readonly first: string | null
}

/** The usual password, and nothing to switch on; or no POP3. */
function plain(name: string, host: string | null, domains: string): Provider {
  return { name, host, domains, user: 'address', secret: 'password', first: null }
}

const PROVIDERS: readonly Provider[] = [
  {
    name: 'Gmail',
    host: 'pop.gmail.com',
    domains: 'gmail.com googlemail.com',
    user: 'address',
    secret: 'app',
    first:
      'in Gmail, Settings, Forwarding and POP/IMAP: enable POP for all mail; then make an app password at myaccount.google.com/apppasswords (wants 2-Step Verification)',
  },
  {
    name: 'Outlook.com',
    host: 'outlook.office365.com',
    domains:
      'outlook.com outlook.de outlook.fr hotmail.com hotmail.de hotmail.fr hotmail.co.uk live.com live.de msn.com',
    user: 'address',
    secret: 'oauth2',
    first:
      'at outlook.com, Settings, Mail, Forwarding and IMAP: let devices and apps use POP; passwords are not taken any more',
  },
  {
    name: 'Yahoo',
    host: 'pop.mail.yahoo.com',
    domains:
      'yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es yahoo.ca yahoo.co.in yahoo.com.br ymail.com rocketmail.com',
    user: 'address',
    secret: 'app',
    first: 'at login.yahoo.com, Account security: generate an app password',
  },
  {
    name: 'AOL',
    host: 'pop.aol.com',
    domains: 'aol.com aol.de aol.co.uk aim.com',
    user: 'address',
    secret: 'app',
    first: 'at login.aol.com, Account security: generate an app password',
  },
  {
    name: 'GMX',
    host: 'pop.gmx.net',
    domains: 'gmx.de gmx.net gmx.at gmx.ch',
    user: 'address',
    secret: 'password',
    first:
      'at gmx.net, E-Mail, settings, POP3/IMAP: allow access; with two-factor sign-in make a password for programs',
  },
  {
    name: 'GMX',
    host: 'pop.gmx.com',
    domains: 'gmx.com gmx.us gmx.co.uk gmx.fr gmx.es',
    user: 'address',
    secret: 'password',
    first:
      'at gmx.com, E-mail settings, POP3 & IMAP: enable access; with two-factor sign-in make a password for programs',
  },
  {
    name: 'WEB.DE',
    host: 'pop3.web.de',
    domains: 'web.de',
    user: 'address',
    secret: 'password',
    first: 'at web.de, E-Mail, settings, POP3/IMAP: allow access; with two-factor sign-in make a password for programs',
  },
  {
    name: 'T-Online',
    host: 'securepop.t-online.de',
    domains: 't-online.de magenta.de',
    user: 'address',
    secret: 'app',
    first: 'in the customer centre of Telekom: set a password for e-mail programs',
  },
  plain('freenet', 'mx.freenet.de', 'freenet.de'),
  plain('Posteo', 'posteo.de', 'posteo.de posteo.net posteo.org'),
  plain('mailbox.org', 'pop3.mailbox.org', 'mailbox.org'),
  {
    name: 'Fastmail',
    host: 'pop.fastmail.com',
    domains: 'fastmail.com fastmail.fm',
    user: 'address',
    secret: 'app',
    first: 'at fastmail.com, Settings, Privacy & Security: make an app password for POP',
  },
  {
    name: 'Zoho',
    host: 'pop.zoho.com',
    domains: 'zoho.com zohomail.com',
    user: 'address',
    secret: 'password',
    first:
      'at mail.zoho.com, Settings, Mail accounts, POP: enable access; with two-factor sign-in make an app password',
  },
  {
    name: 'Yandex',
    host: 'pop.yandex.com',
    domains: 'yandex.ru yandex.com ya.ru',
    user: 'address',
    secret: 'app',
    first: 'at mail.yandex.com, Settings, Email clients: allow POP3; then make an app password at id.yandex.com',
  },
  {
    name: 'Mail.ru',
    host: 'pop.mail.ru',
    domains: 'mail.ru inbox.ru list.ru bk.ru',
    user: 'address',
    secret: 'app',
    first: 'at account.mail.ru, Security: make a password for external applications',
  },
  {
    name: 'QQ Mail',
    host: 'pop.qq.com',
    domains: 'qq.com foxmail.com',
    user: 'address',
    secret: 'app',
    first: 'at mail.qq.com, Settings, Account: enable POP3 and make an authorization code',
  },
  {
    name: 'NetEase 163',
    host: 'pop.163.com',
    domains: '163.com',
    user: 'address',
    secret: 'app',
    first: 'at mail.163.com, Settings, POP3/SMTP/IMAP: enable POP3 and make an authorization code',
  },
  plain('Orange', 'pop.orange.fr', 'orange.fr wanadoo.fr'),
  plain('Free', 'pop.free.fr', 'free.fr'),
  {
    name: 'La Poste',
    host: 'pop.laposte.net',
    domains: 'laposte.net',
    user: 'local',
    secret: 'password',
    first: null,
  },
  {
    name: 'AT&T',
    host: 'inbound.att.net',
    domains: 'att.net sbcglobal.net bellsouth.net',
    user: 'address',
    secret: 'app',
    first: 'at att.com, Profile, Sign-in info: make a secure mail key',
  },
  plain('BT', 'mail.btinternet.com', 'btinternet.com'),
  plain('Bluewin', 'pop3s.bluewin.ch', 'bluewin.ch'),
  plain('Seznam', 'pop3.seznam.cz', 'seznam.cz email.cz post.cz'),
  plain('iCloud', null, 'icloud.com me.com mac.com'),
  plain('Proton', null, 'proton.me protonmail.com pm.me'),
  plain('Tuta', null, 'tuta.com tutanota.com tutanota.de tuta.io'),
]

/** The provider of a domain, in lower case; null: it is not in the table. */
export function providerOf(domain: string): Provider | null {
  return PROVIDERS.find(({ domains }) => domains.split(' ').includes(domain)) ?? null
}
