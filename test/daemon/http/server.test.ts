import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import { anyPort, get, ledger, plan, watched } from './scene.ts'

test('all is well unless an account is overdue; nothing else is served, and nothing by another method', async () => {
  await using server = await HttpServer.listen(anyPort, watched)
  expect(await get(server.port, '/healthz')).toEqual({ status: 200, text: 'ok\n' })
  const late = plan.map((planned) => ({ ...planned, overdue: planned.account === 'work' }))
  await using other = await HttpServer.listen(anyPort, { ledger, plan: late })
  expect(await get(other.port, '/healthz')).toEqual({ status: 503, text: 'overdue: work\n' })
  expect((await get(other.port, '/')).status).toBe(404)
  expect((await get(other.port, '/metrics', 'POST')).status).toBe(404)
})

test('an address that is taken is told', async () => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(HttpServer.listen({ host: '127.0.0.1', port }, watched)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining('EADDRINUSE'),
  })
  taken.close()
})
