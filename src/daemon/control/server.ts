// The control socket, on the side of the daemon: takes a request, hands it on, writes the answer. What the verbs
// do is in daemon.ts. One rule: a client that is silent, talks nonsense or goes away costs a descriptor for ten seconds, and
// nothing else.
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { display } from '../../display.ts'
import { asPopfetchError, PopfetchError } from '../../errors.ts'
import { ForeignFile, judgePlace, obstacleOf, openDirectory, ourUid } from '../../own-file.ts'
import { reportError } from '../../poll/report.ts'
import {
  type Answers,
  type Line,
  Lines,
  parseRequest,
  type Request,
  REQUEST_LIMIT_BYTES,
  WORKING_MS,
} from './protocol.ts'

const REQUEST_LIMIT_MS = 10_000
const CONNECTIONS = 64

/** If it rejects, the error is the answer. */
export type Answering = (request: Request) => Promise<Answers[keyof Answers]>

/** Listens until it is disposed of; then the socket's file is gone. Requests that are not answered yet keep their connection, so
 *  that a client that asked for the end sees it come. */
export class ControlServer implements AsyncDisposable {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** The caller holds the daemon's lease, so a socket that is there was left by a process that was killed. Rejects with
   *  ERR_CONFIG. */
  static async listen(file: string, answer: Answering): Promise<ControlServer> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      converse(socket, answer)
    })
    server.maxConnections = CONNECTIONS
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
      await refuseForeignFolder(path.dirname(file))
      await rm(file, { force: true })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(file, resolve)
      })
      await chmod(file, 0o600)
    } catch (cause) {
      server.close()
      throw new PopfetchError(
        'ERR_CONFIG',
        `cannot make the control socket ${display(file, 200)} (${obstacleOf(cause)}): popfetch must be able to write beside its ledger`,
        { scope: 'process', retry: 'never', cause },
      )
    }
    // Later errors (too many open files) cost a connection, not the process.
    server.on('error', () => {})
    return new ControlServer(server)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    return Promise.resolve()
  }
}

/** Where others could put a socket of theirs in the place of ours, `stop` would speak to them. */
async function refuseForeignFolder(folder: string): Promise<void> {
  const rules = { uid: ourUid() }
  const { real, faults } = await judgePlace(folder, rules)
  const fault = faults[0] ?? (await openDirectory(real, rules))
  if (fault !== null) throw new ForeignFile(fault)
}

function converse(socket: Socket, answer: Answering): void {
  const incoming = new Lines(REQUEST_LIMIT_BYTES)
  let isSilent = true
  let working: NodeJS.Timeout | null = null
  const limit = setTimeout(() => socket.destroy(), REQUEST_LIMIT_MS).unref()
  const say = (line: Line): void => {
    if (socket.writable) socket.write(`${JSON.stringify(line)}\n`)
  }
  socket.setEncoding('utf8')
  // A client that went away is no failure: its request is carried out all the same.
  socket.on('error', () => {})
  socket.on('close', () => {
    clearTimeout(limit)
    if (working !== null) clearInterval(working)
  })
  const onData = (chunk: string): void => {
    isSilent = false
    const lines = incoming.take(chunk)
    if (lines?.length === 0) return
    socket.off('data', onData)
    socket.resume()
    clearTimeout(limit)
    const [line = null] = lines ?? []
    const request = line === null || line.length > REQUEST_LIMIT_BYTES ? null : parseRequest(line)
    working = setInterval(() => say({ kind: 'working' }), WORKING_MS).unref()
    const answered = request === null ? Promise.reject(notUnderstood()) : answer(request)
    const ended = answered.then(
      (value) => say({ kind: 'answer', answer: value }),
      (error: unknown) => say({ kind: 'refusal', error: reportError(asPopfetchError(error, 'process')) }),
    )
    void ended.then(() => {
      if (working !== null) clearInterval(working)
      // After `stop` the connection ends with the process: the client waits for that.
      if (request?.verb !== 'stop') socket.end()
    })
  }
  socket.on('data', onData)
  socket.on('end', () => {
    if (isSilent) socket.end()
  })
}

function notUnderstood(): PopfetchError {
  const text = 'the daemon did not understand: it may be another version: restart it'
  return new PopfetchError('ERR_USAGE', text, { scope: 'process', retry: 'never' })
}
