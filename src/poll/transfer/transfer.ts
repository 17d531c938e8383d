// RETR → deliver → record, for the messages of a plan, many under way at once. What was begun is always brought to an end
// here: settled, or abandoned. The one rule is the order of DESIGN 4.2: the attempt is recorded before the message is asked
// for, and a message counts as delivered only when the ledger says so durably; DELE comes later, in removal.ts.
import { MessageTooLarge } from '../../deliver/spool.ts'
import { asPopfetchError, PopfetchError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import { DoubtfulAnswers } from '../../pop3/recoverable.ts'
import { codeIs, type Reply } from '../../pop3/wire/reply.ts'
import { ExpiredToken } from '../../pop3/wire/reply-error.ts'
import { Attempts, inBatches } from './attempts.ts'
import { chosen, handOver, isStuck } from './hand-over.ts'
import type { PlannedFetch } from '../plan/plan.ts'
import { receiver, spoolFor } from '../receiving.ts'
import type { SizeVerdict } from '../account/sizes.ts'
import { endReason, isSuspect, shortReason, wasShort } from './suspects.ts'
import type { Job, Jobs } from '../route/due.ts'
import { type Place, Window } from '../run/window.ts'
import type { Visit } from '../visit.ts'

interface Judgement {
  readonly verdict: SizeVerdict
  /** Then it may be forged, and is deleted by a later session only, which looks at its header first (P113). */
  readonly behindShort: boolean
}

export class Transfer {
  readonly #visit: Visit
  readonly #window: Window
  readonly #underWay = new Set<Promise<void>>()
  readonly #done: PlannedFetch[] = []
  #undelivered = false
  readonly #attempts: Attempts
  /** Asked for, and not yet answered to the end. */
  #asked = 0
  #jobs = 0
  #shortCame = false

  constructor(visit: Visit) {
    this.#visit = visit
    this.#window = new Window(visit.run.budget)
    this.#attempts = new Attempts(visit.account.name, visit.run.ledger, () => this.#stopped)
  }

  /** Delivered and recorded in this session, announced and received size agreeing: DELE may follow. */
  get done(): readonly PlannedFetch[] {
    return this.#done
  }

  /** Was something retrieved that is not at all its destinations? On some servers QUIT would end it (P129). */
  get undelivered(): boolean {
    return this.#undelivered
  }

  /** Why the session was cut for the sake of one message of several; null: it was not. Another one may take the others, one
   *  at a time where answers got out of step. */
  get cut(): PopfetchError | null {
    const { botched } = this.#visit.session
    if (botched instanceof MessageTooLarge) return botched
    return botched?.code === 'ERR_POP3_PROTOCOL' && this.#jobs > 1 ? botched : null
  }

  /** Resolves when nothing is under way any more. Never rejects: what ended it is in the tally. */
  async run(jobs: Jobs): Promise<void> {
    this.#jobs = jobs.fetches.length
    const batches = inBatches(jobs.fetches)
    let next = (batches[0] ?? []).map(jobs.job)
    let beginning = this.#attempts.begin(next)
    for (const at of batches.keys()) {
      const batch = next
      if (!(await beginning)) break
      // A message that never came to an end is handled alone, so that only it is begun when it brings us down (P122).
      const alone = batch.length === 1 && isSuspect(batch[0])
      if (alone) await this.#quiet()
      next = (batches[at + 1] ?? []).map(jobs.job)
      const nextAlone = alone || isSuspect(next[0])
      if (!nextAlone) beginning = this.#attempts.begin(next)
      for (const job of batch) {
        const room = this.#start(job)
        if (room !== undefined) await room
      }
      if (nextAlone) {
        await this.#quiet()
        beginning = this.#attempts.begin(next)
      }
      if (this.#stopped) {
        await this.#attempts.abandon((await beginning) ? next : [], null)
        break
      }
    }
    await this.#quiet()
    const { session, tally } = this.#visit
    if (this.#attempts.fatal !== null) tally.fail(this.#attempts.fatal)
    else if (this.cut === null && session.botched !== null && !(session.botched instanceof ExpiredToken))
      tally.fail(session.botched)
  }

  get #stopped(): boolean {
    const { session, run } = this.#visit
    return (
      this.#attempts.fatal !== null || session.botched !== null || run.signal.aborted || run.restrictions.stop.aborted
    )
  }

  async #quiet(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Asks for one message as soon as there is room. A promise: that is to be waited for first. */
  #start(job: Job): Promise<void> | undefined {
    if (this.#stopped || isStuck(job)) return this.#attempts.abandon([job], null)
    const place = this.#window.enter(job.sizeBytes)
    if (place instanceof Promise) return place.then((there) => this.#begin(job, there))
    this.#begin(job, place)
    return undefined
  }

  #begin(job: Job, place: Place): void {
    const work = this.#one(job, place).finally(() => {
      place.leave()
      this.#underWay.delete(work)
    })
    this.#underWay.add(work)
  }

  async #one(job: Job, place: Place): Promise<void> {
    const { account, run, session, history, tally } = this.#visit
    const spool = spoolFor(job, account, run)
    try {
      this.#asked++
      const answer = session.retrieve(job.number, receiver(spool, place, tally, run))
      // Counted right here: what the same packet answered further on is still asked for.
      let reply: Reply
      try {
        reply = await answer
      } finally {
        this.#asked--
      }
      // In one packet with bytes that nobody asked for, or behind the end of a doubtful message: it may be forged.
      if (session.botched !== null) throw session.botched
      if (reply.status !== 'ok') return await this.#refusedRetrieval(job, reply)
      const verdict = history.sizes.judge(job.sizeBytes, spool.receivedBytes)
      const behindShort = this.#shortCame
      this.#shortCame ||= verdict === 'short'
      if (verdict === 'short' && this.#asked > 0 && session.pipelining) {
        const reason = shortReason(job, spool.receivedBytes)
        session.abandon(new DoubtfulAnswers(reason))
        return await this.#attempts.abandon([job], reason)
      }
      const message = spool.completeNow(run.nowMs()) ?? (await spool.complete(run.nowMs()))
      // Not before: until its file is complete the buffers of a large one are there, whatever came of it.
      place.ended(spool.receivedBytes)
      if (await this.#complete(job, message, { verdict, behindShort })) spool.release()
    } catch (error) {
      await this.#failed(job, error, spool.receivedBytes)
    } finally {
      // Not `await using`: nearly always there is nothing to wait for.
      if (!spool.released) await spool[Symbol.asyncDispose]()
    }
    tally.progress()
  }

  /** P106, P107: the server has not got it; the others are not to suffer. P146: it may also be the server's farewell. */
  async #refusedRetrieval(job: Job, reply: Reply): Promise<void> {
    if (codeIs(reply.code, 'SYS/TEMP')) {
      this.#attempts.fatal ??= new PopfetchError('ERR_POP3_REPLY', `the server refused RETR: "${reply.text}"`, {
        scope: 'account',
        retry: 'soon',
      })
      return await this.#attempts.abandon([job], null)
    }
    await this.#defer(job, `the server did not give it: "${reply.text}"`)
  }

  /** True: all its destinations have it, and the ledger says so. */
  async #complete(job: Job, message: Message, { verdict, behindShort }: Judgement): Promise<boolean> {
    const { tally } = this.#visit
    if (verdict === 'short') {
      const reason = shortReason(job, message.sizeBytes)
      // Fetched once more in another session before it is believed; nothing at all is never believed (P108).
      if (!wasShort(job) || message.sizeBytes === 0) {
        await this.#defer(job, reason)
        return false
      }
      tally.problem({ uidl: job.uidl, kind: 'short', reason: `${reason}, twice: delivered, and kept on the server` })
    }
    const fixed = job.choice === null ? job : await chosen(job, job.choice, message, this.#visit)
    const delivered = await handOver(fixed, message, this.#visit)
    if (!delivered) this.#undelivered = true
    else if (verdict === 'agrees' && !behindShort) this.#done.push(job)
    return delivered
  }

  /** The retrieval, the spool or the ledger failed. */
  async #failed(job: Job, thrown: unknown, receivedBytes: number): Promise<void> {
    const { account, run, session, tally } = this.#visit
    // What ends a session rejects all that wait in it: only one of them was too large.
    if (thrown instanceof MessageTooLarge && receivedBytes > (account.maxSizeBytes ?? Infinity)) {
      tally.held++
      tally.problem({ uidl: job.uidl, kind: 'held', reason: thrown.message })
      const held = { key: { uidl: job.uidl, copy: job.copy }, listedBytes: job.sizeBytes, reason: thrown.message }
      return await this.#attempts.record(() => run.ledger.hold(account.name, [held]))
    }
    const error = asPopfetchError(thrown, 'message')
    if (error.code === 'ERR_LEDGER') {
      this.#attempts.fatal ??= error
      return
    }
    if (session.botched === null) return await this.#defer(job, error.message, error.code === 'ERR_BUG')
    // Which of several it was that got the answers out of step is not known; a token runs out whatever comes just then.
    const blamed =
      receivedBytes > 0 && !(this.cut !== null && session.pipelining) && !(session.botched instanceof ExpiredToken)
    await this.#attempts.abandon([job], blamed ? endReason(error) : null, blamed && error.code === 'ERR_POP3_PROTOCOL')
  }

  async #defer(job: Job, reason: string, counts = false): Promise<void> {
    const { tally } = this.#visit
    this.#undelivered = true
    tally.deferred++
    tally.problem({ uidl: job.uidl, kind: 'deferred', reason })
    await this.#attempts.abandon([job], reason, counts)
  }
}
