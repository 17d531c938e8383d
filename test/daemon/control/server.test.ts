// The control socket: who may speak, what becomes of those who talk nonsense.
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askDaemon } from '../../../src/daemon/control/client.ts'
import { ControlServer, type Answering } from '../../../src/daemon/control/server.ts'
import { configurationMark, parseLine, parseRequest, socketPath } from '../../../src/daemon/control/protocol.ts'
import { PopfetchError } from '../../../src/errors.ts'

const never = new AbortController().signal

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'popfetch-control-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const socket = (): string => join(directory, 'state.db.socket')
const listen = (answer: Answering = () => Promise.resolve({ changes: ['one'] })) =>
  ControlServer.listen(socket(), answer)

/** What is answered to these bytes. */
async function said(bytes: string): Promise<unknown> {
  const connection = createConnection(socket())
  connection.write(bytes)
  const answer = (await text(connection)).trim()
  return answer === '' ? null : JSON.parse(answer)
}

describe('the socket', () => {
  test('answers, is private, and is gone at the end', async () => {
    {
      await using _control = await listen()
      expect(await askDaemon(socket(), { verb: 'reload', yes: false }, never)).toEqual({ changes: ['one'] })
      expect(statSync(socket()).mode & 0o777).toBe(0o600)
    }
    expect(existsSync(socket())).toBe(false)
    expect(await askDaemon(socket(), { verb: 'reload', yes: false }, never)).toBeNull()
  })

  test('takes the place of one that a killed process has left, or of a link somebody put there', async () => {
    writeFileSync(join(directory, 'precious'), 'mine')
    symlinkSync(join(directory, 'precious'), socket())
    await using _control = await listen()
    expect(await askDaemon(socket(), { verb: 'reload', yes: false }, never)).toEqual({ changes: ['one'] })
    expect(statSync(join(directory, 'precious')).size).toBe(4)
  })

  test('that cannot be made is an error that says where', async () => {
    writeFileSync(join(directory, 'file'), '')
    const wrong = join(directory, 'file', 'state.db.socket')
    await expect(ControlServer.listen(wrong, () => Promise.reject(new Error()))).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('cannot make the control socket'),
    })
  })

  test.each([
    ['nonsense', 'hello\n'],
    ['another version', '{"verb":"dance"}\n'],
    ['a wake without its particulars', '{"verb":"wake","accounts":"all"}\n'],
    ['a line without end', 'x'.repeat(3 * 1024 * 1024)],
  ])('refuses %s, and goes on', async (_what, bytes) => {
    await using _control = await listen()
    expect(await said(bytes)).toMatchObject({ kind: 'refusal', error: { code: 'ERR_USAGE' } })
    expect(await askDaemon(socket(), { verb: 'reload', yes: false }, never)).toEqual({ changes: ['one'] })
  })

  test('does not mind who goes away without a word, or before the answer', async () => {
    const answered = Promise.withResolvers<{ changes: string[] }>()
    const asked = Promise.withResolvers<void>()
    await using _control = await listen(() => {
      asked.resolve()
      return answered.promise
    })
    createConnection(socket()).end()
    createConnection(socket()).destroy()
    const gone = createConnection(socket())
    gone.write('{"verb":"reload"}\n')
    await asked.promise
    gone.destroy()
    answered.resolve({ changes: [] })
    expect(await askDaemon(socket(), { verb: 'reload', yes: false }, never)).toEqual({ changes: [] })
  })

  test('passes on why something was refused', async () => {
    const refused = new PopfetchError('ERR_CONFIG', 'line 3 is wrong', { scope: 'process', retry: 'never' })
    await using _control = await listen(() => Promise.reject(refused))
    await expect(askDaemon(socket(), { verb: 'reload', yes: false }, never)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: 'line 3 is wrong',
    })
  })
})

describe('whoever asks', () => {
  test('is told that there is none when nothing listens there any more', async () => {
    const server = createServer()
    server.listen(socket())
    await once(server, 'listening')
    const other = join(directory, 'left')
    // The file of a socket whose process was killed.
    const { linkSync } = await import('node:fs')
    linkSync(socket(), other)
    server.close()
    expect(await askDaemon(other, { verb: 'stop' }, never)).toBeNull()
  })

  test('is not kept from ending by one that does not answer', async () => {
    await using _control = await listen(() => new Promise(() => {}))
    const controller = new AbortController()
    const asked = askDaemon(socket(), { verb: 'status' }, controller.signal)
    controller.abort(new PopfetchError('ERR_ABORTED', 'stopped by SIGINT', { scope: 'process', retry: 'soon' }))
    await expect(asked).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  })

  test.each([
    ['nothing', '', 'ERR_ABORTED'],
    ['something else', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'ERR_BUG'],
  ])('of one that answers %s is told so', async (_what, bytes, code) => {
    const server = createServer((connection) => {
      connection.once('data', () => connection.end(bytes))
    })
    server.listen(socket())
    await once(server, 'listening')
    await expect(askDaemon(socket(), { verb: 'status' }, never)).rejects.toMatchObject({ code })
    server.close()
  })

  test.skipIf(process.getuid?.() === 0)('may not ask one that is closed', async () => {
    await using _control = await listen()
    chmodSync(socket(), 0)
    await expect(askDaemon(socket(), { verb: 'status' }, never)).rejects.toMatchObject({ code: 'ERR_NO_DAEMON' })
  })

  test.runIf(process.getuid?.() === 0)('takes another user’s for none [needs root]', async () => {
    await using _control = await listen()
    chownSync(socket(), 65_534, 65_534)
    expect(await askDaemon(socket(), { verb: 'status' }, never)).toBeNull()
  })

  test('takes one in a directory that anybody can write for none, and none is made there', async () => {
    {
      await using _control = await listen()
      chmodSync(directory, 0o777)
      expect(await askDaemon(socket(), { verb: 'status' }, never)).toBeNull()
    }
    await expect(listen()).rejects.toMatchObject({ code: 'ERR_CONFIG', message: expect.stringContaining('chmod go-w') })
    expect(existsSync(socket())).toBe(false)
  })
})

test('lines are understood, or not', () => {
  expect(parseRequest('{"verb":"stop"}')).toEqual({ verb: 'stop' })
  const wake = { verb: 'wake', accounts: ['a'], eager: true, wait: false, mark: null } as const
  expect(parseRequest(JSON.stringify(wake))).toEqual(wake)
  expect(parseRequest('null')).toBeNull()
  expect(parseLine('{"kind":"working"}')).toEqual({ kind: 'working' })
  expect(parseLine('{"kind":"answer"}')).toBeNull()
  expect(parseLine('')).toBeNull()
})

test('the socket of a ledger is the same by whichever name, and one that is not there yet has one too', async () => {
  writeFileSync(join(directory, 'state.db'), '')
  symlinkSync(join(directory, 'state.db'), join(directory, 'link.db'))
  expect(await socketPath(join(directory, 'link.db'), {})).toBe(socket())
  expect(await socketPath(join(directory, 'new.db'), {})).toBe(join(directory, 'new.db.socket'))
  expect(await socketPath(join(directory, 'no', 'new.db'), {})).toBe(join(directory, 'no', 'new.db.socket'))
})

test('a file that was changed has another mark', async () => {
  const file = join(directory, 'config.yaml')
  writeFileSync(file, 'a')
  const before = await configurationMark([file])
  expect(await configurationMark([file])).toBe(before)
  rmSync(file)
  writeFileSync(file, 'ab')
  expect(await configurationMark([file])).not.toBe(before)
})
