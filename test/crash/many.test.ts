// A mailbox of many thousands, killed on the way again and again: each message arrives once, and what was done is not done
// again. At the size of a real migration the batches overlap, which a handful of messages cannot show.
import { expect, test } from 'vitest'
import { Scene } from './scene.ts'
import { dice, MANY_KILLS, MANY_MESSAGES, SEED } from './sizes.ts'

test.each(['never', 'after-delivery'] as const)(
  `${MANY_MESSAGES} messages, killed ${MANY_KILLS} times on the way, arrive once (delete: %s)`,
  async (deletion) => {
    await using scene = await Scene.create('maildir', deletion)
    scene.mail(MANY_MESSAGES)
    const random = dice(SEED)
    const share = MANY_MESSAGES / (MANY_KILLS + 1)
    for (let kills = 0; kills < MANY_KILLS; kills++) {
      let left = Math.ceil(share * (0.5 + random() / 2))
      const ran = await scene.run({
        started(end) {
          scene.onCommand = (verb) => {
            if (verb === 'RETR') left -= 1
            if (left === 0) end()
          }
        },
      })
      expect(ran.killed).toBe(true)
    }
    scene.onCommand = () => {}
    expect(await scene.settle()).toEqual([])
    // What had been asked for when a kill came is asked for again, and no more: a window's worth each time.
    const retrieved = scene.server.journal.of('retr').length
    console.log(`delete: ${deletion}: ${retrieved} RETR for ${MANY_MESSAGES} messages`)
    expect(retrieved).toBeLessThanOrEqual(MANY_MESSAGES + MANY_KILLS * 500)
  },
)
