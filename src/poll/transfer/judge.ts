// Is what came what was asked for? By the sizes that the server announced, and by what else came in the session. A message that is
// clearly shorter may be a lie or a loss, and what is behind it another's (P108, P113, P148, P164).
// The one rule: what others may be mixed into is not believed. Then the session ends, and another one asks again.
import { DoubtfulAnswers } from '../../pop3/recoverable.ts'
import type { Reply } from '../../pop3/wire/reply.ts'
import type { SizeVerdict } from '../account/sizes.ts'
import type { Job } from '../route/due.ts'
import type { Visit } from '../visit.ts'
import { shortReason } from './suspects.ts'

export interface Judgement {
  readonly verdict: SizeVerdict
  /** A short message came before it, so it may be forged: only a later session deletes it, after a look at its header
   *  (P113). */
  readonly behindShort: boolean
  /** Others were asked for at the same time: then the session was ended, and nothing of it is delivered. */
  readonly doubtful: boolean
  /** Its size is exactly as announced. */
  readonly exact: boolean
}

export class Judge {
  readonly #visit: Visit
  /** Asked for, and not yet answered to the end. */
  #asked = 0
  #shortCame = false
  /** A message came that is not exactly as long as announced: what is behind it may be another's (P113, P148). */
  #inexactCame = false
  /** A message came that is exactly as long as announced: the server's sizes are worth something (P164). */
  #exactCame = false

  constructor(visit: Visit) {
    this.#visit = visit
  }

  /** A message is asked for. Are others under way? */
  ask(): boolean {
    return this.#asked++ > 0
  }

  answered(): void {
    this.#asked--
  }

  /** Messages came that are exactly as long as announced. */
  cameExact(): void {
    this.#exactCame = true
  }

  /** Call it in the same turn in which the answer arrives. What the same packet answered further on still counts as asked for, and is
   *  not believed where this message is doubtful (P113). Null: the server refused. Throws why the session ended. */
  judge(job: Job, reply: Reply, receivedBytes: number, isBehind: boolean): Judgement | null {
    const { session, history } = this.#visit
    const exact = receivedBytes === job.sizeBytes
    this.#inexactCame ||= reply.status === 'ok' && !exact
    if (session.botched !== null) {
      // In one packet with unsolicited data, or behind a doubtful message: it may be forged. Its size tells,
      // as long as every size did (P171).
      const isWhole = reply.status === 'ok' && !this.#inexactCame && session.botched.code === 'ERR_POP3_PROTOCOL'
      if (!isWhole) throw session.botched
      return { verdict: 'agrees', behindShort: true, doubtful: false, exact }
    }
    if (reply.status !== 'ok') return null
    const together = session.pipelining && (isBehind || this.#asked > 0)
    this.#exactCame ||= exact
    if (together && !exact && job.sizeBytes !== null && history.sizes.exact && this.#exactCame) {
      // Two answers may be mixed in it (P164). Alone it will show whether the server's sizes are ever exact.
      session.abandon(new DoubtfulAnswers(`${receivedBytes} bytes long, but announced as ${job.sizeBytes}`))
      return { verdict: 'short', behindShort: true, doubtful: true, exact }
    }
    const verdict = history.sizes.judge(job.sizeBytes, receivedBytes)
    const behindShort = this.#shortCame
    this.#shortCame ||= verdict === 'short'
    const doubtful = verdict === 'short' && this.#asked > 0 && session.pipelining
    if (doubtful) session.abandon(new DoubtfulAnswers(shortReason(job, receivedBytes)))
    return { verdict, behindShort, doubtful, exact }
  }

  /** Sizes that are no more than hints do not tell whether two answers are mixed: the next answer does (P164). */
  async inStep({ exact }: Judgement): Promise<void> {
    const { session } = this.#visit
    if (exact || !session.pipelining || this.#asked === 0) return
    await session.nextAnswer()
    if (session.botched?.code === 'ERR_POP3_PROTOCOL') throw session.botched
  }
}
