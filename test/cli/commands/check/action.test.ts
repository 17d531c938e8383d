import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkReport, UNREACHABLE } from '../../reports.ts'
import { World } from '../../world.ts'

let world: World
beforeEach(async () => {
  world = await World.make()
})
afterEach(() => world[Symbol.asyncDispose]())

describe('check', () => {
  test('answers on standard output, failures too', async () => {
    world.checks = [
      checkReport({ account: 'work', waiting: 12, new: 3 }),
      checkReport({ account: 'home', outcome: 'failed', error: UNREACHABLE }),
    ]
    expect(await world.run('check')).toBe(75)
    expect(world.stdout.text).toBe(
      'work: 12 messages on the server, 3 to fetch\nhome: failed: connecting to pop.example.net: no route: try later\n',
    )
    expect(world.stderr.text).toBe('')
  })

  test('ends with the code of a destination that takes no mail', async () => {
    world.destinations = ['inbox']
    const error = { code: 'ERR_DELIVERY', message: 'maildir ~/Mail: no', retry: 'never', exit: 73 } as const
    const facts = { places: 1, durationMs: 1, findings: [], warnings: ['slow'], advice: [] }
    world.trials = [{ destination: 'inbox', description: 'maildir ~/Mail', outcome: 'failed', error, ...facts }]
    expect(await world.run('check')).toBe(73)
    expect(world.stdout.text).toContain('inbox: failed: maildir ~/Mail: no\n  warning: slow\n')
  })

  test('--json has what is waiting and new', async () => {
    expect(await world.run('check work --json')).toBe(0)
    expect(world.json).toEqual({
      ok: true,
      accounts: [{ account: 'work', outcome: 'ok', waiting: 12, new: 3, bytes: 0, durationMs: 0, error: null }],
      destinations: [],
    })
  })
})
