// The servers that `popfetch check` was asked for by name: no account, no ledger, no secret.
import { parseHost } from '../../../config/values/host.ts'
import { silentLog } from '../../../log.ts'
import { checkServer, parsePlace, type ServerReport } from '../../../poll/check/server.ts'
import { usageError } from '../../command-errors.ts'
import { usualAccount } from '../../open/usual-account.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Rejects with ERR_USAGE for what is no server, before any is asked. */
export async function serverReports(
  servers: readonly string[],
  { env, signal, nowMs }: Pick<Surroundings, 'env' | 'signal' | 'nowMs'>,
  told: (report: ServerReport) => void,
): Promise<readonly ServerReport[]> {
  const places = servers.map((server) => {
    const place = parsePlace(server)
    const host = place === null ? null : parseHost(place.host)
    if (place === null || host === null) throw usageError(`"${server}" is neither an account nor SERVER[:PORT]`)
    return { server, place: { host, port: place.port } }
  })
  const context = { log: silentLog, signal, env, workarounds: { pipelining: true, capabilities: true } }
  const usual = usualAccount()
  return await Promise.all(
    places.map(async ({ server, place }) => {
      const report = await checkServer(server, place, { usual, context, nowMs: nowMs() })
      told(report)
      return report
    }),
  )
}
