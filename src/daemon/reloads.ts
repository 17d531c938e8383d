// Each taking over of a configuration in the daemon: because a person or a signal says so, or because the program of `accountsFrom` is
// due to be asked again. One after the other; what came of it is logged, and told to those who are to be told.
import { asPopfetchError, PopfetchError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import { tellTrouble } from '../status/asked-trouble.ts'
import type { ProcessNews } from './process-news.ts'
import type { CurrentConfiguration } from './reload.ts'

interface Around {
  readonly ledger: Pick<Ledger, 'memo' | 'changeMemo'>
  readonly log: Log
  readonly news: ProcessNews
  readonly elapsedMs: () => number
  readonly nowMs: () => number
  /** Null: there is none yet. */
  readonly current: () => CurrentConfiguration | null
  /** A new one is in effect. */
  readonly changed: () => void
}

export class Reloads {
  readonly #around: Around
  #last: Promise<readonly string[]> = Promise.resolve([])
  /** When the program of `accountsFrom` was asked last. */
  #askedMs: number
  /** Why the last configuration was not taken over. */
  #refused: string | null = null

  constructor(around: Around) {
    this.#around = around
    this.#askedMs = around.elapsedMs()
  }

  /** The first configuration is in effect. */
  async begin(): Promise<void> {
    this.#askedMs = this.#around.elapsedMs()
    await this.#tellTrouble()
  }

  /** See CurrentConfiguration.reload. Rejects with the error that keeps the old one in effect, and logs it. */
  reload(yes: boolean): Promise<readonly string[]> {
    return this.#inTurn(yes, false)
  }

  /** Asks the program of `accountsFrom` again, if it is time. */
  askAgain(): void {
    const { current, elapsedMs } = this.#around
    const every = current()?.configuration.accountsFrom?.every ?? null
    if (every === null || elapsedMs() - this.#askedMs < every) return
    this.#inTurn(false, true).catch(() => {})
  }

  #inTurn(yes: boolean, again: boolean): Promise<readonly string[]> {
    this.#askedMs = this.#around.elapsedMs()
    this.#last = this.#last.catch(() => []).then(() => this.#reload(yes, again))
    return this.#last
  }

  async #reload(yes: boolean, again: boolean): Promise<readonly string[]> {
    const { log, news, current, changed } = this.#around
    try {
      const changes = (await current()?.reload(yes, again)) ?? []
      this.#refused = null
      await this.#tellTrouble()
      if (again && changes.length === 0) return changes
      log.info(changes.length === 0 ? 'reloaded: nothing changed' : `reloaded: ${shortened(changes)}`)
      changed()
      return changes
    } catch (thrown) {
      const error = asPopfetchError(thrown, 'process')
      // Asked every few minutes, it is told once.
      const isKnown = again && this.#refused === error.message
      this.#refused = error.message
      if (isKnown) throw error
      log.error(`reload: the old configuration stays in effect: ${error.message}`, { error: error.code })
      news.failed(error)
      throw error
    }
  }

  async #tellTrouble(): Promise<void> {
    const { ledger, log, news, current, nowMs } = this.#around
    const trouble = current()?.trouble ?? null
    await tellTrouble(trouble, { ledger, log, nowMs: nowMs() }, { always: false, tell: () => {} })
    if (trouble instanceof PopfetchError) news.failed(trouble)
    else news.works()
  }
}

/** Of ten thousand new accounts a line of a log names some. */
const CHANGES_SHOWN = 50

function shortened(changes: readonly string[]): string {
  const more = changes.length - CHANGES_SHOWN
  return more <= 0 ? changes.join(', ') : `${changes.slice(0, CHANGES_SHOWN).join(', ')} and ${more} more`
}
