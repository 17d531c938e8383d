// Signs in and says what is waiting: fetches, marks and deletes nothing (`popfetch check`). Never asks for a message, since
// some servers take that for having read it (P129). findings.ts lists the facts about the server, diagnosis.ts says why a check
// failed.
import { requireSound } from '../../config/accounts/sound.ts'
import { showsWhatItHas } from '../../config/destinations/destinations.ts'
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import { type AccountRecord, blankRecord } from '../../ledger/account.ts'
import type { Session } from '../../pop3/session.ts'
import { Workarounds } from '../sign-in/workarounds.ts'
import { runAfter, runBefore } from '../before-after.ts'
import { diagnose } from './diagnosis.ts'
import * as words from './findings.ts'
import { Looks } from '../compare/looks.ts'
import { compare } from '../compare/compare.ts'
import { isAboutCertificate, otherEndpoints, shownCertificate } from './probe.ts'
import { type Advice, type CheckReport, type Finding, reportOnce } from '../report.ts'
import type { RunRequest } from '../run/run.ts'
import type { ConnectContext } from '../sign-in/connect.ts'
import { signInWithoutPoll } from '../sign-in/without-poll.ts'

/** Enough to tell a slow network from a busy moment. */
const ROUND_TRIPS = 3

/** Never rejects: what went wrong is in the report. `thorough`: after a failure it also looks for the likely cause. */
export async function checkAccount(
  account: Account,
  run: RunRequest,
  nowMs: () => number,
  thorough = false,
): Promise<CheckReport> {
  return await new Check(account, run, nowMs, thorough).run()
}

class Check {
  readonly #account: Account
  readonly #run: RunRequest
  readonly #nowMs: () => number
  readonly #thorough: boolean
  readonly #startMs: number
  readonly #findings: Finding[] = []
  readonly #advice: Advice[] = []
  readonly #counts = { waiting: 0, new: 0, waitingBytes: 0 }
  #session: Session | null = null

  constructor(account: Account, run: RunRequest, nowMs: () => number, thorough: boolean) {
    this.#account = account
    this.#run = run
    this.#nowMs = nowMs
    this.#thorough = thorough
    this.#startMs = nowMs()
  }

