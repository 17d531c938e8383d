import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../ledger/scene.ts'

const HELD = pathToFileURL(join(import.meta.dirname, '../../src/cli/held-program.ts')).href

/** What a program prints whose modules are deleted while it runs. */
async function program(hold: string): Promise<string> {
  const folder = await temporaryDirectory()
  await mkdir(join(folder, 'chunks'))
  const modules = {
    'chunks/early.js': `export const early = 'early'; export const late = () => import('./late.js')`,
    'chunks/late.js': `import { early } from './early.js'; import { last } from './last.js'; export const both = early + ' ' + last`,
    'chunks/last.js': `export const last = 'last'`,
    'start.js': `
      import { rmSync } from 'node:fs'
      import { holdProgram } from ${JSON.stringify(HELD)}
      const { late } = await import('./chunks/early.js')
      ${hold}
      rmSync(new URL('./chunks', import.meta.url), { recursive: true })
      console.log(await late().then(({ both }) => both, ({ code }) => code))
      console.log(await import('./chunks/none.js').catch(({ code }) => code))`,
    'package.json': '{"type":"module"}',
  }
  for (const [name, text] of Object.entries(modules)) await writeFile(join(folder, name), text)
  return (await promisify(execFile)(process.execPath, [join(folder, 'start.js')])).stdout
}

test('a process that holds its program loads modules after their files are gone', async () => {
  const own = `new URL('./chunks/early.js', import.meta.url).href`
  expect(await program(`holdProgram(${own}); holdProgram(${own})`)).toBe('early last\nERR_MODULE_NOT_FOUND\n')
})

test('one that does not cannot, and sources of a checkout are not held', async () => {
  expect(await program('')).toBe('ERR_MODULE_NOT_FOUND\nERR_MODULE_NOT_FOUND\n')
  expect(await program('holdProgram()')).toBe('ERR_MODULE_NOT_FOUND\nERR_MODULE_NOT_FOUND\n')
})

test('what is run as a script is run at once, while its file is there', async () => {
  const folder = await temporaryDirectory()
  await mkdir(join(folder, 'chunks'))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  const config = await readFile(join(import.meta.dirname, '../../.rolldown.config.js'), 'utf8')
  const scripted = /^const scripted = \[(.+)\]$/m.exec(config)?.[1]?.match(/[\w-]+/g) ?? []
  const names = scripted.map((name) => `${name}-abcdefgh.js`)
  for (const name of [...names, 'other-abcdefgh.js'])
    await writeFile(join(folder, 'chunks', name), 'throw new Error("loaded")')
  const text = `
    import { holdProgram } from ${JSON.stringify(HELD)}
    globalThis[Symbol.for('popfetch.chunk')] = (url) => console.log(url.split('/').at(-1))
    holdProgram(new URL('./chunks/x.js', import.meta.url).href)`
  await writeFile(join(folder, 'start.js'), text)
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'start.js')])
  expect(names).not.toEqual([])
  expect(stdout.trimEnd().split('\n').toSorted()).toEqual(names.toSorted())
})
