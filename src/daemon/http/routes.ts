// Which request gets which answer (DESIGN 5). Who may ask what? Anybody may ask /healthz and /livez, under any host name.
// Everything else needs one of our names. From other machines, the page and what it reads need the token, /metrics does not. A
// request that changes something needs the token in a header field, which no foreign page can make a browser send.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { healthOf, type Health, selfOf } from '../../status/health.ts'
import { statusJsonText } from '../../status/json.ts'
import type { Status } from '../../status/status.ts'
import { NONE_TOLERATED, parseShare } from '../../status/tolerance.ts'
import { isMeant, type Served } from './host.ts'
import { inPieces, whole } from './answer.ts'
import { CONTENT_TYPE } from './exposition.ts'
import type { Looked, Metrics } from './metrics.ts'
import { DAYS_SHOWN } from './page/graphs.ts'
import { page, pagePolicy, signInPage } from './page/page.ts'
import { FIRST_VIEW, shownOf, type View, viewOf } from './page/view.ts'
import { Fresh } from './fresh.ts'
import { bearerOf, type Token } from './token.ts'
import { briefStatus, wholeStatus, type Watched } from './watched.ts'

const HTML_TYPE = 'text/html; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'

const UNREADABLE = 'the ledger cannot be read: run popfetch status'

/** A form with a token of a thousand characters fits. */
const FORM_BYTES = 4096

export interface Rules extends Served {
  /** Null: nothing can be changed from here. */
  readonly token: Token | null
  /** Must whoever looks at the page show the token? */
  readonly asksForToken: boolean
}

interface Page {
  readonly body: Buffer
  readonly policy: string
}

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  readonly rules: Rules
}

const ALLOWED: Readonly<Record<string, string>> = {
  '/': 'GET',
  '/status.json': 'GET',
  '/metrics': 'GET',
  '/healthz': 'GET',
  '/livez': 'GET',
  '/wake': 'POST',
  '/retry': 'POST',
  '/sign-in': 'POST',
}

export class Routes {
  readonly #watched: Watched
  readonly #metrics: Metrics
  readonly #status: Fresh<Status>
  /** As it is seen first. */
  readonly #page: Fresh<Page>
  readonly #looked: Fresh<Looked>

  constructor(watched: Watched, metrics: Metrics) {
    this.#watched = watched
    this.#metrics = metrics
    this.#status = new Fresh(() => wholeStatus(watched), watched.freshMs)
    this.#page = new Fresh(() => this.#pageOf(FIRST_VIEW), watched.freshMs)
    this.#looked = new Fresh(() => metrics.look(), watched.freshMs)
  }

