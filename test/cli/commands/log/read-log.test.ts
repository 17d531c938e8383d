import { appendFile, mkdtemp, open, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FollowedLog, linesBackwards, openRegular } from '../../../../src/cli/commands/log/read-log.ts'

let file: string
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'popfetch-read-log-')), 'log')
})
afterEach(() => rm(join(file, '..'), { recursive: true }))

async function backwards(text: string | Buffer): Promise<string[]> {
  await writeFile(file, text)
  await using handle = await open(file)
  return await Array.fromAsync(linesBackwards(handle, (await handle.stat()).size))
}

describe('the lines from the end', () => {
  test.each([
    ['nothing', '', []],
    ['an empty line', '\n', []],
    ['one', 'a\n', ['a']],
    ['a last one without an end', 'a\nb', ['b', 'a']],
    ['empty ones between', 'a\n\n\nb\n', ['b', 'a']],
  ])('of %s', async (_, text, lines) => {
    expect(await backwards(text)).toEqual(lines)
  })

  test.each([65_535, 65_536, 65_537, 131_072, 200_000])(
    'are whole where a piece of %i bytes ends in one',
    async (bytes) => {
      const lines = Array.from({ length: Math.ceil(bytes / 50) }, (_, at) => `${at} ${'é'.repeat(20)}`)
      expect(await backwards(`${lines.join('\n')}\n`)).toEqual(lines.toReversed())
    },
  )

  test('are cut to their end where they are endless', async () => {
    const [last, first, ...more] = await backwards(`${'x'.repeat(1_000_000)}end\nlast\n`)
    expect([last, first?.length, first?.slice(-4), more]).toEqual(['last', 65_536, 'xend', []])
  })
})

describe('a log that is followed', () => {
  async function followed(): Promise<FollowedLog> {
    await writeFile(file, 'old\n')
    const handle = await openRegular(file)
    if (handle === null) throw new Error('no file')
    return new FollowedLog(file, handle, 4)
  }

  test('gives what comes, each line once it is complete', async () => {
    await using log = await followed()
    expect(await log.more()).toEqual([])
    await appendFile(file, 'one\ntw')
    expect(await log.more()).toEqual(['one'])
    await appendFile(file, 'o\n')
    expect(await log.more()).toEqual(['two'])
  })

  test('loses nothing where the file is renamed and begun again', async () => {
    await using log = await followed()
    await appendFile(file, 'before\n')
    await rename(file, `${file}.1`)
    await writeFile(file, 'after\n')
    expect(await log.more()).toEqual(['before', 'after'])
    await appendFile(file, 'later\n')
    expect(await log.more()).toEqual(['later'])
  })

  test('goes on where the file was cut, and while there is none', async () => {
    await using log = await followed()
    await truncate(file)
    await appendFile(file, 'a\n')
    expect(await log.more()).toEqual(['a'])
    await rename(file, `${file}.1`)
    expect(await log.more()).toEqual([])
    await writeFile(file, 'b\n')
    expect(await log.more()).toEqual(['b'])
  })
})