  async run(): Promise<CheckReport> {
    if (this.#account.fault === null) this.#findings.push(...words.serverFindings(this.#account))
    try {
      requireSound(this.#account)
      const record = await recordOf(this.#account, this.#run)
      this.#findings.push(...words.recordFindings(record, this.#nowMs()))
      const context = { ...this.#run, workarounds: new Workarounds(record.facts, this.#nowMs()) }
      await runBefore(this.#account, this.#run)
      const report = await this.#looked(record, context)
      const counts = { delivered: 0, deferred: 0, refused: 0, held: 0, deleted: 0 }
      const failure = await runAfter(this.#account, this.#run, { ...report, ...counts })
      if (failure !== null) this.#findings.push({ name: 'after', value: failure })
      return report
    } catch (error) {
      return this.#report(asPopfetchError(error))
    }
  }

  async #looked(record: AccountRecord, context: ConnectContext): Promise<CheckReport> {
    try {
      await this.#look(record, context)
      return this.#report(null)
    } catch (thrown) {
      const error = asPopfetchError(thrown)
      if (this.#thorough && error.code !== 'ERR_ABORTED') await this.#explain(error, context)
      return this.#report(error)
    }
  }

  async #look(record: AccountRecord, context: ConnectContext): Promise<void> {
    const account = this.#account
    await using session = await this.#signIn(context)
    const before = session.capabilities
    const roundTripMs = this.#thorough ? await roundTrip(session) : null
    const listing = await session.list()
    this.#findings.push(...words.capabilityFindings(before, session.capabilities, listing.hasUidls))
    if (roundTripMs !== null)
      this.#findings.push({ name: 'round trip', value: roundTripMs === 0 ? 'under 1 ms' : `${roundTripMs} ms` })
    this.#advice.push(...words.earlyWarnings(account, session, session.tlsFacts, this.#nowMs()))
    await using comparison = this.#run.ledger.compare(account.name)
    const { plan } = await compare(listing, {
      ...this.#run,
      comparison,
      recovery: null,
      account,
      record,
      looks: new Looks(session, { top: true, loseTop: () => {} }),
      isCurious: false,
      exactSizes: record.facts['sizes'] !== 'hints',
      // A check has no need of it, and costs no look.
      sizesStay: false,
      nowMs: this.#nowMs(),
      isCounted: () => false,
      agedMs: null,
      fetched: 0,
      sessionLimit: Infinity,
      isPaused: () => false,
      skippedToo: false,
      shows: (name) => showsWhatItHas(name, this.#run.configuration.destinations),
    })
    this.#counts.waiting = plan.listed
    this.#counts.waitingBytes = listing.totalBytes
    this.#counts.new = plan.fetch.length
    await session.quit()
  }

  async #signIn(context: ConnectContext): Promise<Session> {
    const session = await signInWithoutPoll(
      this.#account,
      { ...this.#run, ...context },
      {
        opened: (opened, tookMs) => {
          if (this.#session === null) this.#greet(opened, tookMs)
          this.#session = opened
        },
        note: (value) => this.#findings.push({ name: 'token', value }),
      },
    )
    this.#findings.push({ name: 'signed in with', value: session.signedInWith ?? '' })
    return session
  }

  #greet(session: Session, tookMs: number): void {
    this.#findings.push(
      { name: 'connected', value: `in ${Math.round(tookMs)} ms` },
      { name: 'greeting', value: session.greeting },
      ...words.tlsFindings(session.tlsFacts, this.#nowMs()),
      words.signInFinding(session),
    )
  }

  get #byApplication(): boolean {
    const { token } = this.#account
    return token?.kind === 'oauth' && this.#run.configuration.oauth.get(token.client)?.flow === 'client-credentials'
  }

  /** Looks for the cause of the failure. Sends no secret. */
  async #explain(error: PopfetchError, context: ConnectContext): Promise<void> {
    const account = this.#account
    const isUntrusted = isAboutCertificate(error)
    const certificate = isUntrusted ? await shownCertificate(account, context) : null
    if (certificate !== null) this.#findings.push(...words.tlsFindings(certificate, this.#nowMs()))
    const isClosed = ['ERR_CONNECT', 'ERR_TIMEOUT', 'ERR_TLS', 'ERR_POP3_PROTOCOL'].includes(error.code)
    const isDirect = account.via === null
    const endpoints =
      this.#session === null && isDirect && isClosed && !isUntrusted ? await otherEndpoints(account, context) : []
    for (const { port, tls } of endpoints)
      this.#findings.push({ name: 'answers', value: `port ${port} with tls: ${tls}` })
    this.#advice.push(
      ...diagnose(error, account, {
        session: this.#session,
        endpoints,
        certificate,
        nowMs: this.#nowMs(),
        byApplication: this.#byApplication,
      }),
    )
  }

  #report(error: PopfetchError | null): CheckReport {
    return {
      account: this.#account.name,
      outcome: error === null ? 'ok' : 'failed',
      ...this.#counts,
      error: error === null ? null : reportOnce(error),
      durationMs: Math.max(0, Math.round(this.#nowMs() - this.#startMs)),
      findings: this.#findings,
      advice: this.#advice,
    }
  }
}

/** The best of a few, in whole milliseconds: the network's time, hardly the server's. */
async function roundTrip(session: Session): Promise<number> {
  let bestMs = Infinity
  for (let count = 0; count < ROUND_TRIPS; count++) {
    const startMs = performance.now()
    await session.noop()
    bestMs = Math.min(bestMs, performance.now() - startMs)
  }
  return Math.round(bestMs)
}

/** The record of an account, which may never have been polled; writes nothing. */
async function recordOf(account: Account, { ledger }: RunRequest): Promise<AccountRecord> {
  const { name, host, port, user } = account
  return (await ledger.account(name)) ?? blankRecord(name, { host, port, user })
}
