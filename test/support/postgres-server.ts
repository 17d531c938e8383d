// A PostgreSQL server of a test: Debian's, with a database in a folder of its own, on a socket there. It refuses to run as root, so
// root starts it as the user that Debian made for it.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Server } from '../../src/ledger/postgres/connection/server.ts'

export const USER = 'popfetch'

const VERSIONS = '/usr/lib/postgresql'

/** Of the newest that is installed, unless POSTGRES_BIN names the folder of another one's programs. */
function programs(): string {
  const named = process.env['POSTGRES_BIN'] ?? ''
  if (named !== '') return named
  const newest = existsSync(VERSIONS)
    ? readdirSync(VERSIONS)
        .toSorted((a, b) => Number(a) - Number(b))
        .at(-1)
    : undefined
  if (newest === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql')
  return join(VERSIONS, newest, 'bin')
}

/** Whom it runs as; {}: as ourselves. */
function owner(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const id = (what: string): number => Number(spawnSync('id', [what, 'postgres'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

export interface PostgresSettings {
  /** Its commits survive a power cut; false: tests that only look at what is recorded are three times as fast. */
  readonly durable?: boolean
  /** Lines of postgresql.conf. */
  readonly settings?: readonly string[]
  /** Lines of pg_hba.conf, instead of trust on the socket. */
  readonly access?: readonly string[]
  /** A TCP port of this machine as well; 0: none. */
  readonly port?: number
  /** It speaks TLS there. */
  readonly certificate?: { readonly certificate: string; readonly key: string }
}

export class PostgresServer {
  readonly folder: string
  readonly port: number
  #running: ChildProcess | null = null

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.port = port
  }

  static async start({
    durable = false,
    settings = [],
    access,
    port = 0,
    certificate,
  }: PostgresSettings = {}): Promise<PostgresServer> {
    // Short: the path of a socket has a limit of 107 bytes.
    const folder = mkdtempSync(join(tmpdir(), 'popfetch-pg-'))
    const { uid, gid } = owner()
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid)
    const made = spawnSync(
      join(programs(), 'initdb'),
      ['-D', join(folder, 'data'), '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'],
      { ...owner(), cwd: folder, encoding: 'utf8' },
    )
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`)
    const own = [
      `unix_socket_directories = '${folder}'`,
      `listen_addresses = '${port === 0 ? '' : '127.0.0.1'}'`,
      `port = ${port === 0 ? 5432 : port}`,
      `fsync = ${durable ? 'on' : 'off'}`,
      'max_connections = 200',
      'shared_buffers = 64MB',
      'log_min_error_statement = panic',
    ]
    if (certificate !== undefined) {
      for (const [name, text] of [
        ['server.crt', certificate.certificate],
        ['server.key', certificate.key],
      ] as const) {
        const file = join(folder, 'data', name)
        writeFileSync(file, text, { mode: 0o600 })
        if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid)
      }
      own.push('ssl = on')
    }
    const config = join(folder, 'data', 'postgresql.auto.conf')
    writeFileSync(config, [...own, ...settings, ''].join('\n'))
    if (access !== undefined) writeFileSync(join(folder, 'data', 'pg_hba.conf'), [...access, ''].join('\n'))
    const server = new PostgresServer(folder, port === 0 ? 5432 : port)
    await server.run()
    return server
  }

  /** One that somebody else started, on its socket. */
  static at(folder: string): PostgresServer {
    return new PostgresServer(folder, 5432)
  }

  /** Runs it again after `stop`. Resolves once it takes connections. */
  async run(): Promise<void> {
    const running = spawn(join(programs(), 'postgres'), ['-D', join(this.folder, 'data')], {
      ...owner(),
      cwd: this.folder,
      stdio: ['ignore', 'ignore', process.env['POPFETCH_KEEP_SCENE'] === undefined ? 'ignore' : 'inherit'],
    })
    this.#running = running
    while (!(await this.#takes())) {
      if (running.exitCode !== null) throw new Error('postgres ended')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async #takes(): Promise<boolean> {
    const asked = spawnSync(
      join(programs(), 'pg_isready'),
      ['-q', '-h', this.folder, '-p', String(this.port), '-U', USER, '-d', 'postgres'],
      owner(),
    )
    return asked.status === 0
  }

  /** `fast`: as `pg_ctl stop`. `immediate`: as a crash of the server. */
  async stop(how: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const running = this.#running
    this.#running = null
    if (running === null || running.exitCode !== null) return
    running.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await once(running, 'exit')
  }

  /** What psql prints, without headings. */
  sql(statement: string, { database = 'postgres', user = USER } = {}): string {
    const args = [
      '-h',
      this.folder,
      '-p',
      String(this.port),
      '-U',
      user,
      '-d',
      database,
      '-X',
      '-A',
      '-t',
      '-q',
      '-v',
      'ON_ERROR_STOP=1',
      '-c',
      statement,
    ]
    const asked = spawnSync(join(programs(), 'psql'), args, { ...owner(), cwd: this.folder, encoding: 'utf8' })
    if (asked.status !== 0) throw new Error(asked.stderr)
    return asked.stdout.trim()
  }

  /** Runs another of its programs. */
  tools(): (name: string, ...args: readonly string[]) => string {
    return (name, ...args) => {
      const ran = spawnSync(join(programs(), name), args, { encoding: 'utf8' })
      if (ran.status !== 0) throw new Error(ran.stderr)
      return ran.stdout
    }
  }

  /** Its database as a ledger's server. */
  server(schema: string, more: Partial<Server> = {}): Server {
    return {
      place: `postgres://${USER}@/postgres?host=${this.folder}&schema=${schema}`,
      host: this.folder,
      port: this.port,
      user: USER,
      database: 'postgres',
      schema,
      password: () => Promise.resolve(null),
      tls: null,
      ...more,
    }
  }

  /** What the configuration has: a socket URL as libpq writes it. */
  url(database = 'postgres', user = USER): string {
    return `postgres://${user}@/${database}?host=${encodeURIComponent(this.folder)}&port=${this.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('immediate')
    rmSync(this.folder, { recursive: true, force: true })
  }
}
