// Where providers let programs sign in by OAuth 2.0: endpoints, scopes by use, and what is particular. One entry each, by the name
// that `provider:` has in the configuration; providers.ts names it for a provider's mailboxes. Each entry names where its facts are
// from, as read in November 2026. Thunderbird: mailnews/base/src/OAuth2Providers.sys.mjs of mozilla/releases-comm-central. A use that no
// source names gets no scope. To add one: an entry here, and `oauth` in its entry of providers.ts.

export interface SignInProvider {
  /** In words. */
  readonly name: string
  readonly issuer: string
  /** `{tenant}` stands for the tenant. Null: it has none. */
  readonly authorization: string
  readonly token: string
  readonly device: string | null
  readonly revocation: string | null
  /** Empty: it gives no tokens for this use. */
  readonly scopes: Readonly<Record<'pop' | 'imap' | 'smtp' | 'gmail', readonly string[]>>
  /** Asked for beside them: for a refresh token, and to know who signed in. */
  readonly beside: readonly string[]
  /** The one scope of client credentials; null: it knows none for mail. */
  readonly application: string | null
  /** More parameters of the address that the browser opens. */
  readonly parameters: Readonly<Record<string, string>>
  /** How the address is written to which the browser comes back. */
  readonly loopback: '127.0.0.1' | 'localhost'
  /** The tenant that is meant when none is configured; null: it has no tenants. */
  readonly tenant: string | null
  /** Why a sign-in ended, most likely. */
  readonly likely: string
  /** How to get a client, in three lines at most. */
  readonly client: readonly string[]
}

const same = (scopes: string): SignInProvider['scopes'] => {
  const list = scopes.split(' ')
  return { pop: list, imap: list, smtp: list, gmail: [] }
}

const USUAL = {
  device: null,
  revocation: null,
  beside: [],
  application: null,
  parameters: {},
  loopback: '127.0.0.1',
  tenant: null,
  likely: 'the password was changed, the access was withdrawn, or it was not used for long',
} as const satisfies Partial<SignInProvider>

