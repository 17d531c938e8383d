// The keys of a command: defaults, and where its program is looked for.
import { describe, expect, test } from 'vitest'
import { Scene } from '../scene.ts'

describe('a command', () => {
  test('has every key filled in when only run is written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: command, run: [maildrop]')).toEqual({
      name: 'd',
      type: 'command',
      run: ['maildrop'],
      timeoutMs: 300_000,
      concurrency: 1,
      trace: true,
      label: false,
    })
  })

  test('has a program that is a path like any other, or a name to be looked up', async () => {
    await using scene = await Scene.create()
    const run = async (program: string): Promise<unknown> => {
      const config = await scene.destination(`type: command, run: [${program}, ./x]`)
      return config.type === 'command' ? config.run : null
    }
    expect(await run('maildrop')).toEqual(['maildrop', './x'])
    expect(await run('./deliver.sh')).toEqual([scene.path('deliver.sh'), './x'])
    expect(await run('~/bin/deliver')).toEqual([scene.path('home/bin/deliver'), './x'])
  })
})
