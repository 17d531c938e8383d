// Tells people (DESIGN 3, `notify`), from cron and daemon alike. A round looks at the status (troubles.ts) and puts news into
// the outbox of the ledger (outbox.ts). Then it sends what is due: run.ts for programs, request.ts for `url` and `ping`,
// mail.ts. words.ts has the words. One rule: a broken notifier costs nobody anything. Rounds run beside polls, never within
// one. Each notice has thirty seconds, all at once. A failure is logged and tried again, and is itself never told. No address
// and no secret is in any text.
import { createHash, randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Notifier, NoticeEvent, Way } from '../../config/daemon/notify.ts'
import { isHttpUrl, notifiersOf, shownNotifier } from '../../config/daemon/notify.ts'
import type { Configuration } from '../../config/schema.ts'
import { resolveSecret, SecretText, type SecretSource } from '../../config/values/secret.ts'
import { display } from '../../display.ts'
import { asPopfetchError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Log } from '../../log.ts'
import type { AccountReport, MessageProblem } from '../../poll/report.ts'
import { healthOf } from '../../status/health.ts'
import type { Status } from '../../status/status.ts'
import { counted } from '../../status/words/amounts.ts'
import { faceText } from '../../status/words/face.ts'
import { claimed, type Entry, type Notice, observed, settled, stateOf, textOf } from './outbox.ts'
import { requestFailure } from './request.ts'
import { inherited, runFailure } from './run.ts'
import { type MailContext, mailFailure } from './mail.ts'
import { type Item, troublesOf } from './troubles.ts'
import { type Words, wordsOf } from './words.ts'

const MEMO = 'notices'
const LIMIT_MS = 30_000
/** Of one account in one poll. */
const MOST_MESSAGES = 10

export interface NotifyContext {
  readonly ledger: Pick<Ledger, 'memo' | 'changeMemo'>
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  readonly nowMs: () => number
  readonly signal: AbortSignal
  /** For tests. */
  readonly limitMs?: number
}

export interface Round {
  readonly configuration: Configuration
  /** How all stands now. */
  readonly status: Status
  /** What polls brought since the last round. */
  readonly reports: readonly AccountReport[]
  /** Are the addresses of `ping` to be asked? */
  readonly pings: boolean
}

/** Looks, tells, and resolves when all that was due is told or has failed. Never rejects. */
export async function notifyRound(round: Round, context: NotifyContext): Promise<void> {
  if (notifiersOf(round.configuration).length === 0) return
  try {
    const pinging = round.pings ? pingAll(round, context) : Promise.resolve()
    await Promise.all([tellAll(round, context), pinging])
  } catch (error) {
    context.log.warn('notices could not be sent', { error: asPopfetchError(error, 'process').message })
  }
}

