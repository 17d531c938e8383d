import { expect, test } from 'vitest'
import { wordsOf } from '../../../src/daemon/notify/words.ts'

const item = {
  accounts: ['work', 'home'],
  destination: 'forward',
  code: 'ERR_DELIVERY',
  message: '451 later',
  sinceMs: 1.8e12,
}

test('a problem has a title, a line for each thing, and the same as an object and for programs', () => {
  const { title, text, json, env } = wordsOf({ event: 'problem', items: [item], more: 2 }, 'nas')
  expect(title).toBe('popfetch on nas: mail is not arriving: forward')
  expect(text).toBe(
    'forward (work, home): 451 later (since 2027-01-15T08:00:00.000Z)\nand 2 others\npopfetch status shows all.',
  )
  expect(json).toMatchObject({
    event: 'problem',
    account: 'work, home',
    destination: 'forward',
    code: 'ERR_DELIVERY',
    message: text,
    since: '2027-01-15T08:00:00.000Z',
    title,
    body: text,
  })
  expect(env).toMatchObject({
    POPFETCH_EVENT: 'problem',
    POPFETCH_ACCOUNT: 'work, home',
    POPFETCH_DESTINATION: 'forward',
  })
})

test('a recovery says what works again, and has no code', () => {
  const { title, text, json } = wordsOf({ event: 'recovery', items: [item], more: 0 }, 'näs\r\nX: y')
  expect(title).toBe('popfetch on n?s??X: y: works again: forward')
  expect(text).toBe('forward (work, home): works again\npopfetch status shows all.')
  expect(json).toMatchObject({ code: '' })
})