  /** Rejects when there is no answer and cannot be one any more; then the connection is to be ended. */
  async answer(request: IncomingMessage, response: ServerResponse, rules: Rules): Promise<void> {
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Cache-Control', 'no-store')
    response.setHeader('Referrer-Policy', 'no-referrer')
    response.setHeader(
      'Content-Security-Policy',
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    // What may be in the body of another method is not waited for.
    if (request.method !== 'GET') response.shouldKeepAlive = false
    const [path = '', search = ''] = (request.url ?? '').split('?', 2)
    const asked: Asked = { request, response, query: new URLSearchParams(search), rules }
    const isHealth = path === '/healthz' || path === '/livez'
    if (!isHealth && !isMeant(request.headers.host, rules))
      return plain(response, 403, 'this name is not served here: add it to daemon.httpHosts in the configuration')
    const allowed = Object.hasOwn(ALLOWED, path) ? ALLOWED[path] : undefined
    if (allowed === undefined) return plain(response, 404, 'try /, /metrics, /healthz, /livez or /status.json')
    const method = request.method === 'HEAD' ? 'GET' : request.method
    if (method !== allowed) {
      response.setHeader('Allow', allowed)
      return plain(response, 405, `${path} accepts only ${allowed}`)
    }
    try {
      await this.#answer(path, asked)
    } catch (error) {
      // The page and its neighbours are made of the ledger, and so is health.
      if (!(error instanceof PopfetchError) || error.code !== 'ERR_LEDGER' || response.headersSent) throw error
      plain(response, 503, UNREADABLE)
    }
  }

  async #answer(path: string, asked: Asked): Promise<void> {
    const { response, query } = asked
    switch (path) {
      case '/healthz':
        return await this.#healthz(response, query.get('tolerate'))
      case '/livez':
        return await this.#livez(response)
      case '/metrics':
        return await inPieces(response, CONTENT_TYPE, this.#metrics.text(await this.#looked.value()))
      case '/status.json':
        if (!this.#mayLook(asked)) return unauthorised(response)
        return await inPieces(response, JSON_TYPE, jsonLine(await this.#status.value()))
      case '/':
        if (!this.#mayLook(asked)) return this.#askForToken(response, 401, false)
        return await this.#showPage(response, viewOf(query))
      case '/sign-in':
        return await this.#signIn(asked)
      default:
        return await this.#change(path, asked)
    }
  }

  async #showPage(response: ServerResponse, view: View): Promise<void> {
    const isFirst = view.search === '' && view.page === 1
    const { body, policy } = await (isFirst ? this.#page.value() : this.#pageOf(view))
    response.setHeader('Content-Security-Policy', policy)
    whole(response, HTML_TYPE, body)
  }

  async #pageOf(view: View): Promise<Page> {
    const { ledger, process } = this.#watched
    const status = await this.#status.value()
    const shown = shownOf(status, view)
    const names = shown.accounts.map(({ account }) => account)
    const days = await ledger.records.days(DAYS_SHOWN, names)
    const policy = pagePolicy(shown.isPart ? 'page with search' : 'page')
    return { body: Buffer.from(page(status, shown, days, process)), policy }
  }

  async #healthz(response: ServerResponse, tolerate: string | null): Promise<void> {
    const share = tolerate === null ? NONE_TOLERATED.share : parseShare(tolerate)
    if (share === null) return plain(response, 400, 'tolerate is a share from 0% to 100%, such as 2%')
    tellHealth(response, healthOf(await briefStatus(this.#watched), { ...NONE_TOLERATED, share }))
  }

  /** A ledger that cannot be read is a process that cannot work. */
  async #livez(response: ServerResponse): Promise<void> {
    const { plan, process, ledger } = this.#watched
    const { pid, sinceMs, version } = process
    const daemon = { wanted: true, pid, sinceMs, version, accounts: plan }
    try {
      await ledger.memo('alive')
    } catch {
      return plain(response, 503, UNREADABLE)
    }
    tellHealth(response, selfOf({ daemon }))
  }

  #mayLook({ request: { headers }, rules: { token, asksForToken } }: Asked): boolean {
    if (!asksForToken || token === null || token.isIn(headers.cookie)) return true
    const given = bearerOf(headers.authorization)
    return given !== null && token.judge(given) === 'right'
  }

  #askForToken(response: ServerResponse, status: 401 | 429, wrong: boolean): void {
    response.setHeader('Content-Security-Policy', pagePolicy('sign-in'))
    if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer')
    else response.setHeader('Retry-After', '60')
    whole(response, HTML_TYPE, Buffer.from(signInPage(this.#watched.process, wrong)), status)
  }

  /** The form. A page of somebody else must not sign a browser in. */
  async #signIn({ request, response, rules: { token } }: Asked): Promise<void> {
    const site = request.headers['sec-fetch-site'] ?? 'same-origin'
    if (token === null || (site !== 'same-origin' && site !== 'none')) return plain(response, 403, 'not from here')
    const form = await bodyOf(request)
    if (form === null) return plain(response, 413, 'too large')
    const judgement = token.judge(new URLSearchParams(form).get('token') ?? '')
    if (judgement !== 'right') return this.#askForToken(response, judgement === 'busy' ? 429 : 401, true)
    response.setHeader('Set-Cookie', token.setCookie)
    response.setHeader('Location', './')
    plain(response, 303, 'signed in')
  }

  async #change(path: string, { request, response, query, rules: { token } }: Asked): Promise<void> {
    const given = bearerOf(request.headers.authorization)
    const judgement = token === null || given === null ? 'wrong' : token.judge(given)
    if (judgement !== 'right') return unauthorised(response, judgement)
    const account = query.get('account')
    if (account !== null && this.#watched.plan.every((planned) => planned.account !== account))
      return plain(response, 404, `no account is called ${display(account, 100)}`)
    if (path === '/retry') this.#watched.retry(account)
    else this.#watched.wake(account)
    plain(response, 202, account === null ? 'all accounts are polled' : `${display(account, 100)} is polled`)
  }
}

function tellHealth(response: ServerResponse, { code, troubles }: Health): void {
  plain(response, code === 0 ? 200 : 503, troubles.length === 0 ? 'ok' : troubles.join('\n'))
}

function plain(response: ServerResponse, status: number, text: string): void {
  whole(response, 'text/plain; charset=utf-8', Buffer.from(`${text}\n`), status)
}

function unauthorised(response: ServerResponse, judgement: 'wrong' | 'busy' = 'wrong'): void {
  if (judgement === 'busy') {
    response.setHeader('Retry-After', '60')
    return plain(response, 429, 'too many wrong tokens: try again in a minute')
  }
  response.setHeader('WWW-Authenticate', 'Bearer')
  plain(response, 401, 'Authorization: Bearer and the token of daemon.httpToken are needed')
}

function* jsonLine(status: Status): Generator<string> {
  yield* statusJsonText(status)
  yield '\n'
}

/** Null: it is too large. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > FORM_BYTES) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
