import { describe, expect, test } from 'vitest'
import { upTo } from '../poll/scene.ts'
import { Scene } from './scene.ts'

describe('a migration', () => {
  test('moves everything, reads it again and says so', async () => {
    await using scene = await Scene.create()
    scene.fill(20)
    const report = await scene.migrate()
    expect(report).toMatchObject({
      outcome: 'ok',
      messages: 20,
      verified: 20,
      unmovedCount: 0,
      readAgain: true,
      error: null,
    })
    expect(scene.subjects()).toEqual(upTo(20))
    expect(scene.left()).toHaveLength(20)
  })
})
