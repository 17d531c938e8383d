// `popfetch uninstall`: looks at what popfetch has on this machine, and prints the command that removes each. It changes nothing, asks
// no server, and works with a broken configuration, without a home, and where nothing was ever set up.
import { stateFolder, usualStatePath } from '../../../config/paths.ts'
import { inFile, placeName, type StatePlace } from '../../../config/state/place.ts'
import type { Outline } from '../../../config/outline.ts'
import type { Configuration } from '../../../config/schema.ts'
import { FIRST_OF } from '../../../config/values/written.ts'
import { asPopfetchError } from '../../../errors.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import type { CommonOptions } from '../../common-options.ts'
import { askRunning } from '../../open/ask-daemon.ts'
import type { Surroundings } from '../../surroundings.ts'
import { type Findings, type Found, joined, NOTHING, removal } from './found.ts'
import { programFindings } from './program.ts'
import { cronFindings, unitFindings } from './schedule.ts'
import { configurationFiles, configurationFindings, secretFindings } from './secrets.ts'
import { isThere, mailIn, schemaFindings, stateFindings } from './state.ts'
import { findingsJson, tell } from './text.ts'

/** Resolves to 0 whatever is found: the question was answered. */
export async function run(invocation: CommonOptions, surroundings: Surroundings): Promise<number> {
  const findings = await findingsOf(invocation, surroundings)
  if (invocation.json) surroundings.output.object({ ok: true, accounts: [], ...findingsJson(findings) })
  else tell(findings, surroundings)
  return EXIT_OK
}

/** In the order in which the commands are to be run. */
async function findingsOf(invocation: CommonOptions, surroundings: Surroundings): Promise<Findings> {
  const { env } = surroundings
  const outline = await outlineOrNull(invocation, surroundings)
  const configuration = outline?.configuration ?? null
  const files = await configurationFiles(invocation.config, surroundings)
  const ledgers = ledgersOf(outline, invocation, env)
  const logFile = configuration?.log.file ?? null
  return joined([
    ...(await Promise.all(
      ledgers.map(
        async (ledger) => await daemonAt(ledger, ledger.statePath === outline?.statePath, invocation, surroundings),
      ),
    )),
    await unitFindings(surroundings),
    await cronFindings(surroundings),
    configuration === null ? NOTHING : await signIns(configuration, invocation, surroundings),
    ...(await Promise.all(ledgers.map(async (ledger) => await stateFindings(ledger, { logFile, env })))),
    ...ledgers.map(({ postgres }) => (postgres === null ? NOTHING : schemaFindings(postgres))),
    await secretFindings(configuration, files, surroundings),
    await configurationFindings(files, surroundings),
    await programFindings(surroundings),
    { found: [], kept: configuration === null ? [] : mailIn(mailPlaces(configuration)) },
  ])
}

/** Null: there is no configuration, or not even the place of the ledger can be read in it. Then it is told, and the usual places are
 *  looked at. */
async function outlineOrNull({ config, state }: CommonOptions, surroundings: Surroundings): Promise<Outline | null> {
  const { env, cwd, uid, output } = surroundings
  const { outlineConfiguration } = await import('../../../config/outline.ts')
  try {
    const outline = await outlineConfiguration({ file: config, state, env, cwd, uid })
    if (outline.problem !== null && state === null) warn(outline.problem.message, output)
    return outline
  } catch (error) {
    const { message } = asPopfetchError(error, 'process')
    if (config !== null || !message.startsWith('no configuration found')) warn(message, output)
    return null
  }
}

function warn(message: string, output: Surroundings['output']): void {
  const [what = ''] = message.split('\n', 1)
  output.problem(`warning: ${what.replace(/:$/, '')}: secrets and sign-ins named in it are not listed`)
}

/** That of the configuration, and the usual one. */
function ledgersOf(outline: Outline | null, { state }: CommonOptions, env: NodeJS.ProcessEnv): readonly StatePlace[] {
  const named: readonly StatePlace[] = outline === null ? [] : [outline]
  if (state !== null && outline !== null) return named
  try {
    const usual = inFile(usualStatePath(env))
    return named.some(({ statePath }) => statePath === usual.statePath) ? named : [...named, usual]
  } catch {
    return named
  }
}

async function daemonAt(
  ledger: StatePlace,
  isConfigured: boolean,
  invocation: CommonOptions,
  surroundings: Surroundings,
): Promise<Findings> {
  const { statePath, postgres } = ledger
  if (!(await isThere(postgres === null ? statePath : stateFolder(ledger)))) return NOTHING
  try {
    const running = await askRunning(statePath, { verb: 'status' }, surroundings)
    if (running === null) return NOTHING
    const words = ['popfetch', 'stop', ...(isConfigured ? optionsOf(invocation) : ['--state', placeName(ledger)])]
    return { found: [removal('daemon', `pid ${running.pid}`, words)], kept: [] }
  } catch (error) {
    surroundings.signal.throwIfAborted()
    const note = `it cannot be asked whether it runs: ${asPopfetchError(error, 'process').message}`
    return { found: [{ kind: 'daemon', what: placeName(ledger), command: null, note }], kept: [] }
  }
}

/** Those that are made, with the command that revokes each. */
async function signIns(
  configuration: Configuration,
  invocation: CommonOptions,
  { env }: Surroundings,
): Promise<Findings> {
  const { listedSignIns } = await import('../../../status/sign-ins.ts')
  const { signInName } = await import('../../../status/sign-in-lines.ts')
  const listed = await listedSignIns(configuration, env)
  const { signInsOf } = await import('../../../config/oauth/sign-ins.ts')
  const kept = await signInsOf(configuration, env).kept()
  return {
    found: listed.flatMap((one): readonly Found[] => {
      const what = signInName(one)
      if ('state' in one.state && one.state.state === 'none') {
        // It was made with another client than the one of this name now.
        const isKept = kept.some(({ client, user }) => client === one.client && user === one.user)
        const note = 'its client is no longer configured: revoke it at the provider'
        return isKept ? [{ kind: 'sign-in', what, command: null, note }] : []
      }
      const name = one.accounts[0] ?? one.destinations[0] ?? null
      const note = 'revokes it at the provider, where it can'
      if (name === null)
        return [{ kind: 'sign-in', what, command: null, note: 'nothing uses it: revoke it at the provider' }]
      return [removal('sign-in', what, ['popfetch', 'auth', '--sign-out', name, ...optionsOf(invocation)], note)]
    }),
    kept: [],
  }
}

/** As they were given, so that the command speaks of the same. */
function optionsOf({ config, state }: CommonOptions): readonly string[] {
  return [...(config === null ? [] : ['--config', config]), ...(state === null ? [] : ['--state', state])]
}

/** Where mail lies on this machine: as far as a path says it, before a placeholder. */
function mailPlaces({ destinations }: Configuration): readonly string[] {
  return [...destinations.values()].flatMap((target) => {
    if (target.type === FIRST_OF || !('path' in target)) return []
    const { path: written } = target
    const fixed = /^[^{]*/.exec(written)?.[0] ?? ''
    return [fixed === written ? written : fixed.slice(0, fixed.lastIndexOf('/'))]
  })
}
