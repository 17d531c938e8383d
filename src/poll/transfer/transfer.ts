// RETR → deliver → record, for the messages of a plan, many under way at once. Every attempt that was begun is ended here:
// settled, or abandoned. The one rule is the order of DESIGN 4.2. The attempt is recorded before the message is asked for. A
// message counts as delivered only when the ledger says so durably. DELE comes later, in removal.ts.
import { MessageTooLarge, type Spool } from '../../deliver/spool.ts'
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import type { Reply } from '../../pop3/wire/reply.ts'
import { ExpiredToken, isBusy, replyError } from '../../pop3/wire/reply-error.ts'
import { hold } from '../hold.ts'
import { takeLane } from '../lane/take.ts'
import type { UsualRoad } from '../lane/usual-road.ts'
import { stretchesOf } from '../lane/road.ts'
import { isDueMessage, type PlannedFetch } from '../plan/entry.ts'
import { isProbe, type Job, type Jobs, keptBack } from '../route/due.ts'
import { type Share, Window } from '../run/window.ts'
import { type Cut, interrupted } from '../sessions.ts'
import type { Visit } from '../visit.ts'
import { Attempts, inBatches } from './attempts.ts'
import { introduce, isStranger, MOST_INTRODUCED } from './introduction.ts'
import { compareCopies, endsTransfer, fixDestinations, handOver } from './hand-over.ts'
import type { DeletedBefore } from './deleted-before.ts'
import { Judge, type Judgement } from './judge.ts'
import { mostUnderWay, receiver, spoolFor } from './reception.ts'
import { endedSession, endReason, isSuspect, shortReason, wasShort } from './suspects.ts'

export interface Transferred {
  /** Delivered and recorded in this session, announced and received size agreeing: DELE may follow. */
  readonly done: readonly PlannedFetch[]
  /** Was something retrieved that not all its destinations have? On some servers QUIT would end it (P129). */
  readonly undelivered: boolean
  /** Null: all that was asked for came to its end. Else the session is of no more use, and nothing may be deleted in it. */
  readonly cut: Cut | null
}

/** Resolves when nothing is under way any more. Rejects when the session may not go on to deletions, and another one would
 *  not do better than this one. The reason is in the tally, if it is not the signal. */
export async function transfer(jobs: Jobs, deletedBefore: DeletedBefore, visit: Visit): Promise<Transferred> {
  const { run, session, tally } = visit
  tally.begin(jobs.fetches)
  const transfer = new Transfer(jobs, deletedBefore, visit)
  await transfer.run()
  if (tally.error === null && session.botched instanceof ExpiredToken) throw session.botched
  const mayBeCut = tally.error === null && !run.signal.aborted
  const cut =
    mayBeCut && transfer.cut !== null
      ? { error: transfer.cut, pipelined: session.pipelining, wasExpected: jobs.fetches.every(endedSession) }
      : null
  if (cut === null) {
    if (tally.error !== null || session.botched !== null || run.signal.aborted) throw interrupted(run.signal)
    if (transfer.limit !== null) tally.fail(transfer.limit)
  }
  const { done, undelivered } = transfer
  return { done, undelivered, cut }
}

/** Ends of a session that are about its answers. */
const CUTS: ReadonlySet<string> = new Set(['ERR_CONNECT', 'ERR_TIMEOUT', 'ERR_POP3_PROTOCOL', 'ERR_POP3_REPLY'])

/** This many refusals in a row that say "not now" are the server's, and no message's: it is asked for no more (P172). */
const LIMIT_REFUSALS = 3

class Transfer {
  readonly #jobs: Jobs
  readonly #deletedBefore: DeletedBefore
  readonly #visit: Visit
  readonly #window: Window
  readonly #attempts: Attempts
  readonly #underWay = new Set<Promise<void>>()
  readonly #done: PlannedFetch[] = []
  #undelivered = false
  /** Given to destinations: these may have them. */
  readonly #offered = new WeakSet<Job>()
  readonly #judge: Judge
  /** Asked for by the lane, together with others that came before. */
  readonly #together = new WeakSet<Job>()
  #refusedInRow = 0
  readonly #refused: Job[] = []
  #limit: PopfetchError | null = null

