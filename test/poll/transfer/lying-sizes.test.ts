import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { MemoryBudget } from '../../../src/poll/run/window.ts'
import { letter, Scene, upTo } from '../scene.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** A server that announces a hundred bytes whatever it has. */
async function liar(messages: number, sizeBytes: number): Promise<Scene> {
  const scene = await Scene.create()
  const filling = `${'x'.repeat(62)}\r\n`.repeat(Math.ceil(sizeBytes / 64))
  for (const at of upTo(messages)) scene.server.mailbox('alice').add(letter(at) + filling, { uidl: `uid-${at}` })
  scene.server.faults.listSize = () => 100
  return scene
}

describe('a server that sends far more than it announced (P5)', () => {
  test('is read no further while there is no room, and all comes once there is', async () => {
    await using scene = await liar(3, 400_000)
    const room = Promise.withResolvers<void>()
    const grow = vi.spyOn(MemoryBudget.prototype, 'grow').mockReturnValue(room.promise)
    const retrieved = vi.fn<() => void>()
    const poll = scene.poll().then(retrieved)
    await vi.waitFor(() => expect(grow).toHaveBeenCalled(), { timeout: 60_000 })
    for (let count = 0; count < 50; count++) await turn()
    // One packet, of which a few messages may have been in part: not the 6 that the first would take.
    expect(grow.mock.calls.length).toBeLessThan(4)
    expect(retrieved).not.toHaveBeenCalled()
    grow.mockRestore()
    room.resolve()
    await poll
    expect(scene.subjects()).toEqual(upTo(3))
  })

  test('is held to the bytes that come, each given back', async () => {
    await using scene = await liar(20, 300_000)
    const take = vi.spyOn(MemoryBudget.prototype, 'take')
    const grow = vi.spyOn(MemoryBudget.prototype, 'grow')
    const lend = vi.spyOn(MemoryBudget.prototype, 'lend')
    const give = vi.spyOn(MemoryBudget.prototype, 'give')
    expect((await scene.poll()).delivered).toBe(20)
    const asked = sum(grow.mock.calls.map(([, bytes]) => bytes))
    expect(asked).toBeGreaterThan(20 * 299_900)
    const lent = lend.mock.calls.filter((_, at) => lend.mock.results[at]?.value === true)
    const taken = sum([...take.mock.calls, ...lent].map(([bytes]) => bytes))
    expect(sum(give.mock.calls.map(([bytes]) => bytes))).toBe(asked + taken)
  })
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
