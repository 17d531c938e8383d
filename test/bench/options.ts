// The bench's command line.
import { parseArgs } from 'node:util'
import { dovecotPackages } from '../servers/dovecot.ts'
import { postfixPackages } from '../servers/postfix.ts'
import { accounts, mailCases, million, startUp, type Case } from './cases.ts'
import { daemonCase } from './daemon.ts'
import { machinesCase } from './machines.ts'
import { clients } from './peers.ts'
import { scaleCases } from './scale.ts'
import { workersCase } from './workers.ts'

const HUGE_GIGABYTES = 2
// Those take minutes, and no peer takes part.
const byDefault = [...mailCases(HUGE_GIGABYTES), accounts, million, startUp].map(({ name }) => name)
const slow = [daemonCase.name, machinesCase.name, workersCase.name, ...scaleCases.map(({ name }) => name)]
const all = [...byDefault, ...slow]
const peerNames = clients.filter((client) => client.needs !== null).map((client) => client.name)
const packages = [...new Set(clients.flatMap((client) => client.needs?.packageName ?? []))].join(' ')

const usage = `npm run bench -- [--only CASE[,CASE…]] [--peers all|none|PEER[,PEER…]] [--runs N] [--huge-gb N] [--no-fail]
npm run bench -- --history CASE
npm run bench:micro

cases  ${all.join(' ')}; by default all but ${slow.join(', ')}
peers  ${peerNames.join(' ')}; by default those that need no minutes for the case
runs   5 by default; a run of more than 10 seconds is not repeated; each client runs once before that counts

Each run adds a file to test/bench/results; --history shows how a case moved. Ends with 1 when a figure misses its target by
more than the noise of its own runs, or popfetch fails at a case; --no-fail only looks. bench:micro measures parts of
popfetch by themselves.

apt-get install -y --no-install-recommends ${dovecotPackages} ${postfixPackages} postgresql time ${packages}
POPFETCH names a start file to measure instead of building and measuring dist/popfetch.js.`

export interface Options {
  readonly cases: readonly Case[]
  readonly only: readonly string[]
  /** null: those that a case names. */
  readonly peers: readonly string[] | null
  readonly runs: number
  readonly hugeGigabytes: number
  readonly fails: boolean
  /** Nothing is measured; the history of this case is shown. */
  readonly history: string | null
}

/** null: help was asked for, and given. Throws on what makes no sense, with the usage. */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: byDefault.join(',') },
      peers: { type: 'string' },
      runs: { type: 'string', default: '5' },
      'huge-gb': { type: 'string', default: String(HUGE_GIGABYTES) },
      history: { type: 'string' },
      'no-fail': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return null
  }
  const hugeGigabytes = positive('--huge-gb', values['huge-gb'])
  const runs = positive('--runs', values.runs)
  if (!Number.isInteger(runs)) throw new Error(`--runs wants a whole number, not ${runs}`)
  const only = values.only.split(',')
  const peers = peersNamed(values.peers)
  refuseUnknown('case', values.history === undefined ? only : [values.history], all)
  refuseUnknown('peer', peers ?? [], peerNames)
  const cases = mailCases(hugeGigabytes).filter(({ name }) => only.includes(name))
  return { cases, only, peers, runs, hugeGigabytes, fails: !values['no-fail'], history: values.history ?? null }
}

function peersNamed(value: string | undefined): readonly string[] | null {
  if (value === undefined) return null
  if (value === 'all') return peerNames
  return value === 'none' ? [] : value.split(',')
}

function positive(option: string, value: string): number {
  const number = Number(value)
  if (!(number > 0)) throw new Error(`${option} wants a number above 0, not ${value}`)
  return number
}

function refuseUnknown(kind: string, names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`no ${kind} is called ${unknown}\n\n${usage}`)
}
