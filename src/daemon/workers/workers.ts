// The processes that a daemon starts to share its work (`--workers`). One that dies is started again, one that says nothing for two
// minutes is killed first: whatever it had is free then. What they tell is handed on to the daemon, which speaks for all.
import { display } from '../../display.ts'
import type { Log } from '../../log.ts'
import type { Planned } from '../../status/status.ts'
import type { Order, OwnProcess, Word } from './protocol.ts'

/** So often each is asked whether it lives. */
const PING_MS = 15_000
/** A process that was asked so often and did not answer is killed. A machine that sleeps asks nothing. */
const MOST_UNANSWERED = 8
/** A process that died is started again so soon, then later and later. */
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 60_000
/** One that lived for so long has nothing to do with those before it. */
const LIVED_MS = 600_000
/** After the order to stop. */
const STOP_LIMIT_MS = 9500

export interface WorkersContext {
  readonly count: number
  readonly start: () => OwnProcess
  readonly log: Log
  readonly ended: (ended: Extract<Word, { kind: 'ended' }>) => void
  /** Calls `act` once after `delayMs`; the function that it returns calls it off. */
  readonly after?: (delayMs: number, act: () => void) => () => void
  readonly elapsedMs?: () => number
}

/** A place for one process at a time. */
interface Post {
  readonly number: number
  process: OwnProcess | null
  startedMs: number
  deaths: number
  unanswered: number
  polling: readonly string[]
  overdue: readonly string[]
  callOff: () => void
}

export class Workers implements AsyncDisposable {
  readonly #context: Required<WorkersContext>
  readonly #posts: readonly Post[]
  #stopping: (() => void) | null = null
  #callOff: () => void = () => {}

  /** Starts them. */
  constructor({ after = afterwards, elapsedMs = () => performance.now(), ...context }: WorkersContext) {
    this.#context = { after, elapsedMs, ...context }
    this.#posts = Array.from({ length: context.count }, (_, at) => ({
      number: at + 1,
      process: null,
      startedMs: 0,
      deaths: 0,
      unanswered: 0,
      polling: [],
      overdue: [],
      callOff: () => {},
    }))
    for (const post of this.#posts) this.#start(post)
    this.#ping()
  }

  /** The plan of the daemon, with what its processes do. */
  with(plan: readonly Planned[]): readonly Planned[] {
    const polling = new Set(this.#posts.flatMap((post) => post.polling))
    const overdue = new Set(this.#posts.flatMap((post) => post.overdue))
    if (polling.size + overdue.size === 0) return plan
    return plan.map((planned) => {
      const { account } = planned
      if (!polling.has(account) && !overdue.has(account)) return planned
      const isPolled = planned.polling || polling.has(account)
      const nextPollMs = isPolled ? null : planned.nextPollMs
      return { ...planned, polling: isPolled, nextPollMs, overdue: planned.overdue || overdue.has(account) }
    })
  }

  tell(order: Exclude<Order, { kind: 'ping' | 'stop' }>): void {
    for (const { process } of this.#posts) process?.say(order)
  }

  /** Resolves when all have ended, as they were told or killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const gone = Promise.withResolvers<void>()
    this.#stopping = gone.resolve
    this.#callOff()
    for (const { process, callOff } of this.#posts) {
      callOff()
      process?.say({ kind: 'stop' })
    }
    const callOff = this.#context.after(STOP_LIMIT_MS, () => {
      for (const { process } of this.#posts) process?.kill()
    })
    this.#endIfGone()
    await gone.promise
    callOff()
  }

  #start(post: Post): void {
    const { start, elapsedMs } = this.#context
    const process = start()
    Object.assign(post, { process, startedMs: elapsedMs(), unanswered: 0, polling: [], overdue: [] })
    process.listen(
      (word) => this.#hear(word, post),
      (how) => this.#gone(how, post),
    )
  }

  #hear(word: Word, post: Post): void {
    const { log, ended } = this.#context
    const { number: worker } = post
    switch (word.kind) {
      case 'up':
        log.debug('a worker has started', { worker, of: post.process?.pid ?? null })
        break
      case 'failed':
        log.error(word.error.message, { worker, error: word.error.code })
        break
      case 'log':
        log[word.level](word.text, { ...word.facts, worker })
        break
      case 'ended':
        ended(word)
        break
      case 'alive':
        Object.assign(post, { unanswered: 0, polling: word.polling, overdue: word.overdue })
        break
    }
  }

  #gone(how: string, post: Post): void {
    const { log, after, elapsedMs } = this.#context
    Object.assign(post, { process: null, polling: [], overdue: [] })
    if (this.#stopping !== null) return this.#endIfGone()
    post.deaths = elapsedMs() - post.startedMs > LIVED_MS ? 0 : post.deaths + 1
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, Math.min(10, post.deaths - 1)))
    log.warn(`a worker ended (${display(how)}), and is started again`, { worker: post.number })
    post.callOff = after(waitMs, () => this.#start(post))
  }

  #endIfGone(): void {
    if (this.#posts.every(({ process }) => process === null)) this.#stopping?.()
  }

  #ping(): void {
    for (const post of this.#posts) {
      if (post.process === null) continue
      if (post.unanswered >= MOST_UNANSWERED) {
        this.#context.log.error('a worker has said nothing for two minutes, and is ended', { worker: post.number })
        post.process.kill()
      } else {
        post.unanswered++
        post.process.say({ kind: 'ping' })
      }
    }
    this.#callOff = this.#context.after(PING_MS, () => this.#ping())
  }
}

function afterwards(delayMs: number, act: () => void): () => void {
  const timer = setTimeout(act, delayMs)
  return () => clearTimeout(timer)
}