async function tellAll({ configuration, status, reports }: Round, context: NotifyContext): Promise<void> {
  const { ledger, log, nowMs } = context
  const telling = notifiersOf(configuration).filter(({ way }) => way.kind !== 'ping')
  if (telling.length === 0) return
  const entries = telling.map((notifier) => ({ mark: markOf(notifier), on: notifier.on, notifier }))
  const configured = new Set(status.accounts.flatMap(({ account, configured: is }) => (is ? [account] : [])))
  const seen = {
    entries: entries satisfies readonly Entry[],
    troubles: troublesOf(status, configuration.daemon.alertAfterMs),
    happened: happenedIn(reports),
    isConfigured: ({ accounts, destination }: Item) =>
      destination !== '' || accounts.some((name) => configured.has(name)),
    newId: () => randomBytes(8).toString('hex'),
    nowMs: nowMs(),
  }
  let due: readonly Notice[] = []
  await ledger.changeMemo(MEMO, (text) => {
    const { state, notices } = claimed(observed(stateOf(text), seen), seen.nowMs)
    due = notices
    return textOf(state)
  })
  if (due.length === 0) return
  const failed = new Set<string>()
  const leftAlone = new Set([
    ...status.pauses.flatMap(({ kind, name }) => (kind === 'destination' ? [name] : [])),
    ...status.destinations.flatMap(({ names, untilMs }) => (untilMs === null || untilMs > seen.nowMs ? names : [])),
  ])
  const isLeftAlone = (name: string): boolean => leftAlone.has(name)
  const tell = async (notice: Notice): Promise<boolean> => {
    const entry = entries.find(({ mark }) => mark === notice.entry)
    if (entry === undefined) return true
    const failure = await failureOf(notice, entry.notifier, configuration, { ...context, isLeftAlone })
    if (failure === null) return true
    failed.add(notice.id)
    log.warn('a notice could not be sent, and is retried', { way: entry.notifier.way.kind, reason: failure })
    return false
  }
  // To a destination one after the other, as mail goes there; after one that it did not take it gets no more.
  const queues = Map.groupBy(due, ({ entry, id }) => {
    const way = entries.find(({ mark }) => mark === entry)?.notifier.way
    return way?.kind === 'mail' ? `mail ${way.destination}` : id
  })
  const tellAfterAnother = async (queue: readonly Notice[]): Promise<void> => {
    let takes = true
    for (const notice of queue) {
      if (takes) takes = await tell(notice)
      else failed.add(notice.id)
    }
  }
  await Promise.all([...queues.values()].map(tellAfterAnother))
  const sent = due
  await ledger.changeMemo(MEMO, (text) => textOf(settled(stateOf(text), sent, failed, nowMs())))
}

type Opened = MailContext['configuration']

/** Tells one thing now, without the ledger, to each entry that wants it. False: no entry of `notify` that wants it could be
 *  reached. Never rejects. */
export async function directly(
  event: NoticeEvent,
  item: Item,
  context: Omit<NotifyContext, 'ledger' | 'nowMs'> & {
    readonly configuration: Opened & Pick<Configuration, 'notify'>
    readonly nowMs: number
  },
): Promise<boolean> {
  const { configuration, nowMs, log } = context
  // Who was not told of the trouble is not told that it is over.
  const wanting = configuration.notify.filter(
    ({ on, way }) => way.kind !== 'ping' && on.includes(event) && on.includes('process'),
  )
  const base = { event, items: [item], more: 0, madeMs: nowMs, tries: 0, dueMs: nowMs }
  const failures = await Promise.all(
    wanting.map(async (notifier) => {
      const notice = { ...base, id: randomBytes(8).toString('hex'), entry: markOf(notifier) }
      const failure = await failureOf(notice, notifier, configuration, {
        ...context,
        nowMs: () => nowMs,
        // The ledger, which knows of pauses, may be what is broken.
        isLeftAlone: () => false,
      })
      if (failure !== null) log.warn('a notice could not be sent', { way: notifier.way.kind, reason: failure })
      return failure
    }),
  )
  return failures.length === 0 || failures.includes(null)
}

/** Null: it was told. Never rejects, and ends in time. */
async function failureOf(
  notice: Notice,
  { way }: Notifier,
  configuration: Opened,
  context: Omit<NotifyContext, 'ledger'> & Pick<MailContext, 'isLeftAlone'>,
): Promise<string | null> {
  const { env, nowMs, isLeftAlone, limitMs = LIMIT_MS } = context
  const words = wordsOf(notice, hostname())
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(limitMs)])
  // Whatever does not obey the signal is left behind.
  const late = new Promise<string>((resolve) => {
    if (signal.aborted) resolve('interrupted')
    else
      signal.addEventListener('abort', () => resolve(context.signal.aborted ? 'interrupted' : 'no end in time'), {
        once: true,
      })
  })
  const telling = (async () => {
    switch (way.kind) {
      case 'run':
        return await runFailure(way.run, { env: { ...inherited(env), ...words.env }, limitMs, signal })
      case 'mail':
        return await mailFailure(way.destination, notice.id, words, {
          configuration,
          env,
          nowMs: nowMs(),
          signal,
          isLeftAlone,
        })
      case 'url':
        return await postFailure(way, words, { env, signal })
      case 'ping':
        return null
    }
  })().catch((error: unknown) => asPopfetchError(error, 'process').message)
  return await Promise.race([telling, late])
}

