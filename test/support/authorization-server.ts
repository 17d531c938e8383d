// A real authorization server on loopback (oidc-provider, certified): device flow, authorization code with PKCE, rotating refresh
// tokens with reuse detection, revocation, introspection. And a person without a browser, who clicks through its forms.
import { X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Provider } from 'oidc-provider'

export const CLIENT_ID = 'popfetch'
export const CLIENT_SECRET = 'a-client-secret-of-tests-8731'
/** A mail server, which may ask about tokens. */
export const MAIL_SERVER = { id: 'mail-server', secret: 'what-the-mail-server-proves-5512' }

export interface Fault {
  /** The beginning of the path. */
  readonly path: string
  /** All of it: `/token` is not `/token/introspection`, which mail servers ask. */
  readonly exact?: boolean
  /** Answers in the server's place. False: the server answers, too, and its answer is lost. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void
  /** The server does its work first; then `answer` takes the place of what it said. */
  readonly afterwards?: boolean
}

export interface Options {
  /** How long an access token serves. */
  readonly accessSeconds?: number
  /** The client has a secret. */
  readonly secret?: boolean
  /** The client proves by the key of this certificate (PEM) who it is. */
  readonly certificate?: string | null
}

export class AuthorizationServer implements AsyncDisposable {
  /** Method and path of each request. */
  readonly journal: string[] = []
  /** The next requests that fit go wrong, each fault once. */
  readonly faults: Fault[] = []
  readonly issuer: string
  /** The last refresh token that each person's sign-in was given. */
  readonly newest = new Map<string, string>()
  readonly #close: () => Promise<void>

  static async start({
    accessSeconds = 3600,
    secret = false,
    certificate = null,
  }: Options = {}): Promise<AuthorizationServer> {
    const server = createServer()
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const issuer = `http://127.0.0.1:${port}`
    const provider = quietly(() => providerOf(issuer, { accessSeconds, secret, certificate }))
    const callback = provider.callback()
    const started = new AuthorizationServer(issuer, async () => {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    })
    provider.on('refresh_token.saved', ({ accountId, jti }) => void started.newest.set(accountId, jti))
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // Node has a true clock of its own here; a test may have set another.
      response.setHeader('date', new Date().toUTCString())
      const path = request.url ?? ''
      started.journal.push(`${request.method} ${path.split('?')[0]}`)
      const at = started.faults.findIndex((fault) =>
        fault.exact === true ? path === fault.path : path.startsWith(fault.path),
      )
      const [fault] = at === -1 ? [] : started.faults.splice(at, 1)
      if (fault === undefined) callback(request, response)
      else if (fault.afterwards !== true) fault.answer(request, response)
      else
        callback(
          request,
          spoiled(response, () => fault.answer(request, response)),
        )
    })
    return started
  }

  private constructor(issuer: string, close: () => Promise<void>) {
    this.issuer = issuer
    this.#close = close
  }

  /** How often tokens were asked for. */
  get tokenRequests(): number {
    return this.journal.filter((line) => line === 'POST /token').length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }
}

/** The server works as usual, but what it says goes nowhere. */
function spoiled(response: ServerResponse, end: () => void): ServerResponse {
  return new Proxy(response, {
    get(target, key) {
      if (key === 'end') return end
      if (key === 'write' || key === 'writeHead' || key === 'flushHeaders') return () => true
      if (key === 'setHeader') return () => target
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
    set: (target, key, value) =>
      key === 'statusCode' || key === 'statusMessage' ? true : Reflect.set(target, key, value, target),
  })
}

/** How the client proves who it is. */
function proofOf({ secret, certificate }: Required<Options>): object {
  if (certificate !== null) {
    const jwk = new X509Certificate(certificate).publicKey.export({ format: 'jwk' })
    return { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } }
  }
  if (!secret) return { token_endpoint_auth_method: 'none' }
  return { client_secret: CLIENT_SECRET, token_endpoint_auth_method: 'client_secret_post' }
}

function providerOf(issuer: string, options: Required<Options>): Provider {
  const { accessSeconds, secret, certificate } = options
  return new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        ...proofOf(options),
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/'],
        grant_types: [
          'authorization_code',
          'refresh_token',
          'urn:ietf:params:oauth:grant-type:device_code',
          ...(secret || certificate !== null ? ['client_credentials'] : []),
        ],
        response_types: ['code'],
      },
      {
        client_id: MAIL_SERVER.id,
        client_secret: MAIL_SERVER.secret,
        grant_types: [],
        response_types: [],
        redirect_uris: [],
      },
    ],
    scopes: ['openid', 'offline_access', 'email', 'mail'],
    claims: { email: ['email'] },
    conformIdTokenClaims: false,
    features: {
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
    },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: accessSeconds,
      ClientCredentials: accessSeconds,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: 86_400 * 90,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 86_400 * 90,
      Session: 86_400,
    },
    extraTokenClaims: (_context: unknown, token: { readonly accountId?: string }) => ({ username: token.accountId }),
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, email: id }) }),
    cookies: { keys: ['cookies of tests'] },
  })
}

/** It warns that it is set up for tests. */
function quietly<T>(work: () => T): T {
  const { warn, info } = console
  console.warn = () => {}
  console.info = () => {}
  try {
    return work()
  } finally {
    console.warn = warn
    console.info = info
  }
}

/** A person, and a browser that keeps cookies and cannot. */
export class Visitor {
  readonly #login: string
  readonly #cookies = new Map<string, string>()

  constructor(login: string) {
    this.#login = login
  }

  /** Opens an address and fills in every form, until the browser is sent to `until`, which is not opened, or until there are no
   *  more forms. Gives where it ended. */
  async open(address: string, { code = '', until = 'nowhere:', refuse = false } = {}): Promise<URL> {
    let next: { url: URL; body: URLSearchParams | null } = { url: new URL(address), body: null }
    for (let step = 0; step < 20; step++) {
      if (next.url.href.startsWith(until)) return next.url
      const response = await fetch(next.url, {
        method: next.body === null ? 'GET' : 'POST',
        body: next.body,
        redirect: 'manual',
        headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      })
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
        if (value === '') this.#cookies.delete(name)
        else this.#cookies.set(name, value)
      }
      const location = response.headers.get('location')
      const text = await response.text()
      if (location !== null) next = { url: new URL(location, next.url), body: null }
      else {
        const form = refuse ? abortOf(text, next.url) : formOf(text, next.url, { login: this.#login, code })
        if (form === null) return next.url
        next = form
      }
    }
    throw new Error('the forms have no end')
  }
}

function formOf(
  html: string,
  at: URL,
  { login, code }: { login: string; code: string },
): { url: URL; body: URLSearchParams } | null {
  const form = /<form\b[^>]*\baction="([^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(html)
  if (form === null) return null
  const body = new URLSearchParams()
  for (const [input] of (form[2] ?? '').matchAll(/<input\b[^>]*>/g)) {
    const name = /\bname="([^"]*)"/.exec(input)?.[1]
    if (name !== undefined) body.set(name, /\bvalue="([^"]*)"/.exec(input)?.[1] ?? '')
  }
  if (body.has('login')) body.set('login', login)
  if (body.has('password')) body.set('password', 'anything')
  if (body.get('user_code') === '') body.set('user_code', code)
  return { url: new URL((form[1] ?? '').replaceAll('&amp;', '&'), at), body }
}

function abortOf(html: string, at: URL): { url: URL; body: null } | null {
  const link = /<a href="([^"]*\/abort)"/.exec(html)?.[1]
  return link === undefined ? null : { url: new URL(link, at), body: null }
}
