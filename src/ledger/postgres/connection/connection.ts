// One connection to PostgreSQL: the door to the client's library (pg). It distrusts a connection that says nothing: each statement has
// a limit, after which the socket is closed. What the library throws leaves here as Lost or Refused (server.ts).
import { Socket } from 'node:net'
import { getCACertificates } from 'node:tls'
import pg from 'pg'
import { checkServerIdentity } from '../../../server-identity.ts'
import { asFault, Lost, type Server, withoutPassword } from './server.ts'

/** What stands in a column: bytes, a number, text of our own. */
export type Cell = Buffer | number | string | boolean | null
export type Row = readonly Cell[]

export type Value = Buffer | number | string | boolean | null | readonly Buffer[] | readonly number[]

// Types of columns, by their numbers in pg_type. Anything else stays text.
const BOOLEAN = 16
const BYTEA = 17
const NUMBERS = new Set([20, 21, 23, 26, 701, 1700])

const TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((type: number) =>
    (text: string): Cell => {
      if (type === BYTEA) return Buffer.from(text.slice(2), 'hex')
      if (type === BOOLEAN) return text === 't'
      return NUMBERS.has(type) ? Number(text) : text
    }) as pg.CustomTypesConfig['getTypeParser'],
}

/** Each text is prepared once a connection, under a name of its own. */
const names = new Map<string, string>()

function nameOf(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = `popfetch${names.size}`
  names.set(text, name)
  return name
}

export class Connection {
  readonly #client: pg.Client
  readonly #socket: Socket
  readonly #ended: () => void
  #isOver = false

  private constructor(client: pg.Client, socket: Socket, ended: () => void) {
    this.#client = client
    this.#socket = socket
    this.#ended = ended
  }

  /** Rejects with Lost or Refused. `ended` is called once the connection is over, whoever ended it. */
  static async open(
    server: Server,
    { limitMs, ended, notified }: { limitMs: number; ended: () => void; notified?: (channel: string) => void },
  ): Promise<Connection> {
    const socket = new Socket()
    const client = new pg.Client({
      host: server.host,
      port: server.port,
      user: server.user,
      database: server.database,
      // Asked for where the server wants one; never that of the environment.
      password: () => passwordOf(server),
      application_name: 'popfetch',
      ssl: server.tls === null ? false : tlsOf(server.host, server.tls.ca),
      stream: () => socket,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5000,
      types: TYPES,
      pipeline: true,
    })
    const connection = new Connection(client, socket, ended)
    const over = (): void => connection.#end()
    client.on('error', over)
    client.on('end', over)
    if (notified !== undefined) client.on('notification', ({ channel }) => notified(channel))
    try {
      await connection.#limited(client.connect(), limitMs)
      return connection
    } catch (thrown) {
      connection.destroy()
      throw asFault(thrown)
    }
  }

  /** As it was told when the connection began. A pool tells a number of its own. */
  get backend(): number | null {
    return 'processID' in this.#client ? Number(this.#client.processID) : null
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Sends a statement without waiting for those before it. */
  async query(text: string, values: readonly Value[], limitMs: number): Promise<readonly Row[]> {
    if (this.#isOver) throw new Lost('the connection has ended')
    const query = { name: nameOf(text), text, values: [...values], rowMode: 'array' as const }
    try {
      const { rows } = await this.#limited(this.#client.query<Cell[]>(query), limitMs)
      return rows
    } catch (thrown) {
      throw asFault(thrown)
    }
  }

  /** One statement, without values and not prepared. */
  async ask(text: string, limitMs: number): Promise<readonly Row[]> {
    try {
      const { rows } = await this.#limited(this.#client.query<Cell[]>({ text, rowMode: 'array' }), limitMs)
      return rows
    } catch (thrown) {
      throw asFault(thrown)
    }
  }

  /** Several statements at once, in one transaction, without values. */
  async script(text: string, limitMs: number): Promise<void> {
    try {
      await this.#limited(this.#client.query(text), limitMs)
    } catch (thrown) {
      throw asFault(thrown)
    }
  }

  async #limited<T>(pending: Promise<T>, limitMs: number): Promise<T> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.destroy()
    }, limitMs)
    try {
      return await pending
    } catch (thrown) {
      if (isLate) throw new Lost('no answer', { cause: thrown })
      throw thrown
    } finally {
      clearTimeout(timer)
    }
  }

  /** Whether it keeps the program from ending. */
  keepProgram(keeps: boolean): void {
    if (keeps) this.#socket.ref()
    else this.#socket.unref()
  }

  /** Says goodbye; does not wait for an answer. */
  close(): void {
    if (this.#isOver) return
    this.#client.end().catch(() => undefined)
    // A server that is away does not keep the program.
    this.#socket.unref()
  }

  /** Ends it at once: whatever waits rejects with Lost. It is over when this returns, so that nobody who asks for a connection gets this
   *  one again. */
  destroy(): void {
    this.#socket.destroy()
    this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#ended()
  }
}

async function passwordOf({ place, password }: Server): Promise<string> {
  const found = await password()
  if (found === null) throw withoutPassword(place)
  return found
}

function tlsOf(host: string, ca: string | Buffer | null): pg.ClientConfig['ssl'] {
  return {
    ca: ca ?? [...getCACertificates('default'), ...getCACertificates('system')],
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    checkServerIdentity: (_: string, certificate: Parameters<typeof checkServerIdentity>[1]) =>
      checkServerIdentity(host, certificate),
  }
}
