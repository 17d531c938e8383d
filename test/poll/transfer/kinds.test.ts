// A command and an mbox at the end of a whole poll: what comes where, and what the ledger makes of their answers.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Scene } from '../scene.ts'

describe('an mbox', () => {
  test('gets each message once, with the label, the trace and the message; the server is rid of them', async () => {
    await using scene = await Scene.create()
    scene.destinations = ['inbox: { type: mbox, path: "mail-{account}", label: true }']
    scene.account = ['delete: after-delivery']
    scene.fill(120)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 120, delivered: 120, deleted: 120 })
    const text = readFileSync(scene.path('mail-old-isp'), 'latin1')
    const fields =
      /^Received: [^\n]*\n\t[^\n]*\nX-Popfetch-Account: old-isp\nX-Popfetch-Delivery: [0-9a-f]{16} \d+ [0-9a-f]{24}\nFrom: Ada/
    const found = `\n${text}`.split(/\nFrom [^\n]*\n/).slice(1)
    expect(found.filter((one) => fields.test(one))).toHaveLength(120)
    expect(new Set(text.match(/^Subject: letter \d+$/gm)).size).toBe(120)
    expect(await scene.poll()).toMatchObject({ listed: 0, delivered: 0 })
  })

  test('that is no file fails the account with a destination error, before anything is fetched', async () => {
    await using scene = await Scene.create()
    scene.destinations = ['inbox: { type: mbox, path: pipe }']
    execFileSync('mkfifo', [scene.path('pipe')])
    scene.fill(2)
    expect(await scene.poll()).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_DELIVERY', message: expect.stringContaining('pipe is not a regular file') },
    })
    expect(scene.count('RETR')).toBe(0)
  })
})

describe('a command', () => {
  const counting = (then: string): string => `inbox: { type: command, run: [sh, -c, "cat >> seen; ${then}"] }`
  async function scripted(then: string): Promise<Scene> {
    const scene = await Scene.create()
    scene.destinations = [counting(then).replaceAll('seen', scene.path('seen')).replaceAll('FLAG', scene.path('flag'))]
    return scene
  }

  test('that exits with 0 has taken the message, with the fields on top', async () => {
    await using scene = await scripted('exit 0')
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3 })
    const seen = readFileSync(scene.path('seen'), 'latin1')
    expect(seen.match(/^Subject: letter \d$/gm)?.sort()).toEqual([
      'Subject: letter 0',
      'Subject: letter 1',
      'Subject: letter 2',
    ])
    expect(seen.match(/^Received: from .* by .* with POP3\b/gm)).toHaveLength(3)
  })

  test('that exits with 75 is asked again at the next poll', async () => {
    await using scene = await scripted('[ -e FLAG ] || exit 75')
    scene.account = ['delete: after-delivery']
    scene.fill(1)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', deferred: 1, deleted: 0 })
    writeFileSync(scene.path('flag'), '')
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, deleted: 1, possibleDuplicates: 0 })
  })

  test('that refuses a message is not asked again so soon, and the server keeps it', async () => {
    await using scene = await scripted('exit 67')
    scene.account = ['delete: after-delivery']
    scene.fill(1)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', refused: 1, deleted: 0 })
    expect(await scene.poll()).toMatchObject({ delivered: 0, refused: 0 })
    expect(scene.count('RETR')).toBe(1)
    expect(scene.left()).toEqual(['uid-0'])
  })

  test('that is ended by a signal may have delivered: the next copy is told of, after three the message is held', async () => {
    await using scene = await scripted('[ -e FLAG ] || kill -KILL $$')
    scene.fill(1)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', deferred: 1 })
    writeFileSync(scene.path('flag'), '')
    expect(await scene.poll()).toMatchObject({ delivered: 1, possibleDuplicates: 1 })

    await using stubborn = await scripted('kill -KILL $$')
    stubborn.fill(1)
    for (const _ of [1, 2, 3]) await stubborn.poll()
    expect(await stubborn.poll()).toMatchObject({ delivered: 0 })
    expect(stubborn.count('RETR')).toBe(3)
    expect(existsSync(stubborn.path('seen'))).toBe(true)
  })
})