  constructor(jobs: Jobs, deletedBefore: DeletedBefore, visit: Visit) {
    this.#jobs = jobs
    this.#deletedBefore = deletedBefore
    this.#visit = visit
    this.#window = new Window(visit.run.budget)
    this.#judge = new Judge(visit)
    this.#attempts = new Attempts(visit.lease, visit.run.ledger, () => this.#stopped)
  }

  get done(): readonly PlannedFetch[] {
    return this.#done
  }

  get undelivered(): boolean {
    return this.#undelivered
  }

  /** Why the session was cut in the middle of its answers; null: it was not. Another session may take the others, one at a time
   *  where answers got out of step. */
  get cut(): PopfetchError | null {
    const { botched } = this.#visit.session
    if (botched === null || botched instanceof ExpiredToken) return null
    return botched instanceof MessageTooLarge || (CUTS.has(botched.code) && botched.pauseMs === 0) ? botched : null
  }

  /** The server gives no more for now; null: it does. */
  get limit(): PopfetchError | null {
    return this.#limit
  }

  /** Resolves when nothing is under way any more. Never rejects: what ended it is in the tally. */
  async run(): Promise<void> {
    let isUsual = false
    for (const { fetches, lane } of stretchesOf(this.#jobs, !this.#deletedBefore.isEmpty, this.#visit)) {
      if (this.#stopped) break
      let left = fetches
      if (lane !== null && !isUsual) {
        await this.#allEnded()
        const { begun, rest } = await takeLane(fetches, lane, this.#visit, this.#usualRoad)
        for (const job of begun) await this.#start(job)
        left = rest
        isUsual = begun.length + rest.length > 0
      }
      await this.#usual(left)
    }
    await this.#allEnded()
    await this.#introduceRefused()
    await this.#blame()
    const { session, tally } = this.#visit
    if (this.#attempts.fatal !== null) tally.fail(this.#attempts.fatal)
    else if (this.cut === null && session.botched !== null && !(session.botched instanceof ExpiredToken))
      tally.fail(session.botched)
  }

  async #usual(fetches: readonly PlannedFetch[]): Promise<void> {
    const { job } = this.#jobs
    const batches = inBatches(fetches)
    let next = (batches[0] ?? []).map(job)
    let beginning = this.#attempts.begin(next)
    for (const at of batches.keys()) {
      const batch = next
      if (!(await beginning)) break
      // A suspect is handled alone, so that nothing else is begun when it brings us down (P122).
      const alone = batch.length === 1 && isSuspect(batch[0])
      if (alone) await this.#allEnded()
      next = (batches[at + 1] ?? []).map(job)
      const nextAlone = alone || isSuspect(next[0])
      if (!nextAlone) beginning = this.#attempts.begin(next)
      for (const each of batch) await this.#start(each)
      if (nextAlone) {
        await this.#allEnded()
        beginning = this.#attempts.begin(next)
      }
      if (this.#stopped) {
        await this.#attempts.abandon((await beginning) ? next : [], null)
        break
      }
    }
  }

  get #stopped(): boolean {
    const { session, run } = this.#visit
    return (
      this.#attempts.fatal !== null ||
      this.#limit !== null ||
      session.botched !== null ||
      run.signal.aborted ||
      run.restrictions.stop.aborted
    )
  }

  /** At which message's place did the session end? Not to be told of several whose answers got out of step. */
  get #culprit(): number | null {
    const { brokenAt, botched } = this.#visit.session
    if (this.cut === null || botched instanceof MessageTooLarge) return null
    if (brokenAt?.verb !== 'RETR' && brokenAt?.verb !== 'TOP') return null
    return botched?.code === 'ERR_POP3_PROTOCOL' && !brokenAt.alone ? null : brokenAt.number
  }

  /** Remembers the message, so that it is never asked for in the same place again. */
  async #blame(): Promise<void> {
    const { lease, run, session, suspects } = this.#visit
    const culprit = this.#jobs.fetches.find(({ number }) => number === this.#culprit)
    if (culprit === undefined) return
    suspects.ended(culprit, session.brokenAt?.alone === true && !isStranger(culprit, this.#visit))
    const verb = session.brokenAt?.verb === 'TOP' ? 'TOP' : 'RETR'
    await this.#attempts.record(() => run.ledger.noteHarm(lease, [culprit], verb))
  }

  async #introduceRefused(): Promise<void> {
    for (const job of this.#refused.slice(0, MOST_INTRODUCED)) {
      if (this.#stopped) return
      try {
        await introduce(job, this.#visit)
      } catch (error) {
        // An end of the session is told as such.
        if (this.#visit.session.botched === null) this.#attempts.fatal ??= asPopfetchError(error)
      }
    }
  }

  async #allEnded(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Asks for one message as soon as there is room; resolves then, while it is under way. */
  async #start(job: Job): Promise<void> {
    // After a destination was left alone, one message at a time shows whether it takes mail again.
    const isAlone = this.#visit.destinations.probing.length > 0 || isProbe(job.due)
    if (isAlone) await this.#allEnded()
    if (this.#stopped || keptBack(job, [], this.#visit)) {
      await this.#attempts.abandon([job], null)
      return
    }
    const room = this.#visit.destinations.reserve(job.due)
    const share = await this.#window.enter(job.sizeBytes, mostUnderWay(job))
    this.#begin(job, share, room)
    if (isAlone) await this.#allEnded()
  }

  #begin(job: Job, share: Share, room: Disposable | null): void {
    const work = this.#one(job, share).finally(() => {
      share.leave()
      room?.[Symbol.dispose]()
      this.#underWay.delete(work)
    })
    this.#underWay.add(work)
  }

