// The keys of a command: defaults, and where its program is looked for.
import { describe, expect, test } from 'vitest'
import { ACCOUNT, Scene } from '../scene.ts'

describe('a command', () => {
  test('has every key filled in when only run is written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: command, run: [maildrop]')).toEqual({
      name: 'd',
      type: 'command',
      run: ['maildrop'],
      env: {},
      cwd: null,
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

  test('has variables, and a folder that is a path like any other', async () => {
    await using scene = await Scene.create()
    expect(
      await scene.destination('type: command, run: [notmuch], env: { NOTMUCH_CONFIG: "/x y" }, cwd: ~/mail'),
    ).toMatchObject({ env: { NOTMUCH_CONFIG: '/x y' }, cwd: scene.path('home/mail') })
  })

  test.each([
    ['{ SENDER: x }', 'SENDER'],
    ['{ POPFETCH_UIDL: x }', 'POPFETCH_UIDL'],
    ['{ a-b: x }', 'a-b'],
    ['{ A: 1 }', 'A'],
    ['{ A: "x\\0hunter2" }', 'A'],
    ['[A]', 'env'],
  ])('has no variable %s: the line is named, and no value', async (env, named) => {
    await using scene = await Scene.create()
    const problems = await scene.problems(
      `accounts:\n  a: {${ACCOUNT}}\ndestinations:\n  d: { type: command, run: [x], env: ${env} }\n`,
    )
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(named)
    expect(problems[0]).not.toContain('hunter2')
  })
})
