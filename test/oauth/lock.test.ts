// One renewal at a time, whoever asks: callers of one process, and other processes beside them.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { request, signedIn, DAY_MS } from './scene.ts'

/** Another process that asks for a token; resolves with its failure when it has ended. */
function another(folder: string, issuer: string): Promise<Error | null> {
  const words = [join(import.meta.dirname, 'killed.ts'), folder, issuer, 'never']
  return new Promise((resolve) => void execFile(process.execPath, words, (error) => resolve(error)))
}

test('a second caller of the process that renews takes nothing from it: another process waits', async () => {
  await using all = await signedIn()
  const { scene, server, requests } = all
  scene.aheadMs = DAY_MS
  const held = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  server.hold = (path) => {
    if (path !== '/token') return Promise.resolve()
    arrived.resolve()
    return held.promise
  }
  const first = scene.signIns().tokenFor(request())
  await arrived.promise
  const second = scene.signIns().tokenFor(request())
  // It ends by itself only when it waited for us, or asked the provider.
  const other = another(scene.folder, server.issuer)
  let isOver = false
  void other.finally(() => (isOver = true))
  const started = performance.now()
  while (requests() < 2 && !isOver && performance.now() - started < 3000)
    await new Promise((resolve) => void setTimeout(resolve, 20))
  expect(requests()).toBe(1)
  held.resolve()
  expect(await other).toBeNull()
  expect((await second).token).toBe((await first).token)
  expect(requests()).toBe(1)
})
