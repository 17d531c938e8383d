import { afterEach, beforeEach, describe, expect, test } from 'vitest'
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
})