  /** For the lane (lane/lane.ts). */
  get #usualRoad(): UsualRoad {
    const stopped = (): boolean => this.#stopped
    return {
      attempts: this.#attempts,
      get stopped() {
        return stopped()
      },
      cameExact: () => {
        this.#judge.cameExact()
        this.#refusedInRow = 0
      },
      receive: (job, together) => {
        if (together) this.#together.add(job)
        this.#begin(job, this.#window.enterAtOnce(), null)
      },
      delivered: (fetch) => {
        const { destinations, suspects, tally } = this.#visit
        suspects.came(fetch)
        destinations.ended(fetch)
        tally.deliver(fetch, isDueMessage(fetch))
        this.#done.push(fetch)
      },
      offer: async (job, message, tried) => {
        this.#offered.add(job)
        try {
          this.#visit.suspects.came(job)
          if (await handOver(job, message, this.#visit, true, tried)) this.#done.push(job)
          else this.#undelivered = true
        } catch (thrown) {
          await this.#failed(job, thrown, message.sizeBytes)
        }
      },
      notRecorded: (job, error) => {
        this.#offered.add(job)
        return this.#failed(job, error, 0)
      },
    }
  }

  async #one(job: Job, share: Share): Promise<void> {
    await using spool = spoolFor(job, this.#visit)
    try {
      if (endedSession(job)) await introduce(job, this.#visit)
      const { reply, judgement } = await this.#retrieve(job, spool, share)
      if (judgement === null) await this.#refusedRetrieval(job, reply)
      else await this.#received(job, spool, share, judgement)
    } catch (error) {
      await this.#failed(job, error, spool.receivedBytes)
    }
    if (!this.#offered.has(job)) this.#visit.destinations.ended(job)
    this.#visit.tally.progress()
  }

  /** `judgement` null: the server refused. */
  async #retrieve(
    job: Job,
    spool: Spool,
    share: Share,
  ): Promise<{ readonly reply: Reply; readonly judgement: Judgement | null }> {
    const isBehind = this.#judge.ask() || this.#together.has(job)
    let reply: Reply
    try {
      reply = await this.#visit.session.retrieve(job.number, receiver(spool, share, this.#visit))
    } finally {
      this.#judge.answered()
    }
    return { reply, judgement: this.#judge.judge(job, reply, spool.receivedBytes, isBehind) }
  }

  async #received(job: Job, spool: Spool, share: Share, judgement: Judgement): Promise<void> {
    const { lease, run, suspects } = this.#visit
    if (judgement.doubtful) {
      const isShort = spool.receivedBytes < (job.sizeBytes ?? 0)
      await this.#attempts.abandon([job], isShort ? shortReason(job, spool.receivedBytes) : null)
      return
    }
    await this.#judge.inStep(judgement)
    suspects.came(job)
    this.#refusedInRow = 0
    if ((job.known?.harm ?? null) !== null) await this.#attempts.record(() => run.ledger.noteHarm(lease, [job], null))
    const message = await spool.complete(this.#visit.run.nowMs())
    // Not before: the buffers of a large message are in use until its file is complete.
    share.ended(spool.receivedBytes)
    if (await this.#complete(job, message, judgement)) spool.release()
  }

  /** The server has not got the message; the others do not suffer (P106, P107). "Not now" may be the server's farewell and no
   *  word about the message (P146); again and again it is a limit (P172). */
  async #refusedRetrieval(job: Job, reply: Reply): Promise<void> {
    const notNow = isBusy(reply)
    this.#refusedInRow = notNow ? this.#refusedInRow + 1 : 0
    if (this.#refusedInRow >= LIMIT_REFUSALS && this.#limit === null) {
      this.#limit = replyError('RETR', reply)
      this.#visit.session.withdraw(this.#limit)
    }
    const reason = `the server did not give it: "${reply.text}"`
    this.#visit.suspects.miss(job, reason)
    this.#refused.push(job)
    await this.#attempts.abandon([job], notNow ? null : reason)
  }

  /** True: all its destinations have it, and the ledger says so. */
  async #complete(job: Job, message: Message, { verdict, behindShort }: Judgement): Promise<boolean> {
    const { tally } = this.#visit
    if (verdict === 'short') {
      const reason = shortReason(job, message.sizeBytes)
      // Fetched once more in another session before it is believed; an empty message is never believed (P108).
      if (!wasShort(job) || message.sizeBytes === 0) {
        await this.#defer(job, reason)
        return false
      }
      tally.problem({ uidl: job.uidl, kind: 'short', reason: `${reason}, twice: delivered, and kept on the server` })
    }
    const same = await this.#deletedBefore.recognise(job, message, this.#visit)
    if (same !== null) {
      if (verdict === 'agrees' && !behindShort) this.#done.push(same)
      return true
    }
    const fixed = job.choice === null ? job : await fixDestinations(job, job.choice, message, this.#visit)
    const { job: compared, isProven } = await compareCopies(fixed, message, this.#visit)
    this.#offered.add(job)
    const delivered = await handOver(compared, message, this.#visit, isProven)
    if (!delivered) this.#undelivered = true
    else if (verdict === 'agrees' && !behindShort && isProven) this.#done.push(job)
    return delivered
  }

  /** The retrieval, the spool or the ledger failed. */
  async #failed(job: Job, thrown: unknown, receivedBytes: number): Promise<void> {
    const { account, session } = this.#visit
    // The end of a session rejects all messages that wait in it: only one of them was too large.
    if (thrown instanceof MessageTooLarge && receivedBytes > (account.maxSizeBytes ?? Infinity)) {
      return await this.#attempts.record(() => hold([{ ...job, reason: thrown.message }], this.#visit))
    }
    const error = asPopfetchError(thrown, 'message')
    if (endsTransfer(error)) {
      this.#attempts.fatal ??= error
      return
    }
    if (this.#offered.has(job)) {
      // Only its record failed. It may be at a destination: it stays begun, and the next poll looks for it there first (P2).
      this.#undelivered = true
      this.#visit.suspects.miss(job, error.message)
      return
    }
    if (error === this.#limit) return await this.#attempts.abandon([job], null)
    if (session.botched === null) return await this.#defer(job, error.message, error.code === 'ERR_BUG')
    const blamed = job.number === this.#culprit
    if (blamed) this.#visit.suspects.miss(job, endReason(error))
    await this.#attempts.abandon([job], blamed ? endReason(error) : null, blamed && error.code === 'ERR_POP3_PROTOCOL')
  }

  async #defer(job: Job, reason: string, counts = false): Promise<void> {
    this.#undelivered = true
    this.#visit.suspects.miss(job, reason)
    await this.#attempts.abandon([job], reason, counts)
  }
}
