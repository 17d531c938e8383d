// A thousand accounts polled once by one process: what that takes in memory. No peer takes part, and the server is a thread of this
// process, as plain as can be.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { alone, type Contender } from './contender.ts'
import { startIdleServer } from './foreground.ts'
import { measure, type Usage } from './measure.ts'
import { popfetchCommand } from './peers.ts'

const ACCOUNTS = 1_000
const MESSAGES = 2
const TIMEOUT_MS = 120_000

export interface Accounts extends AsyncDisposable {
  readonly contender: Contender
}

/** `parent`: where its directory is made. */
export async function startAccounts(parent: string): Promise<Accounts> {
  const server = await startIdleServer(MESSAGES)
  const directory = await mkdtemp(join(parent, 'accounts-'))
  const run = join(directory, 'run')
  const config = join(directory, 'config.json')
  const keys = {
    host: '127.0.0.1',
    port: server.port,
    tls: 'none',
    password: 'b',
    first: 'all',
    deliver: 'inbox',
  }
  const accounts = Object.fromEntries(
    Array.from({ length: ACCOUNTS }, (_, at) => [`a${at}`, { ...keys, user: `a${at}` }]),
  )
  const destinations = { inbox: { type: 'maildir', path: join(run, '{account}') } }
  await writeFile(config, JSON.stringify({ accounts, destinations }), { mode: 0o600 })
  const command = popfetchCommand(directory, '--json', '--config', config, '--state', join(run, 'state.db'))
  const poll = async (): Promise<Usage> => {
    await mkdir(run)
    const usage = await measure(command, TIMEOUT_MS)
    await rm(run, { recursive: true })
    return usage
  }
  return {
    contender: alone(poll),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
