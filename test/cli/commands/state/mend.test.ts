// `popfetch state check` and `repair` as people run them, on ledgers that real polls have written and a disk has damaged.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Scene } from '../../scene.ts'

const PAGE = 4096
const delivered = (scene: Scene): number => readdirSync(scene.path('Mail', 'new')).length

function damage(scene: Scene, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(scene.path('state.db'), change(readFileSync(scene.path('state.db'))))
}

describe('a ledger with three messages', () => {
  async function polled(): Promise<Scene> {
    const scene = await Scene.start()
    scene.fill('a', 'b', 'c')
    await scene.popfetch()
    return scene
  }

  test('is sound; nothing is repaired', async () => {
    await using scene = await polled()
    expect(await scene.answered('state', 'check')).toMatch(
      /^the ledger \S+state\.db is sound: 3 messages of 1 account\n$/,
    )
    expect(JSON.parse(await scene.answered('state', 'check', '--json'))).toMatchObject({
      ok: true,
      messages: 3,
      faults: [],
    })
    expect(await scene.answered('state', 'repair')).toBe('the ledger is sound: nothing to repair\n')
  })

  test('whose first page is gone is found damaged (74) and repaired whole; nothing comes twice', async () => {
    await using scene = await polled()
    damage(scene, (bytes) => bytes.fill(0, 0, PAGE))
    const { code, stderr } = await scene.popfetch('state', 'check')
    expect([code, stderr]).toEqual([74, expect.stringContaining('state repair')])
    expect(await scene.answered('state', 'repair')).toMatch(
      /^the ledger \S+ was repaired: 3 messages of 1 account are known; the damaged file is \S+state\.db\.before-repair-\S+\nmessages count as first seen now: .+\n$/,
    )
    expect(await scene.popfetch()).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(delivered(scene)).toBe(3)
  })

  test('whose rows of messages are gone: what is missing is named, and found again in the Maildir', async () => {
    await using scene = await polled()
    damage(scene, (bytes) => {
      for (let at = 0; at < bytes.length; at += PAGE) {
        const page = bytes.subarray(at, at + PAGE)
        // The only leaf of a table with three rows.
        if (page[0] === 13 && page.readUInt16BE(3) === 3) page.fill(0)
      }
      return bytes
    })
    const { code, stdout } = await scene.popfetch('state', 'check')
    expect([code, stdout]).toEqual([
      74,
      expect.stringMatching(/is damaged: popfetch stop, then popfetch state repair saves what can be read/),
    ])
    expect(await scene.answered('state', 'repair')).toMatch(/^work: 3 messages missing, with the UIDLs a, b, c$/m)
    expect(await scene.popfetch()).toMatchObject({ code: 0 })
    expect(delivered(scene)).toBe(3)
  })

  test('of which nothing is left cannot be repaired (74), and stays as it is', async () => {
    await using scene = await polled()
    damage(scene, (bytes) => bytes.fill(0))
    const { code, stderr } = await scene.popfetch('state', 'repair')
    expect([code, stderr]).toEqual([
      74,
      expect.stringContaining('nothing in it can be read any more: nothing was changed'),
    ])
  })
})