export const SIGN_IN_PROVIDERS: Readonly<Record<string, SignInProvider>> = {
  // https://developers.google.com/identity/protocols/oauth2/native-app
  // https://developers.google.com/workspace/gmail/imap/xoauth2-protocol (the scope of IMAP, POP and SMTP)
  // https://support.google.com/cloud/answer/15549945 ("Testing" lasts seven days); 15549257 (clients)
  google: {
    ...USUAL,
    name: 'Google',
    issuer: 'https://accounts.google.com',
    authorization: 'https://accounts.google.com/o/oauth2/v2/auth',
    token: 'https://oauth2.googleapis.com/token',
    // Its device flow gives no scope of mail.
    revocation: 'https://oauth2.googleapis.com/revoke',
    scopes: {
      ...same('https://mail.google.com/'),
      gmail: ['https://www.googleapis.com/auth/gmail.insert', 'https://www.googleapis.com/auth/gmail.labels'],
    },
    beside: ['openid', 'email'],
    parameters: { access_type: 'offline', prompt: 'consent' },
    likely:
      'a client in "Testing" at Google, where a sign-in lasts 7 days (publish it: console.cloud.google.com/auth/audience), a changed password, or six months without use',
    client: [
      'Google gives tokens to a client of your own: make one at https://console.cloud.google.com/auth/clients (type "Desktop app"),',
      'with the Gmail API switched on in its project (https://console.cloud.google.com/apis/library/gmail.googleapis.com),',
      'and publish it at https://console.cloud.google.com/auth/audience, or its sign-ins last only 7 days.',
    ],
  },
  // https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
  microsoft: {
    ...USUAL,
    name: 'Microsoft',
    issuer: 'https://login.microsoftonline.com/{tenant}/v2.0',
    authorization: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize',
    token: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token',
    device: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode',
    scopes: {
      pop: ['https://outlook.office.com/POP.AccessAsUser.All'],
      imap: ['https://outlook.office.com/IMAP.AccessAsUser.All'],
      smtp: ['https://outlook.office.com/SMTP.Send'],
      gmail: [],
    },
    beside: ['offline_access', 'openid', 'email'],
    application: 'https://outlook.office365.com/.default',
    loopback: 'localhost',
    tenant: 'common',
    likely: '90 days without use, a changed password, or a rule of the organisation',
    client: [
      'Microsoft gives tokens to a client of your own: register one at https://entra.microsoft.com, App registrations,',
      'as "Mobile and desktop application" with http://localhost, and "Allow public client flows" on;',
      'API permissions: POP.AccessAsUser.All (of Microsoft Graph, delegated), and offline_access.',
    ],
  },
  // https://www.fastmail.com/for-developers/oauth/, https://api.fastmail.com/.well-known/oauth-authorization-server; scopes: Thunderbird.
  fastmail: {
    ...USUAL,
    name: 'Fastmail',
    // As RFC 9207 has it in the answer to the browser.
    issuer: 'https://api.fastmail.com',
    authorization: 'https://api.fastmail.com/oauth/authorize',
    token: 'https://api.fastmail.com/oauth/refresh',
    revocation: 'https://api.fastmail.com/oauth/revoke',
    scopes: {
      pop: ['https://www.fastmail.com/dev/protocol-pop'],
      imap: ['https://www.fastmail.com/dev/protocol-imap'],
      smtp: ['https://www.fastmail.com/dev/protocol-smtp'],
      gmail: [],
    },
    beside: ['offline_access'],
    loopback: 'localhost',
    client: ['Fastmail registers clients on request: https://www.fastmail.com/for-developers/oauth/'],
  },
  // https://developer.yahoo.com/oauth2/guide/; the scope, and that it serves POP, too: Thunderbird. That an address of this machine is
  // taken for the way back could not be verified; Thunderbird has one that begins with https.
  yahoo: {
    ...USUAL,
    name: 'Yahoo',
    issuer: 'https://api.login.yahoo.com',
    authorization: 'https://api.login.yahoo.com/oauth2/request_auth',
    token: 'https://api.login.yahoo.com/oauth2/get_token',
    revocation: 'https://api.login.yahoo.com/oauth2/revoke',
    scopes: same('mail-w'),
    client: ['Yahoo registers clients at https://developer.yahoo.com/apps/, and allows mail to few of them.'],
  },
  // Thunderbird; revocation as Yahoo, whose servers these are.
  aol: {
    ...USUAL,
    name: 'AOL',
    issuer: 'https://api.login.aol.com',
    authorization: 'https://api.login.aol.com/oauth2/request_auth',
    token: 'https://api.login.aol.com/oauth2/get_token',
    revocation: 'https://api.login.aol.com/oauth2/revoke',
    scopes: same('mail-w'),
    client: ['AOL registers clients at https://developer.yahoo.com/apps/, and allows mail to few of them.'],
  },
  // Thunderbird.
  comcast: {
    ...USUAL,
    name: 'Comcast',
    issuer: 'https://oauth.xfinity.com',
    authorization: 'https://oauth.xfinity.com/oauth/authorize',
    token: 'https://oauth.xfinity.com/oauth/token',
    scopes: same('https://email.comcast.net/ profile openid'),
    client: ['Comcast registers clients on request.'],
  },
  // https://yandex.com/dev/id/doc/en/; https://yandex.ru/support/mail-business/web/security/oauth.html: tokens are for IMAP and SMTP.
  yandex: {
    ...USUAL,
    name: 'Yandex',
    issuer: 'https://oauth.yandex.com',
    authorization: 'https://oauth.yandex.com/authorize',
    token: 'https://oauth.yandex.com/token',
    // Its device flow and its revocation have parameters of their own, not those of RFC 8628 and RFC 7009.
    scopes: { pop: [], imap: ['mail:imap_full'], smtp: ['mail:smtp'], gmail: [] },
    client: ['Yandex registers clients at https://oauth.yandex.com/client/new.'],
  },
  // Thunderbird; https://id.vk.com/about/business/go/docs/ru/vkid/latest/oauth/oauth-mail/index: the scope is for IMAP, and is given only
  // together with userinfo. That SMTP takes it is Thunderbird's word; of POP nobody speaks.
  mailru: {
    ...USUAL,
    name: 'Mail.ru',
    issuer: 'https://o2.mail.ru',
    authorization: 'https://o2.mail.ru/login',
    token: 'https://o2.mail.ru/token',
    scopes: { ...same('mail.imap'), pop: [] },
    beside: ['userinfo'],
    client: ['Mail.ru registers clients at https://o2.mail.ru/app/.'],
  },
}
