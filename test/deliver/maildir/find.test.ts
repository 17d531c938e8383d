// What became of an earlier delivery: found by the name of its file, durable, and read back as it was received.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FileSystem } from '../../../src/deliver/disk/filesystem.ts'
import { census, InterruptedDeliveries } from '../../../src/deliver/maildir/find.ts'
import { foldersOf } from '../../../src/deliver/maildir/folders.ts'
import { fileName, intentOf } from '../../../src/deliver/maildir/name.ts'
import { messageKey } from '../../../src/deliver/message-key.ts'
import { EXT4, FaultyFileSystems, TMPFS } from '../../support/faulty-filesystem.ts'
import { factsOf } from '../contract-scene.ts'
import { attempt, failure, large, message, never, NOW_MS, ON_TOP, open, SMALL, spooled, spoolFor } from './scene.ts'

describe('recall', () => {
  test.each(['lf', 'crlf'] as const)(
    'finds what was delivered, wherever a reader moved it, and what had been received (%s, D020)',
    async (lineEndings) => {
      let prefix = ON_TOP
      const { maildir, root, files } = await open({ config: { lineEndings }, context: { prefix: () => prefix } })
      const received = message(Buffer.from('Subject: x\r\nMessage-ID: <2@b>\r\n\r\na\r\r\n\r\n\rb\0\r\n', 'latin1'))
      const [fresh, read] = [attempt('fresh'), attempt('read')]
      await maildir.deliver(fresh, received, never)
      await maildir.deliver(read, received, never)
      const name = files().find((each) => intentOf(each) === read.intent)!
      fs.renameSync(path.join(root, 'new', name), path.join(root, 'cur', `${name}:2,RS`))
      // The date of the field on top is another one by then.
      prefix = ON_TOP.replace('24 Nov 2026 13:10:22', '1 Dec 2026 08:00:00')
      await maildir.ready(never)
      expect(await maildir.recall(fresh, never)).toEqual({
        text: path.join(root, 'new', files()[0]!),
        received: factsOf(received),
      })
      expect(await maildir.recall(read, never)).toEqual({
        text: path.join(root, 'cur', `${name}:2,RS`),
        received: factsOf(received),
      })
    },
  )

  test('of a large message reads it in pieces', async () => {
    const { maildir, root } = await open({ context: { prefix: () => ON_TOP } })
    const tried = attempt()
    await using spool = spoolFor(maildir, root, tried)
    const text = Buffer.from(
      large()
        .toString('latin1')
        .replaceAll(/(?<!\r)\n/g, ' '),
      'latin1',
    )
    const complete = await spooled(spool, text)
    await maildir.deliver(tried, complete, never)
    expect((await maildir.recall(tried, never))?.received).toEqual(factsOf(complete))
  })

  test('does not say what was received when the file begins otherwise', async () => {
    let prefix = ON_TOP
    const { maildir } = await open({ context: { prefix: () => prefix } })
    const tried = attempt()
    await maildir.deliver(tried, message(SMALL), never)
    prefix = 'X-Other: 1\r\n'
    expect(await maildir.recall(tried, never)).toMatchObject({ received: null })
  })

  test('removes a half-written file from tmp/, and no other', async () => {
    const { maildir, root, files } = await open()
    const [cut, other] = [attempt(), attempt()]
    for (const tried of [cut, other])
      fs.writeFileSync(path.join(root, 'tmp', fileName(tried, 'laptop', NOW_MS)), 'half')
    expect(await maildir.recall(cut, never)).toBeNull()
    expect(files('tmp').map(intentOf)).toEqual([other.intent])
  })

  test('finds the file that was linked and not yet unlinked', async () => {
    const { maildir, root, files } = await open()
    const tried = attempt()
    await maildir.deliver(tried, message(SMALL), never)
    fs.linkSync(path.join(root, 'new', files()[0]!), path.join(root, 'tmp', fileName(tried, 'laptop', NOW_MS)))
    expect((await maildir.recall(tried, never))?.text).toContain('/new/')
    expect(files('tmp')).toEqual([])
  })

  test('makes what it finds durable', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir } = await open({ context: { fileSystems: faults } })
    const tried = attempt()
    await maildir.deliver(tried, message(SMALL), never)
    faults.errors.set('fsync', { errno: 'EIO', performs: false })
    expect(await failure(maildir.recall(tried, never))).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    faults.errors.clear()
    expect(await maildir.recall(tried, never)).not.toBeNull()
  })

  test('looks again after ready()', async () => {
    const { maildir } = await open()
    const tried = attempt()
    expect(await maildir.recall(tried, never)).toBeNull()
    await maildir.deliver(tried, message(SMALL), never)
    await maildir.ready(never)
    expect(await maildir.recall(tried, never)).not.toBeNull()
  })

  test('walks through the folders once for the newest 20,000 files, and again for an older one', async () => {
    const folders = foldersOf('/mail')
    const intent = (index: number): string => index.toString(16).padStart(16, '0').split('').toReversed().join('')
    let walks = 0
    const count = 50_000
    const faults = new FaultyFileSystems(TMPFS)
    const recall = new InterruptedDeliveries(
      {
        ...new Proxy(faults.of(), {}),
        open: () => 1,
        fsync: () => undefined,
        close: () => undefined,
        async *names(folder: string) {
          if (folder !== folders.cur) return
          walks += 1
          for (let index = 0; index < count; index++)
            yield [`${1_000_000 + index}.K${'0'.repeat(24)}I${intent(index)}.laptop`]
        },
      },
      folders,
    )
    for (const index of [count - 1, count - 19_999]) expect(await recall.find(intent(index))).toContain(intent(index))
    expect(await recall.find(intent(count))).toBeNull()
    // The second one found nothing more (S038).
    expect(walks).toBe(2)
    expect(await recall.find(intent(7))).toContain(intent(7))
    expect(walks).toBe(3)
  })
})

