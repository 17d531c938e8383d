// A next hop of the soak, SMTP or LMTP. Its habits on bad days, and a diary of all that was asked of it, by which politeness is
// judged. A habit says to which class of DESIGN 5 it belongs; what follows from that, manners.ts knows.
import { SmtpSink, type SmtpAnswer, type SunkMessage } from '../../support/smtp-server.ts'
import type { Chance } from './chance.ts'
import { subjectOf } from './letters.ts'
import type { Time } from './time.ts'

/** `rests`: the destination (or its only recipient) is left alone, 15 min doubling to 4 h. `down`: cron looks at each poll.
 *  `sign-in`: one try a poll, 15 min doubling from the third. `own`: each message for itself. `refused`: each for itself, 1 h
 *  doubling to a day. */
export type Class = 'well' | 'rests' | 'down' | 'sign-in' | 'own' | 'refused' | 'mixed'

export type SinkStep = 'connect' | 'auth' | 'mail' | 'rcpt' | 'dot'

export interface Asked {
  readonly step: SinkStep
  readonly atMs: number
  readonly poll: number
  /** -1: none, or not one of ours. */
  readonly subject: number
  /** Null: taken. */
  readonly answer: SmtpAnswer
  readonly class: Class
  /** The pause that it names; 0: none. */
  readonly pauseMs: number
}

interface SinkHabit {
  readonly class: Class
  /** The pause that it names. */
  readonly pauseMs?: number
  readonly connect?: (sink: SinkWorld) => SmtpAnswer
  readonly auth?: SmtpAnswer
  readonly mail?: SmtpAnswer
  readonly rcpt?: SmtpAnswer
  readonly dot?: (subject: number, sink: SinkWorld) => SmtpAnswer
}

const MINUTE_MS = 60_000

/** The answer to a message that it never takes, whatever its habit. */
export const UNWANTED = '554 5.7.1 message identified as spam'

export const SINK_HABITS: Readonly<Record<string, SinkHabit>> = {
  well: { class: 'well' },
  'not now': { class: 'rests', connect: () => '421 4.3.2 too busy' },
  'no service here': { class: 'rests', connect: () => '554 5.3.2 no service' },
  'nobody there': { class: 'down', connect: () => 'drop' },
  'silent at once': { class: 'down', connect: () => 'stall' },
  'sender not now': { class: 'rests', mail: '451 4.3.0 try later' },
  'recipient unknown': { class: 'rests', rcpt: '550 5.1.1 no such user' },
  'relaying denied': { class: 'rests', rcpt: '554 5.7.1 relay access denied' },
  'mailbox full': { class: 'rests', rcpt: '452 4.2.2 mailbox full' },
  'mailbox off': { class: 'rests', rcpt: '550 5.2.1 mailbox disabled' },
  'mailbox full at the dot': { class: 'rests', dot: () => '552 5.2.2 over quota' },
  'no more today': { class: 'rests', dot: () => '550 5.4.5 daily quota exceeded' },
  'back in 2 h': { class: 'rests', pauseMs: 120 * MINUTE_MS, rcpt: '451 4.7.0 try again in 2 hours' },
  'back in 40 s': { class: 'mixed', rcpt: '451 4.7.0 try again in 40 seconds' },
  greylisted: { class: 'own', pauseMs: 5 * MINUTE_MS, rcpt: '450 4.2.0 greylisted, try again in 5 minutes' },
  'sign-in refused': { class: 'sign-in', auth: '535 5.7.8 no' },
  'sign-in not now': { class: 'rests', auth: '454 4.7.0 try later' },
  'nothing by policy': {
    class: 'mixed',
    dot: () => '550 5.7.60 client does not have permissions to send as this sender',
  },
  'content not now': { class: 'mixed', dot: () => '451 4.7.1 cannot scan it now' },
  'content refused': { class: 'mixed', dot: () => '554 5.7.1 we do not like it' },
  'form refused': { class: 'refused', dot: () => '554 5.6.0 malformed header line' },
  'some content not now': {
    class: 'mixed',
    dot: (subject, { chance }) => (chance.of(subject) < 0.4 ? '451 4.7.1 try again' : null),
  },
  'some content refused': {
    class: 'mixed',
    dot: (subject, { chance }) => (chance.of(subject) < 0.4 ? '550 5.7.1 policy' : null),
  },
  'some answers lost': {
    class: 'mixed',
    dot(subject, sink) {
      const isLost = sink.lost.get(subject) === undefined && sink.chance.of(subject) < 0.3
      return isLost ? 'lost' : null
    },
  },
  'cut at the dot now and then': {
    class: 'mixed',
    dot: (subject, { chance, poll }) => (chance.of(subject, poll) < 0.3 ? 'drop' : null),
  },
  'silent at the dot of one': { class: 'mixed', dot: (subject) => (subject % 5 === 1 ? 'stall' : null) },
  'one connection only': {
    class: 'mixed',
    connect: ({ sink }) => (sink.open > 1 ? '421 4.7.0 too many connections' : null),
  },
}

