import { describe, expect, test } from 'vitest'
import { expectRefusal, understood } from '../../understood.ts'

describe('the words of auth', () => {
  test.each([
    ['auth', { command: 'auth', does: 'sign-in', names: [], flow: null, opens: true, timeoutMs: 600_000 }],
    ['auth gmail work gmail', { does: 'sign-in', names: ['gmail', 'work'] }],
    ['auth gmail --device', { flow: 'device' }],
    ['auth gmail --browser --no-open --timeout 90s', { flow: 'browser', opens: false, timeoutMs: 90_000 }],
    ['auth --list', { does: 'list' }],
    ['auth --list --json', { does: 'list', json: true }],
    ['auth --sign-out gmail', { does: 'sign-out', name: 'gmail' }],
    ['auth --token gmail', { does: 'token', name: 'gmail' }],
  ])('are understood: %s', async (line, expected) => {
    expect(await understood(line.split(' '))).toMatchObject(expected)
  })

  test.each([
    ['auth --device --browser', '--device and --browser cannot be combined'],
    ['auth --list --token a', 'use only one of --list, --sign-out and --token'],
    ['auth --list a', 'take no further names: a'],
    ['auth --token a --timeout 5m', 'are for signing in'],
    ['auth --sign-out a --no-open', 'are for signing in'],
    ['auth --timeout 5', '--timeout must be a duration'],
    ['auth --timeout 0s', '--timeout must be a duration'],
    ['auth --timeout 30d', '--timeout must be a duration'],
    ['auth --sign-out', '--sign-out'],
  ])('are refused: %s', async (line, text) => {
    await expectRefusal(line.split(' '), text)
  })
})