describe('a mail program that renames files while they are looked through (S038)', () => {
  const NAMES = Array.from({ length: 6 }, (_, at) => `17${at}.K${'ab'.repeat(11)}0${at}I${'cd'.repeat(7)}0${at}.laptop`)

  /** Of the files in cur/, the n-th look misses those that are renamed just then. */
  function renaming(missed: readonly (readonly number[])[]): FileSystem {
    let looks = 0
    return {
      ...new Proxy(new FaultyFileSystems(TMPFS).of(), {}),
      open: () => 1,
      fsync: () => undefined,
      close: () => undefined,
      async *names(folder: string) {
        if (folder !== foldersOf('/mail').cur) return
        const hidden = missed[looks++] ?? []
        yield NAMES.filter((_, at) => !hidden.includes(at)).map((name) => `${name}:2,${'S'.repeat(looks)}`)
      },
    }
  }

  test('hides none: looks go on until one finds nothing more', async () => {
    const recall = new InterruptedDeliveries(renaming([[0, 1, 2], [1, 2, 3], [2], []]), foldersOf('/mail'))
    for (const at of NAMES.keys()) expect(await recall.find(`${'cd'.repeat(7)}0${at}`)).not.toBeNull()
  })

  test('hides none from a census either', async () => {
    const folders = foldersOf('/mail')
    const origins = NAMES.map((_, at) => ({ ...attempt().origin, uidl: `uid-${at}` }))
    const names = origins.map((origin, at) => `17${at}.K${messageKey(origin)}I${'cd'.repeat(8)}.laptop,S=10:2,`)
    const missed = [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5], [2, 4], []]
    let look = 0
    const hiding: FileSystem = {
      ...new Proxy(new FaultyFileSystems(TMPFS).of(), {}),
      async *names(folder: string) {
        if (folder !== folders.cur) return
        const hidden = missed[look++] ?? []
        yield names.filter((_, at) => !hidden.includes(at))
      },
    }
    expect(await census(hiding, folders, origins)).not.toContain(null)
  })
})
