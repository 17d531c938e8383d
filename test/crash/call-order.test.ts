// What no kill can show, because the kernel keeps what a process wrote: that everything was synced when it counted. A
// power cut would tell (K6b, K11, K12); here the log of the system calls does.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { disorder, draftDisorder, nameDisorder, recallDisorder, relayDisorder, type Delivered } from './call-order.ts'
import { tokenOf } from './oracle.ts'
import { Scene, type Deletion, type SetUp } from './scene.ts'
import { injecting, readCalls, recording, straceMissing, type Call } from './strace.ts'

const MESSAGES = 70
const missing = straceMissing()

describe.skipIf(missing !== null)('the order of system calls', () => {
  test.each<{ setUp: SetUp; deletion: Deletion }>([
    { setUp: 'maildir', deletion: 'after-delivery' },
    { setUp: 'maildir', deletion: 'never' },
    { setUp: 'both', deletion: 'after-delivery' },
  ])(
    '$setUp, delete: $deletion: each message is synced, linked, synced, recorded and only then deleted',
    async ({ setUp, deletion }) => {
      await using scene = await Scene.create(setUp, deletion)
      scene.mail(MESSAGES, true)
      const calls = await recorded(scene)
      const delivered = deliveredTo(scene)
      expect(delivered).toHaveLength(MESSAGES)
      expect(disorder(calls, delivered, places(scene), deletion === 'after-delivery')).toEqual([])
      const { maildir, statePath } = scene
      const names = [maildir, `${maildir}/tmp`, `${maildir}/new`, `${maildir}/cur`, path.dirname(statePath), statePath]
      expect(nameDisorder(calls, names)).toEqual([])
      expect(draftDisorder(calls, statePath)).toEqual([])
      expect(await scene.settle()).toEqual([])
    },
  )

  test('what is found in the Maildir after a crash is synced before it is recorded', async () => {
    await using scene = await Scene.create('maildir', 'after-delivery')
    scene.mail(5)
    const { killed } = await scene.run({ tracer: injecting('fsync', 'signal=KILL', '1', `${scene.maildir}/new`) })
    expect(killed).toBe(true)
    const files = deliveredTo(scene).map(({ file }) => file)
    // As many as came together.
    expect(files.length).toBeGreaterThan(0)
    expect(recallDisorder(await recorded(scene), files, places(scene))).toEqual([])
    expect(await scene.settle()).toEqual([])
  })

  test('the answer of a mail server is recorded before DELE', async () => {
    await using scene = await Scene.create('smtp', 'after-delivery')
    scene.mail(5)
    expect(relayDisorder(await recorded(scene), places(scene))).toEqual([])
    expect(await scene.settle()).toEqual([])
  })
})

async function recorded(scene: Scene): Promise<readonly Call[]> {
  const log = path.join(scene.directory, 'calls')
  const { code } = await scene.run({ tracer: recording(log, { strings: 9000, reads: true }) })
  expect(code).toBe(0)
  return readCalls(readFileSync(log, 'latin1'))
}

/** Nothing is deleted before QUIT: numbers are places in the order in which mail came. */
function deliveredTo(scene: Scene): readonly Delivered[] {
  return readdirSync(`${scene.maildir}/new`).map((file) => ({
    file,
    number: tokenOf(readFileSync(`${scene.maildir}/new/${file}`)) ?? 0,
  }))
}

function places(scene: Scene) {
  return { maildir: scene.maildir, log: `${scene.statePath}-wal` }
}
