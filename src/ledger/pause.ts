// What a person wants left alone, and until when: accounts and destinations by their names, for every process and machine. It is no
// back-off: nothing but its time and a person ends it. Part of the contract of ledger.ts; plain data.

/** Somebody wants an account or a destination to be left alone. */
export interface Paused {
  readonly kind: 'account' | 'destination'
  /** As in the configuration. It need not be known otherwise. */
  readonly name: string
}

/** A pause, and whose. */
export interface Pause extends Paused {
  /** Who wanted it, for people. */
  readonly by: string
  readonly sinceMs: number
  /** Null: until it is ended. */
  readonly untilMs: number | null
}

/** Times are those of the ledger's clock. A pause whose time has come is none any more. */
export interface Pauses {
  /** In the order of kind and name; `kind` absent: of both kinds. */
  all(kind?: Paused['kind']): Promise<readonly Pause[]>
  /** Null: it is not paused. Quick, however many are. */
  of(what: Paused): Promise<Pause | null>
  /** For so long from now; null: until it is ended. What is paused already stays so since it was, and ends as is said now. */
  begin(paused: readonly Paused[], by: string, forMs: number | null): Promise<readonly Pause[]>
  /** Gives those of them that were paused. */
  end(paused: readonly Paused[]): Promise<readonly Pause[]>
}
