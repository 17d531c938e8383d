// Which change of a secret that was refused is worth a try at once: every order of what is tried and what is seen.
import { expect, test } from 'vitest'
import { afterLook, afterRefusal, type RefusedSecret } from '../../../src/poll/rests/secret-mark.ts'

/** Marks that were refused one after another, then marks that are read while it is left alone. */
function news(refused: readonly number[], looks: readonly number[], mints: boolean): boolean[] {
  let state: RefusedSecret | null = null
  for (const mark of refused) state = afterRefusal(state, mark)
  return looks.map((mark) => {
    if (state === null) return true
    const look = afterLook(state, mark, mints)
    state = look.refused
    return look.isNews
  })
}

test.each<readonly [string, readonly number[], readonly number[], boolean, readonly boolean[]]>([
  ['a password that stays is left alone', [1, 1, 1], [1, 1], false, [false, false]],
  ['a changed password is tried at once (N010)', [1], [1, 2], false, [false, true]],
  ['a password that changed at each try is tried at once as well', [1, 2, 3], [4], false, [true]],
  ['a token that a command renewed is tried at once (N042)', [1, 1, 1], [1, 2], true, [false, true]],
  ['a token that was refused once, and read once more since, too (N042)', [1], [1, 2], true, [false, true]],
  ['another token each time is no change (N009)', [1, 2, 3], [4, 5, 6], true, [false, false, false]],
  ['a new token that stays is one, whatever was before (N042)', [1, 2, 3], [4, 4], true, [false, true]],
  ['the refused token that comes again is none', [1, 2], [2, 3, 2], true, [false, true, false]],
])('%s', (_, refused, looks, mints, expected) => {
  expect(news(refused, looks, mints)).toEqual(expected)
})
