// The control socket, on the side of a command that asks the daemon for something.
import { createConnection, type Socket } from 'node:net'
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { isOwnSocket, ourUid } from '../../own-file.ts'
import { ANSWER_LIMIT_BYTES, type Answers, Lines, parseLine, type Requests, SILENCE_MS, type Verb } from './protocol.ts'

/** Resolves to the answer; to null when no daemon of ours listens there. The answer to `stop` comes when the process has
 *  ended. Rejects with the error that the process answered, with ERR_TIMEOUT after a minute of silence, or with the signal's
 *  reason. */
export async function askDaemon<V extends Verb>(
  file: string,
  request: Requests[V] & { readonly verb: V },
  signal: AbortSignal,
): Promise<Answers[V] | null> {
  signal.throwIfAborted()
  // One that another user has put there is no daemon of ours: mail goes on without it.
  if (!(await isOwnSocket(file, { uid: ourUid() }))) return null
  signal.throwIfAborted()
  const socket = createConnection(file)
  const onAbort = (): void => void socket.destroy(asError(signal.reason))
  signal.addEventListener('abort', onAbort, { once: true })
  socket.setTimeout(SILENCE_MS, () =>
    socket.destroy(new PopfetchError('ERR_TIMEOUT', silentText(file), { scope: 'process', retry: 'soon' })),
  )
  try {
    socket.write(`${JSON.stringify(request)}\n`)
    const answer = await answerOf(socket)
    // Its type follows from the verb that was asked.
    if (answer !== null) return answer as Answers[V]
    throw new PopfetchError('ERR_ABORTED', 'the daemon ended before it answered: see its log', {
      scope: 'process',
      retry: 'soon',
    })
  } catch (error) {
    const errno = errnoOf(error)
    // Nothing is there, or the file of a process that was killed, or no directory yet.
    if (errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ENOTDIR') return null
    if (errno === 'EPIPE' || errno === 'ECONNRESET') return null
    throw errno === null || error instanceof PopfetchError ? error : unreachable(file, errno, error)
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

/** The answer that comes before the process closes the connection; null: none came. */
async function answerOf(socket: Socket): Promise<Answers[keyof Answers] | null> {
  let answer: Answers[keyof Answers] | null = null
  const incoming = new Lines(ANSWER_LIMIT_BYTES)
  socket.setEncoding('utf8')
  try {
    for await (const chunk of socket as AsyncIterable<string>) {
      const lines = incoming.take(chunk)
      if (lines === null) throw notUnderstood()
      for (const each of lines) {
        const line = parseLine(each)
        if (line === null) throw notUnderstood()
        if (line.kind === 'refusal') throw refusalOf(line.error)
        if (line.kind === 'answer') ({ answer } = line)
      }
    }
  } catch (error) {
    // A process that ends may reset a connection on which it has answered.
    if (answer === null || error instanceof PopfetchError) throw error
  }
  return answer
}

function refusalOf({ code, message, retry }: { code: string; message: string; retry: PopfetchError['retry'] }) {
  return new PopfetchError(code as PopfetchError['code'], message, { scope: 'process', retry })
}

function notUnderstood(): PopfetchError {
  const text = 'the daemon gave an unexpected answer: it may be another version: restart it'
  return new PopfetchError('ERR_BUG', text, { scope: 'process', retry: 'never' })
}

function silentText(file: string): string {
  return `the daemon at ${display(file, 200)} has not answered for a minute: look at its log, and end it if it hangs`
}

function unreachable(file: string, errno: string, cause: unknown): PopfetchError {
  const text = `cannot speak to the daemon at ${display(file, 200)} (${errno}): it may be another user's`
  return new PopfetchError('ERR_NO_DAEMON', text, { scope: 'process', retry: 'never', cause })
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
