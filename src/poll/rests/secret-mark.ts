// What is remembered of a secret that was refused: enough to notice that it was changed, which is worth a try at once (N010,
// N042). A command that prints tokens may print another one each time: that is no change, or refused ones would never be left
// alone (N009). Pure.
import { createHash } from 'node:crypto'

/** 16 bits: enough to notice a changed secret, too few to guess it from (DESIGN 3). */
export function secretMark(salt: string, secret: string): number {
  return createHash('sha256').update(`${salt}\0${secret}`).digest().readUInt16BE(0)
}

/** The marks of a secret that was refused. */
export interface RefusedSecret {
  /** Of the one that was refused last. */
  readonly tried: number
  /** Of the one that was read last. */
  readonly seen: number
  /** It was read twice alike: its source does not give a new secret each time. */
  readonly steady: boolean
}

export function afterRefusal(before: RefusedSecret | null, mark: number): RefusedSecret {
  return { tried: mark, seen: mark, steady: before?.seen === mark }
}

/** The secret was read while the account or destination was left alone. `isNews`: a try is worthwhile. `mints`: the source may
 *  give a new secret each time. Then only a secret that was read twice alike proves a change, before or after it. */
export function afterLook(
  before: RefusedSecret,
  mark: number,
  mints: boolean,
): { readonly isNews: boolean; readonly refused: RefusedSecret } {
  const { tried, seen, steady } = before
  const isNews = mark !== tried && (!mints || steady || mark === seen)
  return { isNews, refused: { tried, seen: mark, steady: steady || mark === tried } }
}

/** As text, for the ledger. */
export function textOf({ tried, seen, steady }: RefusedSecret): string {
  return `${tried} ${seen} ${steady ? 'steady' : 'new'}`
}

/** Null: there is none, or it makes no sense. */
export function refusedOf(fact: string | undefined): RefusedSecret | null {
  const [, tried, seen, steady] = /^(\d+) (\d+) (steady|new)$/.exec(fact ?? '') ?? []
  return tried === undefined ? null : { tried: Number(tried), seen: Number(seen), steady: steady === 'steady' }
}
