import { expect, test } from 'vitest'
import { nearest } from '../../../src/config/values/nearest.ts'

const WORDS = ['password', 'user', 'host', 'port', 'deliver', 'delete']

test.each([
  ['pasword', 'password'],
  ['passwrod', 'password'],
  ['Password', 'password'],
  ['hots', 'host'],
  ['prot', 'port'],
  ['delivr', 'deliver'],
  ['delte', 'delete'],
])('%s is meant to be %s', (word, meant) => {
  expect(nearest(word, WORDS)).toBe(meant)
})

test.each(['', 'x', 'pop', 'proxy', 'mailbox', 'p'.repeat(10_000)])('%s is near none', (word) => {
  expect(nearest(word, WORDS)).toBeNull()
})
