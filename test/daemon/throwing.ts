// A daemon in which the work of one account throws where nothing catches it. Run by uncaught.test.ts; what becomes
// of it is on standard output.
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { loadConfiguration } from '../../src/config/load.ts'
import { Daemon } from '../../src/daemon/daemon.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { Pop3Server } from '../support/pop3-server.ts'

const directory = process.argv[2] ?? ''
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const server = await Pop3Server.start()
const keys = { host: server.host, port: server.port, tls: 'none', password: 'secret', deliver: 'inbox', poll: '1h' }
for (const user of ['bad', 'good']) server.mailbox(user, 'secret')
const file = join(directory, 'config.json')
const accounts = { bad: { ...keys, user: 'bad' }, good: { ...keys, user: 'good' } }
const destinations = { inbox: { type: 'maildir', path: 'Mail' } }
writeFileSync(file, JSON.stringify({ accounts, destinations, state: 'state.db' }), { mode: 0o600 })
const load = () =>
  loadConfiguration({ file, state: null, env: { HOME: directory }, cwd: directory, uid: process.getuid?.() ?? 0 })
const configuration = await load()
const ledger = await openLedger(configuration.statePath)

/** Thrown at the next word about `bad`, and then `thrown`. */
const bomb: { throws: (() => void) | null; thrown: PromiseWithResolvers<void> } = {
  throws: null,
  thrown: Promise.withResolvers(),
}
const seen = new Set<string>()
let roundEnded = (): void => {}
const daemon = await Daemon.start({
  configuration,
  only: [],
  load,
  prepare: () => Promise.resolve(),
  ledger,
  log: {
    ...silentLog,
    // Called within an account's poll, as a listener of its socket would be.
    debug(_text, facts) {
      if (facts?.['account'] !== 'bad' || bomb.throws === null) return
      setImmediate(bomb.throws)
      bomb.throws = null
      setImmediate(bomb.thrown.resolve)
    },
  },
  env: {},
  signal: new AbortController().signal,
  version: '0',
  random: () => 0,
  ended({ account, report, thrown }) {
    say(`${account.name}: ${thrown instanceof Error ? thrown.message : report.outcome}`)
    seen.add(account.name === 'good' ? 'good' : thrown === null ? 'bad' : 'thrown')
    if (seen.has('good') && seen.has('thrown')) roundEnded()
  },
})
process.on('uncaughtException', (thrown) => {
  if (daemon.contain(thrown)) return
  say(`not contained: ${thrown.message}`)
  process.exit(70)
})

const rounds = [
  () => {
    throw new Error('thrown by a timer')
  },
  () => void Promise.reject(new Error('rejected and not awaited')),
]
// The session must still run when it is thrown.
server.faults.onCommand = async (verb, _args, { user }) => {
  if (user === 'bad' && verb === 'QUIT' && bomb.throws !== null) await bomb.thrown.promise
  return 'serve'
}
for (const round of rounds) {
  const over = Promise.withResolvers<void>()
  seen.clear()
  roundEnded = over.resolve
  bomb.thrown = Promise.withResolvers()
  bomb.throws = round
  daemon.wake()
  await over.promise
}
setImmediate(() => {
  throw new Error('from nowhere')
})
