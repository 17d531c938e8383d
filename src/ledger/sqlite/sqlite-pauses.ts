// The methods of Pauses on the SQLite file of a SqliteLedger. Rows are in rows/pauses.ts; what each method promises is in pause.ts.
import type { Pause, Paused, Pauses } from '../pause.ts'
import type { Access } from './access.ts'
import type { PauseRows } from './rows/pauses.ts'

export class SqlitePauses implements Pauses {
  readonly #access: Access
  readonly #rows: PauseRows

  constructor(rows: PauseRows, access: Access) {
    this.#access = access
    this.#rows = rows
  }

  all(kind?: Paused['kind']): Promise<readonly Pause[]> {
    return this.#access.read(() => this.#rows.all(kind ?? null, this.#nowMs))
  }

  of(what: Paused): Promise<Pause | null> {
    return this.#access.read(() => this.#rows.of(what, this.#nowMs))
  }

  begin(paused: readonly Paused[], by: string, forMs: number | null): Promise<readonly Pause[]> {
    return this.#access.write(() => {
      const nowMs = this.#nowMs
      return paused.map((what) => this.#rows.begin(what, by, forMs === null ? null : nowMs + forMs, nowMs))
    })
  }

  end(paused: readonly Paused[]): Promise<readonly Pause[]> {
    return this.#access.write(() => {
      const ended = paused.flatMap((what) => this.#rows.of(what, this.#nowMs) ?? [])
      for (const what of paused) this.#rows.end(what)
      return ended
    })
  }

  get #nowMs(): number {
    return this.#access.surroundings.nowMs()
  }
}
