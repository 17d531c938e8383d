// With POPFETCH_KEEP_SCENE=1 the temporary folders of a test that fails are kept, and named in the output. Tests make and
// remove such folders in their own ways. So what is caught here is their removal, which is put off until the test is over.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach } from 'vitest'

declare global {
  /** The functions of node:fs as they were: this file is run once for each file of tests, also in one process. */
  var unchanged: { readonly rmSync: typeof fs.rmSync; readonly rm: typeof fs.promises.rm } | undefined
}
globalThis.unchanged ??= { rmSync: fs.rmSync, rm: fs.promises.rm }
const { rmSync, rm } = globalThis.unchanged
/** Folders whose removal was asked for since the last test ended. */
const removed = new Set<string>()

if (process.env['POPFETCH_KEEP_SCENE'] === '1') {
  fs.rmSync = (place, options) => {
    if (!isScene(place)) rmSync(place, options)
  }
  fs.promises.rm = async (place, options) => {
    if (!isScene(place)) await rm(place, options)
  }
  // Those who imported the functions by name have these now.
  syncBuiltinESMExports()
  afterEach(({ task }) => {
    const hasFailed = (task.result?.errors?.length ?? 0) > 0
    for (const folder of removed) {
      if (hasFailed) console.log(`kept of "${task.name}": ${folder}`)
      else rmSync(folder, { recursive: true, force: true })
    }
    removed.clear()
  })
}

/** Whether it is a folder that a test made for itself; then it is remembered, and not to be removed yet. */
function isScene(place: fs.PathLike): boolean {
  const folder = path.resolve(String(place))
  if (path.dirname(folder) !== tmpdir() || !path.basename(folder).startsWith('popfetch-')) return false
  removed.add(folder)
  return true
}
