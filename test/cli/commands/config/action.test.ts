import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WrongConfiguration } from '../../../../src/config/problem.ts'
import { PopfetchError } from '../../../../src/errors.ts'
import { World } from '../../world.ts'

let world: World
beforeEach(async () => {
  world = await World.make()
})
afterEach(() => world[Symbol.asyncDispose]())

describe('config', () => {
  test('check says what is there, and warns', async () => {
    world.warnings = ['running as root']
    expect(await world.run('config check')).toBe(0)
    expect(world.stdout.text).toBe(
      `${world.directory}/config.yaml: correct: 2 accounts, 0 destinations\nledger: ${world.directory}/state.db\nwarning: running as root\n`,
    )
  })

  test('show prints what is in force, schema a JSON Schema', async () => {
    await world.run('config show')
    expect(world.stdout.text).toBe('accounts:\n  work:\n    password: "****"\n')
    world.configurationError = new PopfetchError('ERR_CONFIG', 'none', { scope: 'process', retry: 'never' })
    expect(await world.run('config schema')).toBe(0)
    expect(world.json).toEqual({ type: 'object' })
  })

  test('check --json has a list of the problems, each with its place', async () => {
    const problem = { file: '/c.yaml', line: 3, path: 'accounts.a.port', found: '0', expected: 'a port' }
    world.configurationError = new WrongConfiguration('reading /c.yaml: 1 problem:\n/c.yaml:3: …', [problem])
    expect(await world.run('config check --json')).toBe(78)
    expect(world.json).toEqual({
      ok: false,
      problems: [problem],
      error: { code: 'ERR_CONFIG', message: 'reading /c.yaml: 1 problem:', retry: 'never' },
    })
  })
})