export class SinkWorld {
  readonly sink: SmtpSink
  readonly diary: Asked[] = []
  /** How often an answer to a complete message was lost, by subject. */
  readonly lost = new Map<number, number>()
  /** Messages that it never takes, for what they are. */
  readonly unwanted = new Set<number>()
  chance: Chance
  poll = 0
  readonly #time: Time
  readonly #silences: (() => void)[] = []
  #habit: SinkHabit = { class: 'well' }

  private constructor(sink: SmtpSink, chance: Chance, time: Time) {
    this.sink = sink
    this.chance = chance
    this.#time = time
    const step = <T>(name: SinkStep, answer: (subject: T) => SmtpAnswer, subject: (it: T) => number = () => -1) => {
      return (it: T): SmtpAnswer => this.#answered(name, subject(it), answer(it))
    }
    Object.assign(sink.faults, {
      connect: step('connect', () => this.#habit.connect?.(this) ?? null),
      auth: step('auth', () => this.#habit.auth ?? null),
      mail: step('mail', () => this.#habit.mail ?? null),
      rcpt: step('rcpt', () => this.#habit.rcpt ?? null),
      dot: step<Omit<SunkMessage, 'at'>>(
        'dot',
        ({ bytes }) => this.#judged(subjectOf(bytes)),
        ({ bytes }) => subjectOf(bytes),
      ),
    })
  }

  static async start(
    chance: Chance,
    time: Time,
    options: { readonly lmtp: boolean; readonly signsIn: boolean },
  ): Promise<SinkWorld> {
    const { lmtp, signsIn } = options
    const sink = await SmtpSink.start({ lmtp, ...(signsIn ? { users: { popfetch: 'secret' } } : {}) })
    return new SinkWorld(sink, chance, time)
  }

  begin(poll: number, habit: string | null): void {
    this.poll = poll
    this.#habit = (habit === null ? null : SINK_HABITS[habit]) ?? { class: 'well' }
    for (const over of this.#silences.splice(0)) over()
  }

  get class(): Class {
    return this.#habit.class
  }

  #judged(subject: number): SmtpAnswer {
    return this.unwanted.has(subject) ? UNWANTED : (this.#habit.dot?.(subject, this) ?? null)
  }

  #answered(step: SinkStep, subject: number, answer: SmtpAnswer): SmtpAnswer {
    this.#time.heard()
    const { class: kind, pauseMs = 0 } = this.#habit
    this.diary.push({ step, atMs: this.#time.nowMs(), poll: this.poll, subject, answer, class: kind, pauseMs })
    if (answer === 'lost') this.lost.set(subject, (this.lost.get(subject) ?? 0) + 1)
    // Given up at the end of the poll, at the latest.
    if (answer === 'stall') this.#silences.push(this.#time.silence())
    return answer
  }

  /** The subjects of all that it has, with repetitions. */
  get taken(): readonly number[] {
    return this.sink.messages.map(({ bytes }) => subjectOf(bytes))
  }
}
