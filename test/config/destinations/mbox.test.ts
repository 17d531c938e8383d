// The keys of an mbox: defaults.
import { describe, expect, test } from 'vitest'
import { Scene } from '../scene.ts'

describe('an mbox', () => {
  test('has every key filled in when only path is written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: mbox, path: "in/{account}"')).toEqual({
      name: 'd',
      type: 'mbox',
      path: scene.path('in/{account}'),
      shared: false,
      trace: true,
      label: false,
    })
  })
})
