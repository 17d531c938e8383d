// The connection to a database that is away. The server here is none: it ends each connection, or says nothing.
import { createServer, type AddressInfo } from 'node:net'
import { onTestFinished, expect, test } from 'vitest'
import { Line } from '../../../src/ledger/postgres/connection/line.ts'

interface Absent {
  readonly line: Line
  /** Connections so far. */
  readonly asked: () => number
  silent: boolean
}

async function absent(): Promise<Absent> {
  let asked = 0
  const server = createServer((socket) => {
    asked += 1
    socket.on('error', () => {})
    if (!scene.silent) socket.destroy()
    else onTestFinished(() => void socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const place = { place: `postgres://127.0.0.1:${port}/db`, host: '127.0.0.1', port, user: 'u', database: 'db' }
  const password = (): Promise<null> => Promise.resolve(null)
  const line = new Line({ ...place, schema: 's', password, tls: null }, { awayMs: 200 })
  onTestFinished(() => {
    line.close()
    server.close()
  })
  const scene: Absent = { line, asked: () => asked, silent: false }
  return scene
}

const away = { code: 'ERR_LEDGER', message: expect.stringContaining('the database is away') }

test('is waited for once: whoever comes later asks once, and learns it at once', async () => {
  const { line, asked } = await absent()
  await expect(line.query('SELECT 1', [])).rejects.toMatchObject(away)
  const before = asked()
  expect(before).toBeGreaterThan(1)
  for (let nth = 0; nth < 30; nth++) await expect(line.query('SELECT 1', [])).rejects.toMatchObject(away)
  expect(asked() - before).toBeLessThanOrEqual(30)
})

test('that says nothing is waited for by the one that asks whether it is back: all others learn at once that it is not', async () => {
  const scene = await absent()
  scene.silent = true
  await expect(scene.line.query('SELECT 1', [])).rejects.toMatchObject(away)
  let isAsking = true
  const first = scene.line.query('SELECT 1', []).finally(() => (isAsking = false))
  first.catch(() => {})
  const before = scene.asked()
  const others = await Promise.allSettled(Array.from({ length: 3000 }, () => scene.line.query('SELECT 1', [])))
  expect(isAsking).toBe(true)
  expect(others.every(({ status }) => status === 'rejected')).toBe(true)
  expect(() => scene.line.refuseAway()).toThrow('the database is away')
  await expect(first).rejects.toMatchObject(away)
  expect(scene.asked() - before).toBeLessThanOrEqual(1)
})

test('is waited for all the same by what must be recorded', async () => {
  const { line, asked } = await absent()
  await expect(line.query('SELECT 1', [])).rejects.toMatchObject(away)
  const before = asked()
  await expect(line.query('SELECT 1', [], { patient: true })).rejects.toMatchObject(away)
  expect(asked() - before).toBeGreaterThan(1)
})
