// A command line from argv to its exit code, where nothing runs.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PopfetchError } from '../../src/errors.ts'
import { World } from './world.ts'

let world: World
beforeEach(async () => {
  world = await World.make()
})
afterEach(() => world[Symbol.asyncDispose]())

describe('nothing runs', () => {
  test('when the configuration is wrong: 78', async () => {
    const text = 'a.yaml: 2 problems:\na.yaml:1: accounts: found 1, expected a mapping\na.yaml:2: …'
    world.configurationError = new PopfetchError('ERR_CONFIG', text, { scope: 'process', retry: 'never' })
    expect(await world.run('')).toBe(78)
    expect(world.stderr.text).toBe(`popfetch: ${text}\n`)
    expect(world.asked).toEqual([])
  })

  test('when the ledger cannot be opened: 74', async () => {
    world.ledgerError = new PopfetchError('ERR_LEDGER', 'opening the ledger: damaged', {
      scope: 'process',
      retry: 'never',
    })
    expect(await world.run('')).toBe(74)
    expect(world.asked).toEqual([])
  })

  test('when an account is unknown: 64, with the names there are', async () => {
    expect(await world.run('wrok home')).toBe(64)
    expect(world.stderr.text).toBe(
      'popfetch: no account or command is called "wrok" (did you mean "work"?); the accounts are work, home: see popfetch --help\n',
    )
    expect(world.asked).toEqual([])
  })
})

describe('a word that is nearly a command (B14)', () => {
  test.each([
    ['stauts', 'status'],
    ['chekc', 'check'],
    ['relaod', 'reload'],
  ])('is taken for it: %s', async (typed, meant) => {
    expect(await world.run(typed)).toBe(64)
    expect(world.stderr.text).toContain(`no account or command is called "${typed}" (did you mean "${meant}"?)`)
  })

  test('is told as such where there is no configuration', async () => {
    const text = 'no configuration found'
    world.configurationError = new PopfetchError('ERR_CONFIG', text, { scope: 'process', retry: 'never' })
    expect(await world.run('stauts')).toBe(64)
    expect(world.stderr.text).toContain('(did you mean "status"?)')
    expect(await world.run('work')).toBe(78)
  })
})

test('a bug is one line and 70, and its stack with --verbose', async () => {
  world.during = () => {
    throw new TypeError('x is undefined')
  }
  expect(await world.run('')).toBe(70)
  expect(world.stderr.text).toBe('popfetch: unexpected error: x is undefined: please report this\n')
  await world.run('--verbose')
  expect(world.stderr.text).toMatch(/\n {4}at /)
})