interface Limits {
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

async function postFailure(way: Extract<Way, { kind: 'url' }>, words: Words, limits: Limits): Promise<string | null> {
  const url = await addressOf(way.url, limits)
  const own = await Promise.all(
    Object.entries(way.headers).map(async ([name, source]) => {
      return [name, await resolveSecret(source, { ...limits, what: `the header ${name} of notify` })] as const
    }),
  )
  const usual = way.json
    ? { 'Content-Type': 'application/json' }
    : { 'Content-Type': 'text/plain; charset=utf-8', Title: words.title }
  const body = way.json ? JSON.stringify(words.json) : words.text
  return await requestFailure({
    method: 'POST',
    url,
    headers: { ...usual, ...Object.fromEntries(own) },
    body,
    ...limits,
  })
}

async function pingAll({ configuration, status }: Round, context: NotifyContext): Promise<void> {
  const { env, log, limitMs = LIMIT_MS } = context
  const isWell = healthOf(status).code === 0
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(limitMs)])
  const ping = async ({ way }: Notifier): Promise<void> => {
    if (way.kind !== 'ping') return
    const failure = await (async () => {
      const url = await addressOf(way.url, { env, signal })
      if (!isWell) url.pathname = `${url.pathname.replace(/\/$/, '')}/fail`
      return await requestFailure({ method: 'GET', url, headers: {}, body: null, env, signal })
    })().catch((error: unknown) => asPopfetchError(error, 'process').message)
    if (failure !== null) log.warn('a ping had no answer', { reason: failure })
  }
  await Promise.all(configuration.notify.map(ping))
}

/** From now on the address is masked in all that popfetch writes. Rejects with ERR_SECRET. */
async function addressOf(source: SecretSource, limits: Limits): Promise<URL> {
  const text = await resolveSecret(source, { ...limits, what: 'an address of notify' })
  if (!isHttpUrl(text)) throw new Error('an address of notify is not an http:// or https:// address')
  return new URL(text)
}

/** Of what is written, not of the secrets it leads to. */
function markOf(notifier: Notifier): string {
  const { way } = notifier
  const own = way.kind === 'url' && way.url instanceof SecretText ? way.url.reveal() : ''
  return createHash('sha256')
    .update(JSON.stringify([shownNotifier(notifier), own, way.kind === 'run' ? way.run : '']))
    .digest('hex')
    .slice(0, 12)
}

/** Messages that became refused or held in these polls, and what came. */
function happenedIn(reports: readonly AccountReport[]): readonly { event: NoticeEvent; items: readonly Item[] }[] {
  const of = (kind: 'refused' | 'held'): readonly Item[] =>
    reports.flatMap(({ account, problems, [kind]: count }) => {
      const fresh = problems.filter((problem) => problem.kind === kind && problem.again !== true)
      const items = fresh.slice(0, MOST_MESSAGES).map((problem) => itemOf(account, problem))
      const more = count - items.length
      if (fresh.length === 0 || more <= 0) return items
      return [...items, { ...itemOf(account, null), message: `and ${counted(more, 'other message')}` }]
    })
  const came = reports
    .filter(({ delivered }) => delivered > 0)
    .map(({ account, delivered }) => ({
      ...itemOf(account, null),
      message: `${counted(delivered, 'message')} delivered`,
    }))
  return [
    { event: 'refused', items: of('refused') },
    { event: 'held', items: of('held') },
    { event: 'success', items: came },
  ]
}

function itemOf(account: string, problem: MessageProblem | null): Item {
  const about = { accounts: [account], sinceMs: null }
  if (problem === null) return { ...about, destination: '', code: '', message: '' }
  const { uidl, from = null, subject = null, destination = '', reason } = problem
  const face = faceText({ from, subject })
  const message = display(`message ${face === '' ? uidl : face}: ${reason}`, 1000)
  return { ...about, destination: display(destination, 300), code: 'ERR_DELIVERY', message }
}
