// What was resolved is there after kill -9, and two processes that write at once lose nothing.
import { once } from 'node:events'
import { expect, test, vi } from 'vitest'
import { type Kind, processAt } from '../kind.ts'
import { key, leaseOf } from '../scene.ts'

export function durability(kind: Kind): void {
  test('what was resolved before kill -9 is there afterwards, and nothing that was not asked for', async () => {
    const place = await kind.place()
    for (const [round, lines] of [1, 40, 170].entries()) {
      const writer = processAt(kind, place, 'writer.ts', 'old-isp', `${round}-`)
      let last = ''
      for (let n = 0; n < lines; n++) last = await writer.line()
      writer.process.kill('SIGKILL')
      await once(writer.process, 'exit')
      // Lines that were still in the pipe were resolved too.
      for (let more = await writer.line(); more !== ''; more = await writer.line()) last = more
      await using ledger = await place.open()
      const resolved = Array.from({ length: Number(last) + 1 }, (_, n) => key(`${round}-${n}`))
      const found = await ledger.known('old-isp', resolved)
      expect(found.filter((message) => message?.state !== 'delivered')).toEqual([])
      // At most the one message that was under way.
      const beyond = await ledger.known('old-isp', [
        key(`${round}-${resolved.length}`),
        key(`${round}-${resolved.length + 1}`),
      ])
      expect(beyond[1]).toBeNull()
      // That the writer has died may be noticed a little later.
      await vi.waitFor(async () => expect(await ledger.workers()).toEqual([]), 60_000)
    }
  })

  test('two processes that write at once both get everything in', async () => {
    const place = await kind.place()
    await using ledger = await place.open()
    const lease = await leaseOf(ledger, 'mine')
    const writers = ['left', 'right'].map((name) => ({ name, writer: processAt(kind, place, 'writer.ts', name, 'n') }))
    const lasts = new Map<string, number>()
    await Promise.all([
      ...writers.map(async ({ name, writer }) => {
        for (let n = 0; n < 150; n++) lasts.set(name, Number(await writer.line()))
      }),
      ledger.hold(
        lease,
        Array.from({ length: 3000 }, (_, n) => ({ key: key(`m${n}`), listedBytes: null, reason: 'r' })),
      ),
    ])
    for (const { name } of writers) {
      const keys = Array.from({ length: (lasts.get(name) ?? 0) + 1 }, (_, n) => key(`n${n}`))
      expect(keys.length).toBe(150)
      expect((await ledger.known(name, keys)).every((message) => message?.state === 'delivered')).toBe(true)
    }
    expect((await ledger.records.unsettled()).get('mine')?.held).toBe(3000)
  })
}
